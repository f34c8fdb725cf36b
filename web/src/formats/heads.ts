/** Heads of text tables: rate, unit, lead and start above the data, and the layouts of vendors. */
import { column, isEpoch, pattern, plainUnit, SECONDS, type Column, type Kind } from "./columns.ts";
import { localTime, plainDate, sinceEpoch } from "./dates.ts";
import { millivolts } from "./job.ts";
import { least } from "./statistics.ts";
import { stepOf, UNIT_KEY } from "./steps.ts";

/** Information from above a table, or known from the vendor's layout. */
export interface Head {
  /** Rate in Hz, if stated. */
  fs?: number;
  /** Unit of the leads whose headings state none. */
  unit?: string;
  /** Millivolts in one step of a converter, where values may be in steps. */
  scale?: number;
  /** The step that stands for zero. */
  zero?: number;
  /** Name of the only lead. */
  lead?: string;
  start?: string;
  /** The lines, without personal ones. */
  comments: string[];
  /** Columns of a table without headings, where the layout says what they are. */
  columns?: Column[];
  /** Rows at the beginning of the data that are not samples. */
  skip?: number;
  /** Whether rows may end in one cell more, which is a comment. */
  remarks?: boolean;
}

/** The beginning of a table, as the recognisers of layouts look at it. */
export interface Sample {
  /** The lines above the data, empty ones left out. */
  above: string[];
  /** Headings of the columns, which are not among these; empty where there are none. */
  names: readonly string[];
  separator: string;
  /** Numbers of the first rows, NaN where a cell is not a number. */
  values: number[][];
  width: number;
  /** Name of the file without suffixes. */
  stem: string;
}

