/** WFDB headers: https://wfdb.io/spec/header-files/. */
import { isoTime, MONTHS } from "./dates.ts";
import { FormatError, reasonOf } from "./errors.ts";
import { millivolts } from "./job.ts";
import { decoded } from "./text.ts";

const LARGEST = 1 << 24;
const MOST_SIGNALS = 4096;
export const DEFAULT_GAIN = 200;
/** A date as the PhysioNet Challenges since 2020 write it, before the time. */
const NAMED_DAY = /^(\d{1,2})-([a-z]{3})-(\d{4})$/i;
const GAIN = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(([+-]?\d+)\))?(?:\/(\S+))?(?:\s+|$)/;

/** One signal of a header. */
export interface Described {
  file: string;
  format: string;
  samplesPerFrame: number;
  skew: number;
  offset: number;
  gain: number;
  /** False if the gain is not stated. */
  calibrated: boolean;
  baseline: number;
  unit: string;
  initial: number;
  name: string;
}

export interface Header {
  /** Name of the header's file. */
  path: string;
  /** Frames in a second, and number of them, if stated. */
  fs: number;
  frames?: number;
  start?: string;
  comments: string[];
  signals: Described[];
  /** Name and frames of each part of a record of several segments. */
  segments?: [name: string, frames: number][];
}

/** Parse a header. Throws FormatError where it is malformed, or announces no signals. */
export function headerIn(path: string, bytes: Uint8Array): Header {
  if (bytes.length > LARGEST)
    throw new FormatError(path, `is larger than ${LARGEST >> 20} MiB, as no WFDB header is`);
  const text = decoded(bytes).split(/[\n\r\v\f\x1c-\x1e]/);
  const lines = text.map((line) => line.trim());
  const [record = "", ...described] = lines.filter((line) => line && !line.startsWith("#"));
  const [name, ...words] = record.split(/\s+/);
  const [, segmented] = /^[\w-]+(?:\/(\d*))?$/.exec(name) ?? [];
  if (described.length >= MOST_SIGNALS && !name.includes("/"))
    throw new FormatError(path, `describes more than ${MOST_SIGNALS} signals`);
  const header: Header = { path, fs: 0, comments: [], signals: [] };
  try {
    if (!/^[\w-]+(?:\/\d*)?$/.test(name)) throw new Error("invalid syntax in record line");
    Object.assign(header, recordOf(words));
    if (segmented) header.segments = described.map(segmentOf);
    else header.signals = described.map(signalOf);
  } catch (error) {
    throw new FormatError(path, `the WFDB header is malformed (${reasonOf(error)})`);
  }
  const comments = lines.filter((line) => line.startsWith("#")).map((line) => line.slice(1).trim());
  header.comments = comments.filter((comment) => !isUnit(comment, header.signals));
  const [kind, announced] = segmented
    ? ["segments", Number(segmented)]
    : ["signals", Number(words[0])];
  if (announced !== described.length)
    throw new FormatError(
      path,
      `the WFDB header is malformed (it announces ${announced} ${kind} and describes ` +
        `${described.length})`,
    );
  if (!announced || !Number(words[0]) || header.frames === 0)
    throw new FormatError(path, "the WFDB header announces no signals, or none of their samples");
  return header;
}

/** Rate, length and start by the words of the record line. */
function recordOf([signals = "", rate = "250", length, time, date]: string[]): Partial<Header> {
  if (![signals, length ?? "0"].every((word) => /^\d+$/.test(word)))
    throw new Error("numbers of signals and samples are whole");
  const [, frequency = ""] = /^([\d.eE+-]+)(?:\/[^()]*)?(?:\([^()]*\))?$/.exec(rate) ?? [];
  const fs = frequency ? Number(frequency) : NaN;
  if (!(fs > 0 && fs < Infinity)) throw new Error(`${rate} is not a sampling rate`);
  if (NAMED_DAY.test(time ?? "")) [time, date] = [date, time];
  const clock = /^(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,6})\d*)?$/.exec(time ?? "");
  if (time && !clock) throw new Error(`${time} is not a time of the day`);
  const day = dayIn(date ?? "");
  if (date && !day) throw new Error(`time data '${date}' does not match format '%d/%m/%Y'`);
  const at = clock?.slice(1, 4).map((part) => Number(part ?? 0)) ?? [0, 0, 0];
  const on = day ?? [2000, 1, 1];
  const start = isoTime([...on, ...at], clock?.[4]);
  if (!start) throw new Error(`${time} ${date ?? ""} is not a time`);
  return {
    fs,
    frames: length ? Number(length) : undefined,
    start: clock && day ? start : undefined,
  };
}

/** Year, month and day of `31/12/2020`, or of `31-Dec-2020` as in the PhysioNet Challenges. */
function dayIn(text: string): number[] | undefined {
  const [, d, name = "", y] = NAMED_DAY.exec(text) ?? [];
  const month = MONTHS.indexOf(name.toUpperCase()) + 1;
  if (month) return [Number(y), month, Number(d)];
  const found = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text);
  return found?.slice(1).reverse().map(Number);
}

function segmentOf(line: string): [string, number] {
  const [, name, frames] = /^([\w-]*~?)\s+(\d+)$/.exec(line) ?? [];
  if (!frames) throw new Error("a segment is a name and a number of samples");
  return [name, Number(frames)];
}

function signalOf(line: string, index: number): Described {
  const [, file, kind, described = ""] = /^(\S+)\s+(\S+)(?:\s+(.*))?$/.exec(line) ?? [];
  const stored = /^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$/.exec(kind ?? "");
  if (!stored || !/^~?[\w-]*\.?\w*$/.test(file)) throw new Error("invalid syntax in signal line");
  const [format, samplesPerFrame, skew, offset] = stored.slice(1).map((n, i) => Number(n ?? +(i === 1))); // prettier-ignore
  const gain = GAIN.exec(described);
  let name = described.slice(gain?.[0].length ?? 0);
  const numbers: number[] = [];
  for (let found; gain && numbers.length < 5 && (found = /^(-?\d+)(?:\s+|$)/.exec(name));) {
    numbers.push(Number(found[1]));
    name = name.slice(found[0].length);
  }
  // What could be understood in two ways is refused.
  const plain = gain
    ? /^-?\d*\.?\d*(e[+-]?\d+)?$/.test(gain[1]) && !gain[2]?.startsWith("+")
    : !/^-?[\d.]/.test(described);
  if (!plain || numbers[0] < 0 || (gain && numbers.length < 2 && /^-?\d/.test(name)))
    throw new Error(`gain or baseline of signal ${index + 1} cannot be understood`);
  const stated = gain?.[3] ?? "mV";
  return {
    ...{ file, format: String(format), samplesPerFrame, skew, offset, name },
    gain: Number(gain?.[1] ?? 0) || DEFAULT_GAIN,
    calibrated: Number(gain?.[1] ?? 0) !== 0,
    baseline: Number(gain?.[2] ?? numbers[1] ?? 0),
    initial: numbers[2] ?? 0,
    unit: millivolts(stated) === undefined ? stated : stated.replace(/[µμ]/, "u"),
  };
}

/** True if a comment states a unit with blanks, which its line has with `_`; it is applied. */
function isUnit(comment: string, signals: Described[]): boolean {
  const [, number, unit] = /^unit (\d{1,4}): (.*)$/.exec(comment) ?? [];
  const signal = signals[Number(number) - 1];
  if (!signal || unit.replaceAll(" ", "_") !== signal.unit) return false;
  signal.unit = unit;
  return true;
}
