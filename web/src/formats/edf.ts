/**
 * EDF, EDF+, BDF and BDF+: polysomnography, Holters, BioSemi.
 *
 * Specifications: https://www.edfplus.info/specs/ and https://www.biosemi.com/faq/file_format.htm.
 */
import { roundEven } from "../core/numbers.ts";
import type { Lead, Resolution } from "../recording.ts";
import { symbol } from "./columns.ts";
import { isoTime, MONTHS, sinceEpoch } from "./dates.ts";
import { COMMENT, ENDS, leadsByRule, MISSING, RESERVED, restore, type Named } from "./edf_text.ts";
import { FormatError } from "./errors.ts";
import { checkSamples, millivolts, warn, type Job, type Parts } from "./job.ts";
import { toNumber } from "./layout.ts";
import { bytesOf } from "./source.ts";
import { decoded, enumerated, general, latin1, visible } from "./text.ts";

const BLOCK = 1 << 22;
const MAX_SAMPLES = 2 ** 31;

/** One signal of a file; `offset` and `count` are its first byte and samples in a data record. */
interface Channel extends Named {
  place: number;
  offset: number;
  count: number;
  /** That of steps, without a unit, where the header's ranges are invalid. */
  resolution: Resolution;
  inSteps: boolean;
}

/** A text at a time, with a duration if it has one; both in s. */
interface Event {
  onset: number;
  duration?: number;
  text: string;
}

interface Header {
  bits: number;
  /** Data records that the header announces, and that are there. */
  announced: number;
  records: number;
  recordBytes: number;
  /** Bytes of the header, and seconds of a data record. */
  size: number;
  duration: number;
  interrupted: boolean;
  channels: Channel[];
  /** First byte and end of the annotations within a data record. */
  annotations: [number, number][];
  date: string;
  time: string;
  study: string;
}

export function isEdf(head: Uint8Array): boolean {
  return ["0       ", "\xffBIOSEMI"].includes(latin1(head.subarray(0, 8)));
}

/**
 * Read the leads of a file; signals of other kinds or rates, and annotations, are left out with a
 * warning. Throws FormatError where the header is malformed or the file cut off.
 */
export async function readEdf(job: Job, blob: Blob): Promise<Parts> {
  const header = await headerOf(job.path, blob);
  warnSteps(job, header);
  const events = await eventsOf(job.path, blob, header);
  const { announced, records } = header;
  if (records > announced)
    warn(job, `its header announces ${announced} data records, ${records} are there; all are read`);
  const timed = events.length > 0 && events.every((own) => own.length && !own[0].text);
  const first = timed ? events[0][0].onset : 0;
  const notes = events
    .flatMap((own) => own.slice(timed ? 1 : 0))
    .filter((event) => event.text)
    .map((event) => ({ ...event, onset: event.onset - first }));
  const comments = new Set(notes.filter((e) => e.onset === 0 && e.text.startsWith(COMMENT)));
  const { leads, others, texts } = parted(job.path, header, [...comments]);
  const onsets = onsetsOf(job.path, header, timed ? events.map((own) => own[0].onset) : undefined);
  const { fs, count } = leads[0];
  const starts = onsets.map((onset, i) => (header.interrupted ? roundEven(onset * fs) : i * count));
  const stored = starts[header.records - 1] + count;
  if (stored > MAX_SAMPLES)
    throw new FormatError(job.path, `is interrupted (EDF+D) for ${general(stored / fs)} s`);
  const ends = notes.findLast((event) => event.text === ENDS);
  const end = ends ? roundEven(ends.onset * fs) : stored;
  const samples = stored - count < end && end <= stored ? end : stored;
  checkSamples(job.path, samples, leads.length);
  const values = leads.map(() => new Float64Array(stored).fill(header.interrupted ? NaN : 0));
  await readRecords(job.path, blob, header, (record, view) => {
    leads.forEach((lead, i) => decode(view, lead, header.bits, values[i], starts[record]));
  });
  const marks = notes.filter((event) => {
    const gap = event.text.startsWith(MISSING) && event.duration !== undefined;
    const place = Number(/^\d{1,4}(?= )/.exec(event.text.slice(MISSING.length))?.[0]) - 1;
    const at = gap ? leads.findIndex((lead) => lead.place === place) : -1;
    if (at >= 0)
      values[at].fill(
        NaN,
        Math.max(roundEven(event.onset * fs), 0),
        Math.max(roundEven((event.onset + event.duration!) * fs), 0),
      );
    return !gap && event.text !== ENDS && !comments.has(event);
  });
  warnLeftOut(job, others, marks.length);
  return {
    fs,
    leads: leads.map((lead, i) => leadOf(lead, i, values[i].subarray(0, samples))),
    start: startOf(header, events[0]?.[0]?.onset ?? 0),
    comments: texts,
  };
}

