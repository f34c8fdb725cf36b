/** Writing EDF+ with 16 bits a sample: header, data records of all leads, annotations. */
import { roundEven } from "../core/numbers.ts";
import type { Lead, Recording } from "../recording.ts";
import { MONTHS } from "./dates.ts";
import { choose, eight, toDigital, type Ranges } from "./edf_range.ts";
import { COMMENT, ENDS, label, labelComments, MISSING, plain, unit } from "./edf_text.ts";
import { FormatError, reasonOf } from "./errors.ts";
import { millivolts } from "./job.ts";
import { least } from "./statistics.ts";
import { general, trimmed, visible } from "./text.ts";

const MOST_SIGNALS = 9998;
const MAX_RECORD = 61440;
/** Seconds of a record within which a good length is looked for. */
const [SHORTEST, LONGEST] = [0.2, 10];
/** Durations in s that are tried besides those around a second. */
const ROUND = [0.2, 0.25, 0.5, 2, 3, 4, 5, 6, 8, 10];
const NEAR = 50;
const LONGEST_TEXT = 30_000;
const LONGEST_LIST = 512;
const BLOCK = 1 << 22;

/** A lead ready to be stored: values in its own unit are those of `samples` by `scale`. */
interface Signal {
  label: string;
  unit: string;
  fs: number;
  samples: Float64Array;
  scale: number;
  ranges: Ranges;
  /** First and stop sample of what is missing. */
  gaps: [number, number][];
}

/** Data records: duration in s as it is written, samples of each lead in one, number of them. */
interface Plan {
  duration: string;
  count: number;
  records: number;
}

/**
 * A recording in EDF+.
 *
 * Ranges that a lead had are kept if its values fit them, its step always if they fit 16 bits, else
 * `warnings` say so. Missing samples are stored as the lowest digital value with an annotation.
 * Throws FormatError where EDF cannot hold the recording.
 */
export function writeEdf(recording: Recording, warnings: string[] = []): Blob {
  const path = `${recording.name}.edf`;
  const { leads, fs } = recording;
  if (leads.length > MOST_SIGNALS)
    throw new FormatError(path, `EDF holds ${MOST_SIGNALS} signals at most, not ${leads.length}`);
  try {
    const signals = leads.map((lead) => signalOf(path, lead, fs, warnings));
    const plan = planOf(fs, leads.length, leads[0].samples.length);
    const notes = notesOf(recording, signals, plan);
    const width = 2 * Math.ceil(longestOf(notes) / 2);
    const parts: Blob[] = [new Blob([headerOf(recording, signals, plan, width)])];
    const size = 2 * plan.count * signals.length + width;
    const step = Math.max(Math.floor(BLOCK / size), 1);
    for (let first = 0; first < plan.records; first += step) {
      const stop = Math.min(first + step, plan.records);
      const bytes = new Uint8Array((stop - first) * size);
      for (let record = first; record < stop; record++) {
        const view = new DataView(bytes.buffer, (record - first) * size, size);
        signals.forEach((signal, i) => store(view, signal, 2 * i * plan.count, record, plan.count));
        bytes.set(notes[record], (record - first + 1) * size - width);
      }
      parts.push(new Blob([bytes]));
    }
    return new Blob(parts);
  } catch (error) {
    throw new FormatError(path, reasonOf(error));
  }
}

function signalOf(path: string, lead: Lead, fs: number, warnings: string[]): Signal {
  const { name, samples, resolution } = lead;
  const stored = lead.unit === "mV" && resolution ? millivolts(resolution.unit) : undefined;
  const scale = stored ?? 1;
  const gaps: [number, number][] = [];
  let [low, high] = [Infinity, -Infinity];
  samples.forEach((value, i) => {
    if (Number.isNaN(value)) {
      if (gaps.length && gaps[gaps.length - 1][1] === i) gaps[gaps.length - 1][1]++;
      else gaps.push([i, i + 1]);
    } else [low, high] = [Math.min(low, value / scale), Math.max(high, value / scale)];
  });
  if (low > high) [low, high] = [0, 0];
  const ranges = choose(resolution, [low, high], gaps.length > 0);
  if (ranges.coarser)
    warnings.push(`${path}: ${name} does not fit 16 bits at the resolution it had; stored coarser`);
  const own = stored === undefined ? lead.unit : resolution!.unit;
  return { label: name, unit: own, fs, samples, scale, ranges, gaps };
}

/** Records of about a second that the leads fill, all or all but the last. */
function planOf(fs: number, leads: number, samples: number): Plan {
  if (2 * leads > 16 * MAX_RECORD || fs < 1 / 3600)
    throw new Error(`rates of ${general(fs)} Hz have no data record in common that EDF can hold`);
  const longest = Math.max(
    Math.min(Math.floor(MAX_RECORD / (2 * leads)), Math.floor(LONGEST * fs)),
    1,
  );
  const second = roundEven(fs);
  const tried = new Set([1, ...ROUND.map((s) => roundEven(s * fs))]);
  for (let k = second - NEAR; k < second + NEAR; k++) tried.add(k);
  for (let k = 1; k <= longest; k++) if (samples % k === 0) tried.add(k);
  /** An exact rate counts most, then records that are all full, then about a second. */
  const merit = (k: number) => {
    const error = Math.abs(Number(eight(k / fs)) - k / fs) / (k / fs);
    const full = samples % k === 0 && k / fs >= SHORTEST;
    return [error > 1e-9 ? error : 0, full ? 0 : 1, Math.abs(Math.log(k / fs))];
  };
  const count = least([...tried].filter((k) => k >= 1 && k <= longest), merit)!; // prettier-ignore
  return { duration: eight(count / fs), count, records: Math.ceil(samples / count) };
}