const RATE = pattern(
  "hertz",
  (words) => `^(\\d{1,3}(?: \\d{3})+|\\d+(?:[.,]\\d+)?)\\s*(k?)(?:${words}).*$`,
);
/** A rate with a thousands separator: nobody samples an ECG at 1.000 Hz. */
const GROUPED = /^(?:[1-9]\d{0,2}(?: \d{3})+|[1-9][.,]\d{3})$/;
const RATE_KEY = pattern("rate");
const PLAIN_RATE = pattern("plain rate");
const INTERVAL_KEY = pattern("interval");
const FILTER_KEY = pattern("filter key");
const START_KEY = pattern("start key");
const NO_START_KEY = pattern("no start key");
const PERSONAL = pattern("personal");
const ZERO_KEY = pattern("zero key");
const LEAD_KEY = pattern("lead key");
const INTEGER = /^-?\d+(?:[.,]0*)?$/;
const DAY = /^(?:\d{4}[-/]\d\d[-/]\d\d|\d\d\.\d\d\.\d{4}|\d{1,2}\/\d{1,2}\/\d{4})$/;
const TIME_OF_DAY = /^\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AP]M)?$/i;
const NUMBER = /^(\d{1,3}(?: \d{3})+|\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*([a-zµμ]*)/i;
/** Largest ratio of sizes of a step that are the same but for rounding. */
const SAME = 1.01;
const LEAD = /(?<![A-Za-z])(I{1,3}|aV[RLF]|V[1-9])(?![A-Za-z])/;

/** The head of a table: by the layout of a vendor, or else line by line. */
export function headOf(sample: Sample): Head {
  const vendors = [
    appleWatch,
    openBci,
    openSignals,
    brainFlow,
    empatica,
    labChart,
    acqKnowledge,
    labView,
  ];
  for (const known of vendors) {
    const found = known(sample);
    if (found) return found;
  }
  return lines(sample);
}

type Pair = [key: string, value: string];

/** Key and value of a line such as `Sample Rate,512 Hz` or `%Sample Rate = 250 Hz`. */
function pair(line: string): Pair {
  const text = line
    .trim()
    .replace(/^[#%]+/, "")
    .trim()
    .normalize("NFKC");
  const found = /^"?([^,;:=\t"]{1,60})"?\s*[,;:=\t]\s*(.*)/.exec(text);
  if (!found) {
    const [, key, rate] = /^(\D{1,60}) (\d+(?:[.,]\d+)? ?[a-zA-Z]*)$/.exec(text) ?? []; // Acquisition rate 250 Hz
    return key && RATE_KEY.test(key) ? [key, rate] : ["", text];
  }
  const value = /^"([^"]*)"/.exec(found[2])?.[1] ?? found[2];
  return [found[1].replace(/^[' ]+|[' ]+$/g, ""), value.replace(/^[ ;,\t'"]+|[ ;,\t'"]+$/g, "")];
}

/** A head of lines with a key and a value each, in any order. */
function lines(sample: Sample): Head {
  const pairs = sample.above.map(pair);
  const units = pairs.filter(([key]) => UNIT_KEY.test(key)).map(([, value]) => unitIn(value));
  const unit = units.find((each) => millivolts(each) !== undefined);
  const steps = pairs.flatMap(([key, value]) => stepOf(key, value, unit) ?? []);
  const zeros = pairs.filter(([key, value]) => ZERO_KEY.test(key) && INTEGER.test(value));
  const bare = sample.above.map((line) =>
    line
      .trim()
      .replace(/^[#%]+/, "")
      .trim(),
  );
  return {
    fs: statedRate(pairs),
    unit,
    scale: Math.max(...steps) < SAME * Math.min(...steps) ? steps[0] : undefined,
    zero: only(zeros.map(([, value]) => float(value))),
    lead: pairs.map(leadIn).find(Boolean),
    start: statedStart(pairs.filter(([key]) => !PERSONAL.test(key))),
    comments: bare.filter((comment, i) => comment && !PERSONAL.test(pairs[i][0])),
  };
}

/** The name of the only lead that a line such as `Lead: Lead I` states. */
function leadIn([key, value]: Pair): string | undefined {
  const named = LEAD_KEY.test(key) ? (value.match(new RegExp(LEAD, "g")) ?? []) : [];
  return named.length === 1 ? named[0] : undefined;
}

/** The value that all have in common. */
function only(values: readonly number[]): number | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}

/** True if a row is a key and the rate, unit, size of a step or start that it states. */
export function isPair(cells: readonly string[]): boolean {
  const filled = cells.filter(Boolean);
  const [key, value] = pair(filled.join("\t"));
  if (!key || filled.length > 3) return false; // the third may be the unit of a rate
  const unit = UNIT_KEY.test(key) && millivolts(unitIn(value)) !== undefined;
  const stated = [rateIn(key, value), stepOf(key, value), localTime(value)];
  return unit || stated.some((each) => each !== undefined);
}

/** The unit in a value such as `uV` or `1 mV`. */
function unitIn(value: string): string {
  return plainUnit(value.replace(/^1 ?(?=\D)/, ""));
}

/** The rate in Hz by the clearest key: of sampling, of a rate, or none; not of a filter. */
function statedRate(pairs: readonly Pair[]): number | undefined {
  const found = pairs.flatMap(([key, value]) => {
    const rate = rateIn(key, value);
    if (!rate || FILTER_KEY.test(key)) return [];
    const clear = RATE_KEY.test(key) || INTERVAL_KEY.test(key);
    return [{ rate, doubt: !clear ? 2 : Number(PLAIN_RATE.test(key)) }];
  });
  return least(found, ({ doubt }) => [doubt])?.rate;
}

/** When the recording began: by a key that says so, or another; not when it was exported. */
function statedStart(pairs: readonly Pair[]): string | undefined {
  const values = pairs
    .filter(([key]) => key && !NO_START_KEY.test(key))
    .sort(([a], [b]) => Number(START_KEY.test(b)) - Number(START_KEY.test(a)))
    .map(([, value]) => value);
  const [day, time] = [DAY, TIME_OF_DAY].map((form) =>
    values.find((value) => form.test(plainDate(value))),
  );
  const texts = day && time ? [...values, `${day} ${time}`] : values;
  return texts.map(localTime).find(Boolean);
}

/** A rate in Hz that a line states, if it does. */
function rateIn(key: string, value: string): number | undefined {
  const stated = RATE.exec(value);
  const number = NUMBER.exec(value);
  let rate = 0;
  if (stated) rate = stated[2] ? 1000 * float(stated[1]) : hertz(stated[1]);
  else if (number && INTERVAL_KEY.test(key)) {
    const unit = number[2].toLowerCase() || (key.includes("ms") ? "ms" : "s");
    const parts = new Map([["s", 1], ["ms", 1e-3], ["us", 1e-6], ["µs", 1e-6], ["μs", 1e-6]]); // prettier-ignore
    const interval = (parts.get(unit) ?? 0) * float(number[1]);
    rate = interval <= 1 ? 1 / interval : 0; // more is the year of a date
  } else if (number && RATE_KEY.test(key) && !number[2])
    rate = /khz/i.test(key) ? 1000 * float(number[1]) : hertz(number[1]);
  return rate > 0 && rate <= 1e6 ? rate : undefined;
}

function hertz(text: string): number {
  return GROUPED.test(text) ? Number(text.replace(/[., ]/g, "")) : float(text);
}

function float(text: string): number {
  return Number(text.replaceAll(" ", "").replace(",", "."));
}

/**
 * An ECG of Apple Health: lines of two cells, in the language of the phone.
 *
 * Name, date of birth, date, classification, symptoms, software, device, rate; after an empty line
 * the lead and the unit. The order is the same in all languages.
 */
function appleWatch(sample: Sample): Head | undefined {
  const pairs = sample.above.map(pair);
  const device = pairs.findIndex(([, value]) => /^Watch\d+,\d+/.test(value));
  if (device < 3 || pairs.length < device + 2 || sample.width > 2) return undefined;
  const after = pairs.slice(device + 2).map(([, value]) => value);
  const rate = NUMBER.exec(pairs[device + 1][1]);
  const dated = pairs.findIndex(([, value], i) => i < device && localTime(value));
  const date = dated < 0 ? 2 : dated;
  return {
    fs: rate ? float(rate[1]) : undefined,
    unit: after.map(plainUnit).find((unit) => millivolts(unit) !== undefined) ?? "uV",
    lead: after.map((value) => LEAD.exec(value)?.[1]).find(Boolean) ?? "I",
    start: localTime(pairs[date][1]),
    comments: pairs.slice(date + 1, device + 1).flatMap(([k, v]) => (v ? [`${k}: ${v}`] : [])),
  };
}

/** A text file of OpenBCI's GUI, whose older versions write no headings. */
function openBci(sample: Sample): Head | undefined {
  if (!sample.above.some((line) => line.startsWith("%OpenBCI"))) return undefined;
  const stated = sample.above.map(pair).find(([key]) => key.toLowerCase() === "number of channels");
  const count = stated && /^\d+$/.test(stated[1]) ? Number(stated[1]) : 0;
  const known = !sample.names.length && count > 0 && count < sample.width;
  const columns = known ? numbered(sample, count) : undefined;
  return { ...lines(sample), unit: "uV", columns };
}

/** Rate in Hz and number of channels of BrainFlow's boards, by the columns of their data. */
const BRAINFLOW: Record<number, [number, number][]> = {
  24: [[250, 8]],
  32: [
    [125, 16],
    [250, 16],
  ],
  15: [[200, 4]],
};

/** A file that BrainFlow writes: tabs, no headings; counter, channels, ..., time, marker. */
function brainFlow(sample: Sample): Head | undefined {
  const boards = BRAINFLOW[sample.width];
  if (!boards || sample.names.length || sample.above.length || sample.separator !== "\t")
    return undefined;
  const at = sample.width - 2;
  const stamps = Float64Array.from(sample.values, (row) => row[at]);
  if (!isEpoch(stamps) || !(1e9 < stamps[0] && stamps[0] < 4.2e9)) return undefined;
  const span = stamps[stamps.length - 1] - stamps[0];
  const mean = span > 0 ? (stamps.length - 1) / span : 0;
  const [fs, channels] = least(boards, ([rate]) => [Math.abs(rate - mean)])!;
  const believed = stamps.length < 50 || Math.abs(mean - fs) < 0.1 * fs;
  const columns = numbered(sample, channels, at);
  return { fs: believed ? fs : undefined, unit: "uV", columns, comments: [] };
}

/** Columns of a table without headings: a counter, so many channels, perhaps times, and others. */
function numbered(sample: Sample, channels: number, time = -1): Column[] {
  return Array.from({ length: sample.width }, (_, i) => {
    const lead = i > 0 && i <= channels;
    const name = lead ? `EXG Channel ${i - 1}` : `column ${i + 1}`;
    const kind: Kind = lead ? "lead" : i === 0 ? "index" : i === time ? "time" : "other";
    return { heading: name, name, unit: "", kind };
  });
}

/** Volts of the converter's range, and gain of the ECG sensor, of PLUX's devices. */
const SUPPLY = { bitalino: [3.3, 1100], biosignalsplux: [3, 1019] };

/** The least and largest resolutions that a channel of an ECG may have. */
const BITS = [6, 32];

interface Plux {
  device?: string;
  "firmware version"?: string;
  "sampling rate": number;
  date?: string;
  time?: string;
  column: string[];
  label: string[];
  sensor: string[];
  resolution: number | number[];
}

/** A file of OpenSignals: a line of JSON describes devices, columns, sensors and resolutions. */
function openSignals(sample: Sample): Head | undefined {
  if (!sample.above.slice(0, 2).some((line) => line.includes("OpenSignals"))) return undefined;
  const bare = sample.above.map((line) => line.replace(/^[# ]+/, ""));
  let [fs, columns, first]: [number, Column[], Plux | undefined] = [0, [], undefined];
  try {
    const devices: Plux[] = Object.values(JSON.parse(bare.find((line) => line[0] === "{") ?? ""));
    first = devices[0];
    fs = Number(first["sampling rate"]);
    if (Number.isNaN(fs)) return undefined;
    columns = devices.flatMap(pluxColumns);
  } catch {
    return undefined;
  }
  const stamp = `${first.date ?? ""} ${String(first.time ?? "").split(".")[0]}`;
  if (
    sample.values.some((row) => row.some((value) => value !== Math.round(value) && value === value))
  )
    // the converted file, in the sensors' own units
    columns = columns.map((known) => ({
      ...{ heading: known.heading, name: known.name, kind: known.kind },
      unit: known.scale ? "mV" : "",
    }));
  while (columns.length < sample.width)
    columns.push({ heading: "", name: "", unit: "", kind: "empty" });
  const about = ["device", "firmware version"] as const;
  return {
    fs,
    start: localTime(stamp.replace(/(?<=[ :-])(\d)(?!\d)/g, "0$1")),
    comments: about.flatMap((key) => (key in first ? [`${key}: ${first[key]}`] : [])),
    columns: columns.slice(0, sample.width),
  };
}

/** The columns of a device of PLUX, the steps of its ECG sensors in mV. */
function pluxColumns(device: Plux): Column[] {
  const made = String(device.device ?? "");
  const family = Object.entries(SUPPLY).find(([name]) => made.startsWith(name))?.[1];
  const labels = device.label.map(String);
  const headings = device.column.map(String);
  const bitsOf = pluxBits(device.resolution, labels, headings);
  return headings.map((heading): Column => {
    const place = labels.indexOf(heading);
    if (place < 0) {
      const kind = column(heading).kind === "index" ? "index" : "other";
      return { heading, name: heading, unit: "", kind };
    }
    const sensor = String(device.sensor[place]);
    const bits = bitsOf(heading);
    const ecg = /^ecg/i.test(sensor);
    const known = { heading, name: `${sensor} ${heading}` };
    if (ecg && family && Number.isInteger(bits) && bits >= BITS[0] && bits <= BITS[1]) {
      const steps = 2 ** bits;
      const scale = (1000 * family[0]) / family[1] / steps;
      return { ...known, unit: "", kind: "lead", scale, zero: steps / 2 };
    }
    const raw = ecg || /^(raw|custom)$/i.test(sensor);
    return { ...known, unit: raw ? "counts" : "", kind: raw ? "lead" : "other" };
  });
}

/**
 * The resolutions by name, as a BITalino states them of columns, and others of channels. Of another
 * number than either, none is known.
 */
function pluxBits(stated: number | number[], labels: string[], columns: string[]) {
  const bits = [stated].flat();
  const names = [columns, labels].find((some) => some.length === bits.length) ?? [];
  return (name: string): number => bits[names.lastIndexOf(name)];
}

/** A file of Empatica's E4: the start (s since 1970) and the rate in the first two rows. */
function empatica({ above, values, width, stem }: Sample): Head | undefined {
  if (above.length || values.length < 3) return undefined;
  const [[start, ...starts], [rate, ...rates], ...rows] = values;
  if (!(1e9 < start && start < 4.2e9) || !(rate > 0 && rate <= 5000)) return undefined;
  if (starts.some((other) => other !== start) || rates.some((other) => other !== rate))
    return undefined;
  if (rows.some((row) => row.some((value) => Math.abs(value) > 1e8))) return undefined;
  const names = width === 1 ? [stem] : values[0].map((_, i) => `${stem} ${i + 1}`);
  return {
    fs: rate,
    start: sinceEpoch(Math.floor(start), Math.round((start % 1) * 1e6)),
    comments: [],
    columns: names.map((name) => column(name)),
    skip: 2,
  };
}

/** A text file of LabChart: rows such as `ChannelTitle=` name what follows the times. */
function labChart(sample: Sample): Head | undefined {
  const cells = sample.above.map((line) => line.trimEnd().split("\t"));
  const named = (key: string) =>
    cells
      .filter((row) => row[0] === key)
      .pop()
      ?.slice(1) ?? [];
  const [titles, units, { width }] = [named("ChannelTitle="), named("UnitName="), sample];
  if (!titles.length || titles.length > width) return undefined;
  const columns = titles.length < width ? [column("time (s)")] : [];
  columns.push(...titles.map((title, i) => column(title, units[i] ?? "")));
  while (columns.length < width)
    columns.push({ heading: "comment", name: "comment", unit: "", kind: "other" });
  return { ...lines(sample), columns, remarks: true };
}

/** The end of the file's header, and that of the table's, in a text file of LabVIEW. */
export const END_OF_HEADER = "***End_of_Header***";

/**
 * A text file of LabVIEW (`.lvm`): rows of a key and a cell for each channel.
 *
 * Above the data stand `X_Value`, the channels' names and `Comment`, a cell more than most rows
 * have.
 */
function labView({ above, names, separator, values, width }: Sample): Head | undefined {
  const cells = above.map((line) => line.split(separator).map((cell) => cell.trim()));
  const rows = new Map(cells.map(([key, ...rest]) => [key, rest]));
  const titles = names.length ? names : (cells[cells.length - 1] ?? []);
  if (!rows.has(END_OF_HEADER) || titles.length < width) return undefined;
  const units = [...(rows.get("Y_Unit_Label") ?? [])];
  const columns = titles.slice(0, width).map((title, i): Column => {
    if (title === "Comment" || (title === "X_Value" && values.every((row) => Number.isNaN(row[i]))))
      return { heading: title, name: title, unit: "", kind: "empty" };
    return title === "X_Value" ? column("time (s)") : column(title, units.shift() ?? "");
  });
  const first = (key: string) => rows.get(key)?.[0] ?? "";
  return {
    fs: rateIn("interval", first("Delta_X")),
    start: localTime(`${first("Date")} ${first("Time")}`),
    comments: [],
    columns,
    remarks: true,
  };
}

/**
 * A text file of AcqKnowledge.
 *
 * Its name, the rate, `2 channels`, name and unit of each; above the data a row `sec CH1 CH2` and
 * one of numbers of samples, which leaves the times' column empty.
 */
function acqKnowledge({ above, names, values, width }: Sample): Head | undefined {
  const [, rate = "", count, ...rest] = above.map((line) => line.trim());
  const stated = /^(\d+\.?\d*) (samples\/sec|msec|sec)(?:\/sample|ond)?$/.exec(rate);
  const known = [...values[0]].map(Number.isFinite);
  const channels = known.filter(Boolean).length;
  if (!stated || count !== `${channels} channels` || rest.length !== 2 * channels) return undefined;
  const unit = names[0] ?? "";
  const time = {
    heading: unit || "time",
    name: unit,
    unit,
    seconds: SECONDS.get(unit.toLowerCase()),
  };
  const number = Number(stated[1]);
  const seconds = new Map([["msec", 1e-3], ["sec", 1]]).get(stated[2]); // prettier-ignore
  let at = 0;
  return {
    fs: (number && seconds ? 1 / (seconds * number) : number) || undefined,
    comments: [],
    columns: Array.from({ length: width }, (_, i): Column => {
      if (known[i]) return column(rest[2 * at], rest[2 * at++ + 1]);
      return i ? { heading: "", name: "", unit: "", kind: "empty" } : { ...time, kind: "time" };
    }),
    skip: 1,
  };
}