function leadOf(channel: Channel, index: number, samples: Float64Array): Lead {
  const { resolution, unit, label } = channel;
  const voltage = millivolts(unit);
  if (voltage && voltage !== 1) samples.forEach((value, i) => (samples[i] = value * voltage));
  return { name: label || `lead ${index + 1}`, unit: voltage ? "mV" : unit, samples, resolution };
}

function warnSteps(job: Job, { channels }: Header): void {
  const without = channels.filter(({ count, inSteps }) => count && inSteps);
  if (!without.length) return;
  const names = enumerated(without.map(({ label, place }) => label || `signal ${place + 1}`));
  const whose = without.length === 1 ? "its" : "their";
  warn(job, `states no valid range of ${names}; ${whose} values are steps of the converter`);
}

function warnLeftOut(job: Job, others: readonly Channel[], marks: number): void {
  const names = others.slice(0, 12).map(({ label, fs }) => `${label} (${general(fs)} Hz)`);
  if (marks) names.push(`${marks} annotation${marks === 1 ? "" : "s"}`);
  if (names.length) warn(job, `left out here, but kept by the command: ${names.join(", ")}`);
}

/** The signals that make the recording, the others, and the comments on the recording. */
function parted(path: string, header: Header, notes: readonly Event[]) {
  const usable = header.channels.filter((channel) => channel.count);
  if (!usable.length || !header.records) throw new FormatError(path, "holds no samples");
  const texts = notes.map((event) => event.text.slice(COMMENT.length));
  const { leads: listed, comments } = restore(usable, texts);
  const leads = (listed ?? leadsByRule(usable)).map((i) => usable[i]);
  const labels = enumerated(
    usable.filter(({ unit }) => millivolts(unit) !== undefined).map(({ label }) => label),
  );
  if (!leads.length)
    throw new FormatError(
      path,
      `holds no ECG: all its voltages are called EEG, EOG or EMG: ${labels}`,
    );
  return { leads, others: usable.filter((c) => !leads.includes(c)), texts: comments };
}