/** Put the samples of one lead into a data record; the last is filled up at its end. */
function store(view: DataView, signal: Signal, at: number, record: number, count: number): void {
  const { samples, scale, ranges } = signal;
  for (let i = 0; i < count; i++) {
    const value = samples[Math.min(record * count + i, samples.length - 1)] / scale;
    const digital = Number.isNaN(value) ? ranges.digital[0] : toDigital(ranges, value);
    view.setInt16(at + 2 * i, digital, true);
  }
}

/** The annotation lists of each record: its time, and what happened in it. */
function notesOf(recording: Recording, signals: readonly Signal[], plan: Plan): Uint8Array[] {
  const { comments, fs, leads } = recording;
  const duration = Number(plan.duration);
  const fraction = Number(`0.${recording.start?.split(".")[1] ?? 0}`);
  const events: { onset: number; length?: number; text: string }[] = [];
  for (const text of [...comments, ...labelComments(signals)])
    events.push({ onset: 0, text: COMMENT + text });
  signals.forEach(({ label, gaps }, i) => {
    const text = `${MISSING}${i + 1} ${label}`;
    for (const [a, b] of gaps) events.push({ onset: a / fs, length: (b - a) / fs, text });
  });
  const samples = leads[0].samples.length;
  if (samples < plan.records * plan.count) events.push({ onset: samples / fs, text: ENDS });
  const lists = Array.from({ length: plan.records }, (_, i) => [encoded(i * duration + fraction)]);
  const placed = events.map(({ onset, length, text }): [number, Uint8Array] => {
    const record = Math.min(Math.max(Math.floor(onset / duration), 0), plan.records - 1);
    return [record, encoded(onset + fraction, text, length)];
  });
  return filled(lists, placed);
}

/** One list of one text, or, without a text, of the time when a record begins. */
function encoded(onset: number, text = "", length?: number): Uint8Array {
  const seconds = (value: number) => trimmed(value.toFixed(9));
  const shown = text.replace(/[\0\x14\x15]/g, visible);
  const lasting = length === undefined ? "" : `\x15${seconds(length)}`;
  return new TextEncoder().encode(`+${seconds(onset)}${lasting}\x14${shown}\x14\0`);
}

/**
 * The lists with each text in that of its record, or of the next one that is not full: all records
 * have lists of one size, and thousands of texts at one time would make all of them large.
 */
function filled(lists: Uint8Array[][], placed: readonly [number, Uint8Array][]): Uint8Array[] {
  const longest = longestOf(placed.map(([, text]) => text));
  if (longest > LONGEST_TEXT)
    throw new Error(`a comment or note of ${longest} bytes is longer than a data record can hold`);
  const sizes = lists.map(([time]) => time.length);
  const sum = placed.reduce((total, [, text]) => total + text.length, 0);
  const mean = Math.floor(sum / lists.length);
  const full = Math.max(LONGEST_LIST, 2 * (mean + longest)) + sizes[sizes.length - 1];
  const following = lists.map((_, i) => (i + 1) % lists.length);
  for (const [record, text] of placed) {
    let at = record;
    const passed: number[] = [];
    while (sizes[at] + text.length > full) {
      passed.push(at);
      at = following[at];
    }
    for (const other of passed) following[other] = at;
    lists[at].push(text);
    sizes[at] += text.length;
  }
  return lists.map((texts, i) => {
    const bytes = new Uint8Array(sizes[i]);
    let at = 0;
    for (const text of texts) {
      bytes.set(text, at);
      at += text.length;
    }
    return bytes;
  });
}

function longestOf(texts: readonly Uint8Array[]): number {
  return texts.reduce((longest, text) => Math.max(longest, text.length), 0);
}

/** The header record; `width` is the number of bytes of the annotations in a data record. */
function headerOf(
  { start }: Recording,
  signals: readonly Signal[],
  plan: Plan,
  width: number,
): string {
  const count = signals.length + 1;
  const [year, month, day, clock] = start?.split(/[-T.]/) ?? ["85", "01", "01", "00:00:00"];
  const date = start ? `${day}-${MONTHS[Number(month) - 1]}-${year}` : "X";
  const first: [number, string][] = [
    [8, "0"],
    [80, "X X X X"],
    [80, `Startdate ${date} X X X`],
    [8, `${day}.${month}.${year.slice(-2)}`],
    [8, clock.replaceAll(":", ".")],
    [8, String(256 * (count + 1))],
    [44, "EDF+C"],
    [8, String(plan.records)],
    [8, plan.duration],
    [4, String(count)],
  ];
  const column = (size: number, of: (signal: Signal) => string, last = ""): [number, string][] =>
    [...signals.map(of), last].map((text) => [size, text]);
  const columns = [
    column(16, (signal) => label(signal.label), "EDF Annotations"),
    column(80, () => ""),
    column(8, (signal) => unit(signal.unit)),
    column(8, ({ ranges }) => eight(ranges.physical[0]), "-1"),
    column(8, ({ ranges }) => eight(ranges.physical[1]), "1"),
    column(8, ({ ranges }) => String(ranges.digital[0]), "-32768"),
    column(8, ({ ranges }) => String(ranges.digital[1]), "32767"),
    column(80, () => ""),
    column(8, () => String(plan.count), String(width / 2)),
    column(32, () => ""),
  ];
  return [...first, ...columns.flat()]
    .map(([size, text]) => plain(text, size).padEnd(size))
    .join("");
}