async function headerOf(path: string, blob: Blob): Promise<Header> {
  const first = await bytesOf(blob, 0, 256);
  const malformed = (reason: string) =>
    new FormatError(path, `the EDF header is malformed (${reason})`);
  const whole = (text: string) => {
    if (!/^[+-]?\d+$/.test(text.trim()))
      throw malformed(`invalid literal for int() with base 10: '${text.trim()}'`);
    return Number(text);
  };
  const text = latin1(first);
  const count = whole(text.slice(252, 256));
  const raw = latin1(await bytesOf(blob, 0, 256 * (Math.max(count, 0) + 1)));
  if (raw.length < 256 * (count + 1))
    throw new FormatError(path, "the file is cut off in its header; fetch it again");
  const size = whole(raw.slice(184, 192));
  if (count < 1 || size !== raw.length)
    throw malformed(`${count} signals, but ${size} bytes of header`);
  const column = (at: number, width: number) =>
    Array.from({ length: count }, (_, i) => {
      const begin = 256 + at * count + i * width;
      return raw.slice(begin, begin + width).trimEnd();
    });
  const labels = column(0, 16);
  const units = column(96, 8).map((unit) =>
    symbol(decoded(Uint8Array.from(unit, (c) => c.charCodeAt(0)))).replace(/[µμ]/g, "u"),
  );
  const physical = [104, 112].map((at) => column(at, 8));
  const digital = [120, 128].map((at) => column(at, 8));
  const counts = column(216, 8).map(whole);
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (Math.min(...counts) < 0 || total < 1) throw malformed("a data record holds no samples");
  const bits = first[0] === 0xff ? 24 : 16;
  const recordBytes = (total * bits) / 8;
  const found = Math.floor(Math.max(blob.size - size, 0) / recordBytes);
  const announced = whole(raw.slice(236, 244));
  if (announced > found)
    throw new FormatError(
      path,
      `the file is cut off: its header announces ${announced} data records, ${found} are there; ` +
        "fetch it again",
    );
  const number = (text: string) => toNumber(text.replaceAll(",", "."), ".");
  const duration = number(raw.slice(244, 252));
  if (!labels.some((label) => !RESERVED.includes(label)))
    throw new FormatError(path, "holds annotations only, no signal");
  if (!(duration > 0 && duration < Infinity))
    throw malformed(`data records of ${general(duration)} s`);
  const channels: Channel[] = [];
  const annotations: [number, number][] = [];
  let offset = 0;
  for (const [place, label] of labels.entries()) {
    const [count, unit] = [counts[place], units[place]];
    const end = offset + (count * bits) / 8;
    const limits = [
      ...physical.map((of) => number(of[place])),
      ...digital.map((of) => toNumber(of[place], ".")),
    ];
    const stated = resolutionOf(limits, unit, bits);
    const resolution = stated ?? stepsOf(bits);
    const inSteps = !stated;
    const own = { place, label, unit: resolution.unit, fs: count / duration, offset, count };
    if (RESERVED.includes(label)) annotations.push([offset, end]);
    else channels.push({ ...own, resolution, inSteps });
    offset = end;
  }
  return {
    ...{ bits, recordBytes, size, duration, channels, annotations },
    announced: announced < 0 ? found : announced,
    records: found,
    interrupted: raw.slice(195, 197) === "+D",
    date: raw.slice(168, 176).trimEnd(),
    time: raw.slice(176, 184).trimEnd(),
    study: raw.slice(88, 168).trimEnd(),
  };
}

/** The resolution that two ranges make, if they do; the digital one may descend. */
function resolutionOf(
  [low, high, least, most]: readonly number[],
  unit: string,
  bits: number,
): Resolution | undefined {
  // The same line from its other end.
  if (most < least) return resolutionOf([high, low, most, least], unit, bits);
  const gain = (most - least) / (high - low);
  const baseline = least - low * gain;
  const sound = Number.isInteger(least) && Number.isInteger(most) && most > least;
  if (!sound || !(Math.abs(gain) > 1e-30 && Math.abs(gain) < Infinity)) return undefined;
  if (!(Math.abs(baseline) < 2 ** 62)) return undefined;
  const digital: [number, number] = [least, most];
  return { gain, baseline: roundEven(baseline), unit, bits, physical: [low, high], digital };
}

/** The steps of a converter as they are, where their size is not known. */
function stepsOf(bits: number): Resolution {
  const limits: [number, number] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  return { gain: 1, baseline: 0, unit: "", bits, physical: limits, digital: limits };
}

/**
 * The annotations of each data record; one that begins with its time has an empty text first.
 * Records beyond the announced ones end, in `header` too, where one does not begin with its time as
 * the first.
 */
async function eventsOf(path: string, blob: Blob, header: Header): Promise<Event[][]> {
  const result: Event[][] = [];
  if (!header.annotations.length) return result;
  const { announced, annotations } = header;
  await readRecords(path, blob, { ...header }, (record, view) => {
    const timed = result[0]?.length && !result[0][0].text;
    const [at, stop] = annotations[0];
    const signed = at === stop || "+-".includes(String.fromCharCode(view.getUint8(at)));
    if (record >= Math.max(announced, 1) && timed && !signed)
      header.records = Math.min(header.records, record);
    if (record >= header.records) return;
    const own: Event[] = [];
    for (const [begin, end] of annotations)
      own.push(
        ...eventsIn(path, new Uint8Array(view.buffer, view.byteOffset + begin, end - begin)),
      );
    result.push(own);
  });
  return result;
}

/** Time-stamped annotation lists: onset, duration after 0x15, texts that end with 0x14, 0x00. */
function eventsIn(path: string, data: Uint8Array): Event[] {
  const events: Event[] = [];
  for (let at = 0, end; at < data.length; at = end + 1) {
    end = data.indexOf(0, at);
    if (end < 0) end = data.length;
    if (end === at) continue;
    const [time, ...texts] = latin1(data.subarray(at, end)).split("\x14");
    const found = /^([+-]\d{1,15}(?:\.\d*)?)(?:\x15(\d{1,15}(?:\.\d*)?)?)?$/.exec(time);
    if (!found || texts.pop() !== "") {
      const shown = visible(latin1(data.subarray(at, Math.min(end, at + 40))));
      throw new FormatError(
        path,
        `the annotations are malformed (b'${shown}' is not an annotation)`,
      );
    }
    const duration = found[2] ? Number(found[2]) : undefined;
    for (const text of texts) {
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      events.push({ onset: Number(found[1]), duration, text: decoded(bytes) });
    }
  }
  return events;
}

/** Start of each data record in s from the first; contiguous unless the header differs. */
function onsetsOf(path: string, header: Header, times?: readonly number[]): number[] {
  const { records, duration, interrupted } = header;
  if (!interrupted) return Array.from({ length: records }, (_, i) => i * duration);
  if (!times) throw new FormatError(path, "is interrupted (EDF+D), but does not say when");
  if (times.some((time, i) => i > 0 && time - times[i - 1] < duration * (1 - 1e-6)))
    throw new FormatError(path, "is interrupted (EDF+D), and its records overlap in time");
  return times.map((time) => time - times[0]);
}

async function readRecords(
  path: string,
  blob: Blob,
  { size, records, recordBytes }: Header,
  take: (record: number, view: DataView) => void,
): Promise<void> {
  const step = Math.max(Math.floor(BLOCK / recordBytes), 1);
  for (let first = 0; first < records; first += step) {
    const stop = Math.min(first + step, records);
    const bytes = await bytesOf(blob, size + first * recordBytes, size + stop * recordBytes);
    if (bytes.length < (stop - first) * recordBytes)
      throw new FormatError(path, "was cut off while it was read");
    for (let i = first; i < stop; i++)
      take(i, new DataView(bytes.buffer, (i - first) * recordBytes, recordBytes));
  }
}

/** Put the values of a signal in a data record into an array, in the signal's unit. */
function decode(view: DataView, channel: Channel, bits: number, out: Float64Array, at: number) {
  const { offset, count, resolution } = channel;
  const [low, high] = resolution.physical!;
  const [least, most] = resolution.digital!;
  const scale = (high - low) / (most - least);
  for (let i = 0; i < count; i++) {
    const value =
      bits === 16
        ? view.getInt16(offset + 2 * i, true)
        : view.getUint16(offset + 3 * i, true) | (view.getInt8(offset + 3 * i + 2) << 16);
    out[at + i] = (value - least) * scale + low;
  }
}

/**
 * Start of the recording, `offset` s after the header's; undefined if the date was removed, which
 * the recording field of EDF+ says by X and the header by 01.01.85.
 */
function startOf({ date, time, study }: Header, offset: number): string | undefined {
  const three = /^( ?\d{1,2})[.:'\-/ ]( ?\d{1,2})[.:'\-/ ]( ?\d{1,2})$/;
  const [day, month, short] = three.exec(date)?.slice(1).map(Number) ?? [];
  const clock = three.exec(time)?.slice(1).map(Number) ?? [99, 0, 0];
  const legacy = [short + (short >= 85 ? 1900 : 2000), month, day];
  let full: number[] | undefined;
  if (study.startsWith("Startdate ")) {
    const stated = study.split(/\s+/)[1] || "X";
    if (stated === "X" && legacy.join() === "1985,1,1") return undefined;
    const [, d, name, y] = /^(\d+)-([A-Za-z]+)-(\d+)$/.exec(stated) ?? [];
    full = [Number(y), MONTHS.indexOf(name?.toUpperCase()) + 1, Number(d)];
  }
  if (!isoTime([...legacy, ...clock])) return undefined;
  const iso = (full && isoTime([...full, ...clock])) ?? isoTime([...legacy, ...clock])!;
  return sinceEpoch(Date.parse(`${iso}Z`) / 1000, Math.round(offset * 1e6));
}
