/**
 * WFDB, the format of PhysioNet: a header `NAME.hea`, signal files, perhaps segments.
 *
 * Specification: https://wfdb.io/spec/signal-files/. Samples of all leads are interleaved; the
 * lowest value that a width can hold means a missing sample.
 */
import { fillGaps, LONGEST_LINE } from "../core/gaps.ts";
import { roundEven } from "../core/numbers.ts";
import { nearest, Resampler } from "../core/resample.ts";
import type { Lead } from "../recording.ts";
import { FormatError } from "./errors.ts";
import { checkExpansion, checkSamples, millivolts, type Job, type Parts } from "./job.ts";
import { bytesOf } from "./source.ts";
import { enumerated, general } from "./text.ts";
import { DEFAULT_GAIN, headerIn, type Described, type Header } from "./wfdb_header.ts";

const LONGEST = 2 ** 34;
const DECODED = 24;

/** Samples in a signal file: width in bits, bytes of so many samples, and the sample of an index. */
interface Format {
  bits: number;
  bytes: [bytes: number, samples: number];
  at: (view: DataView, index: number) => number;
}

const FORMATS: Record<string, Format> = {
  "80": { bits: 8, bytes: [1, 1], at: (view, i) => view.getUint8(i) - 128 },
  "310": { bits: 10, bytes: [4, 3], at: tens310 },
  "311": { bits: 10, bytes: [4, 3], at: tens311 },
  "212": { bits: 12, bytes: [3, 2], at: twelves },
  "16": { bits: 16, bytes: [2, 1], at: (view, i) => view.getInt16(2 * i, true) },
  "61": { bits: 16, bytes: [2, 1], at: (view, i) => view.getInt16(2 * i) },
  "160": { bits: 16, bytes: [2, 1], at: (view, i) => view.getUint16(2 * i, true) - 32768 },
  "24": {
    bits: 24,
    bytes: [3, 1],
    at: (view, i) => view.getUint16(3 * i, true) | (view.getInt8(3 * i + 2) << 16),
  },
  "32": { bits: 32, bytes: [4, 1], at: (view, i) => view.getInt32(4 * i, true) },
  "8": { bits: 16, bytes: [1, 1], at: (view, i) => view.getInt8(i) }, // differences
};
const COMPRESSED = ["508", "516", "524"];

/** A file that was given with the header, by its name; undefined if it was not. */
export type Beside = (name: string) => Promise<Blob | undefined>;

/** Read a record by its header. Throws FormatError. */
export async function readWfdb(job: Job, beside: Beside): Promise<Parts> {
  const header = await headerOf(job.path, beside);
  return header.segments ? joined(job, header, beside) : record(job, header, beside);
}

/** The names of the files that a header names. */
export async function companions(path: string, beside: Beside): Promise<string[]> {
  const header = await headerOf(path, beside);
  const parts = (header.segments ?? []).filter(([name]) => name !== "~");
  return [
    ...header.signals.map((signal) => neighbour(path, signal.file)),
    ...parts.map(([name]) => neighbour(path, `${name}.hea`)),
  ];
}

async function headerOf(path: string, beside: Beside): Promise<Header> {
  const blob = await beside(path);
  if (!blob)
    throw new FormatError(
      path,
      "there is no such header; a WFDB record is a .hea file and its signal files",
    );
  return headerIn(path, await bytesOf(blob));
}

/** The path of a file in the folder of another. */
function neighbour(path: string, name: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1) + name;
}

/** A record with its own signal files. */
async function record(job: Job, header: Header, beside: Beside): Promise<Parts> {
  const { path, signals } = header;
  const silent = signals.flatMap(({ calibrated, name, unit }, i) =>
    calibrated || millivolts(unit) === undefined ? [] : name || `lead ${i + 1}`,
  );
  if (silent.length)
    job.warnings.push(
      `${path}: states no gain of ${silent.join(", ")}; ${DEFAULT_GAIN} steps per mV are ` +
        "assumed, as WFDB does",
    );
  const files = [...new Set(signals.map((signal) => signal.file))];
  let { frames } = header;
  const decoded = new Map<Described, Float64Array>();
  for (const file of files) {
    const own = signals.filter((signal) => signal.file === file);
    const name = neighbour(path, file);
    const blob = await beside(name);
    if (!blob)
      throw new FormatError(
        name,
        `there is no such signal file; ${path.split("/").pop()} stores ${own.length} of its ` +
          `${signals.length} leads there`,
      );
    frames ??= framesIn(header, own, blob);
    check(header, name, own, blob, frames);
    const bytes = await bytesOf(blob, own[0].offset);
    decodeFile(own, new DataView(bytes.buffer), frames).forEach((x, i) => decoded.set(own[i], x));
  }
  const most = Math.max(...signals.map((signal) => signal.samplesPerFrame));
  const leads = signals.map((signal, i): Lead => {
    const { gain, baseline, unit } = signal;
    if (!(Math.abs(gain) > 1e-30 && Math.abs(gain) < Infinity))
      throw new FormatError(path, `a gain of ${general(gain)} steps per ${unit} is invalid`);
    const values = decoded.get(signal)!;
    const [scale, missing] = [millivolts(unit), missingIn(signal.format)];
    values.forEach((value, k) => {
      values[k] = value === missing ? NaN : ((value - baseline) / gain) * (scale ?? 1);
    });
    return {
      name: signal.name || `lead ${i + 1}`,
      unit: scale === undefined ? unit : "mV",
      samples: atHighest(values, header.fs, signal.samplesPerFrame, most),
      resolution: { gain, baseline, unit, bits: FORMATS[signal.format].bits },
    };
  });
  return { fs: header.fs * most, leads, start: header.start, comments: header.comments };
}

function framesIn(header: Header, own: readonly Described[], blob: Blob): number {
  const format = known(header, own[0]);
  const frame = own.reduce((sum, signal) => sum + signal.samplesPerFrame, 0);
  const [bytes, samples] = format.bytes;
  return Math.floor((Math.max(blob.size - own[0].offset, 0) * samples) / bytes / frame) || 0;
}

function known(header: Header, { format }: Described): Format {
  if (COMPRESSED.includes(format))
    throw new FormatError(
      header.path,
      `signal format ${format} is compressed (FLAC), which is not read here; the command reads it`,
    );
  if (!FORMATS[format])
    throw new FormatError(
      header.path,
      `signal format ${format} is unknown; known are ` +
        "80, 310, 311, 212, 16, 61, 160, 24, 32, 8, 508, 516, 524",
    );
  return FORMATS[format];
}

/** Compare the size of a signal file with what the header announces. */
function check(
  header: Header,
  name: string,
  own: readonly Described[],
  blob: Blob,
  frames: number,
): void {
  const format = known(header, own[0]);
  own.forEach((signal) => known(header, signal));
  const rates = own.map((signal) => signal.samplesPerFrame);
  const frame = rates.reduce((sum, rate) => sum + rate, 0);
  if (Math.min(...rates) < 1)
    throw new FormatError(header.path, `the WFDB header is malformed (${frame} samples a frame)`);
  const most = Math.max(...header.signals.map((signal) => signal.samplesPerFrame));
  checkExpansion(name, blob.size, frames * most * own.length * DECODED);
  const [bytes, samples] = format.bytes;
  const stored = Math.floor((Math.max(blob.size - own[0].offset, 0) * samples) / bytes);
  const found = Math.floor(stored / frame);
  if (found < frames)
    throw new FormatError(
      name,
      `the signal file is cut off: ${header.path.split("/").pop()} announces ${frames} samples a ` +
        `lead, ${found} are there; fetch it again, or correct the number in the header to read those`,
    );
  checkSamples(header.path, frames * most, header.signals.length);
}

/** The digital values of the signals in one file. */
function decodeFile(own: readonly Described[], view: DataView, frames: number): Float64Array[] {
  const { format } = own[0];
  const { at } = FORMATS[format];
  const values = own.map((signal) => new Float64Array(frames * signal.samplesPerFrame));
  let index = 0;
  for (let frame = 0; frame < frames; frame++)
    for (let i = 0; i < own.length; i++) {
      const per = own[i].samplesPerFrame;
      for (let k = frame * per; k < (frame + 1) * per; k++) values[i][k] = at(view, index++);
    }
  own.forEach(({ skew, samplesPerFrame, initial }, i) => {
    if (format === "8") values[i].reduce((sum, step, k) => (values[i][k] = sum + step), initial);
    if (!skew) return;
    values[i].copyWithin(0, skew * samplesPerFrame);
    values[i].fill(missingIn(format) ?? NaN, Math.max(frames - skew, 0) * samplesPerFrame);
  });
  return values;
}

function missingIn(format: string): number | undefined {
  return format === "8" ? undefined : -(2 ** (FORMATS[format].bits - 1));
}

function twelves(view: DataView, index: number): number {
  const at = 3 * (index >> 1);
  const middle = view.getUint8(at + 1);
  const value =
    index & 1
      ? view.getUint8(at + 2) | ((middle >> 4) << 8)
      : view.getUint8(at) | ((middle & 15) << 8);
  return (value << 20) >> 20;
}

function tens310(view: DataView, index: number): number {
  const at = 4 * Math.floor(index / 3);
  const byte = (k: number) => (at + k < view.byteLength ? view.getUint8(at + k) : 0);
  const place = index % 3;
  const value =
    place === 2
      ? ((byte(1) >> 3) & 31) | ((byte(3) >> 3) << 5)
      : (byte(2 * place) >> 1) | ((byte(2 * place + 1) & 7) << 7);
  return (value << 22) >> 22;
}

function tens311(view: DataView, index: number): number {
  const at = 4 * Math.floor(index / 3);
  const byte = (k: number) => (at + k < view.byteLength ? view.getUint8(at + k) : 0);
  const place = index % 3;
  const value =
    (byte(place) >> (2 * place)) |
    ((byte(place + 1) & ((4 << (2 * place)) - 1)) << (8 - 2 * place));
  return (value << 22) >> 22;
}

/** A lead brought to the highest rate of the record; `fs` is that of frames. */
function atHighest(lead: Float64Array, fs: number, own: number, most: number): Float64Array {
  if (own === most) return lead;
  const filter = new Resampler(fs * own, fs * most);
  const samples = (lead.length / own) * most;
  const filled = Float32Array.from(fillGaps(lead, Math.round(LONGEST_LINE * fs * own)));
  const result = Float64Array.from(filter.resample(filled, samples));
  return result.map((value, i) =>
    Number.isNaN(lead[nearest(i, filter.up, filter.down, lead.length)]) ? NaN : value,
  );
}

/**
 * The segments of a record, one after the other; what none of them holds is missing.
 *
 * Where the layout is fixed, all have the same leads in the same order; where it is variable, the
 * first segment has no samples, and leads are identified by name. A lead whose resolution changes
 * gets the finest.
 */
async function joined(job: Job, header: Header, beside: Beside): Promise<Parts> {
  const { parts, samples, fs } = await segments(job, header, beside);
  const fixed = header.segments![0][1] !== 0;
  const columns = new Map<number | string, Lead & { from: [number, Float64Array][] }>();
  for (const [start, part, name] of parts) {
    if (fixed) checkOrder(header.path, parts[0][1].leads, name, part.leads);
    part.leads.forEach((lead, i) => {
      const key = fixed ? i : lead.name;
      const column = columns.get(key) ?? { ...lead, from: [] };
      columns.set(key, column);
      column.from.push([start, lead.samples]);
      const step = (of: Lead) =>
        (millivolts(of.resolution!.unit) ?? 1) / Math.abs(of.resolution!.gain);
      if (step(lead) < step(column)) column.resolution = lead.resolution;
    });
  }
  const held = [...new Set(parts.map(([, part]) => part))].map(
    (part) => part.leads[0].samples.length,
  );
  checkSamples(
    header.path,
    samples,
    columns.size,
    held.reduce((sum, n) => sum + n, 0),
  );
  const leads = [...columns.values()].map(({ from, ...lead }): Lead => {
    const values = new Float64Array(samples).fill(NaN);
    for (const [start, own] of from) values.set(own, start);
    return { ...lead, samples: values };
  });
  return { fs, leads, start: header.start, comments: header.comments };
}

/** The segments that hold samples, each with its first sample; samples in all; their rate. */
async function segments(job: Job, header: Header, beside: Beside) {
  const { path, fs } = header;
  const opened = new Map<string, Parts>();
  const parts: [start: number, part: Parts, name: string][] = [];
  let [frame, rate] = [0, 1];
  for (const [name, frames] of header.segments!) {
    if (name !== "~" && frames) {
      const own = neighbour(path, `${name}.hea`);
      const known = opened.get(name) ?? (await segment(job, await headerOf(own, beside), beside));
      opened.set(name, known);
      rate = roundEven(known.fs / fs);
      const samples = known.leads[0].samples.length;
      if (known.fs !== rate * fs || samples !== rate * frames)
        throw new FormatError(
          path,
          `segment ${name} has ${samples} samples at ${general(known.fs)} Hz, not ${frames} at ` +
            `${general(fs)} Hz as announced`,
        );
      parts.push([frame * rate, known, name]);
    }
    frame += frames;
  }
  if (!parts.length) throw new FormatError(path, "none of its segments holds samples");
  if (new Set(parts.map(([, part]) => part.fs)).size > 1)
    throw new FormatError(path, "its segments have different sampling rates");
  if (frame * rate > LONGEST)
    throw new FormatError(path, `${frame * rate} samples a lead are longer than a year`);
  return { parts, samples: frame * rate, fs: parts[0][1].fs };
}

/** Refuse a segment of a fixed layout that has the leads of the first in another order. */
function checkOrder(path: string, first: Lead[], name: string, own: Lead[]): void {
  const [expected, found] = [first, own].map((leads) => leads.map((lead) => lead.name));
  const same = [...expected].sort().join("\n") === [...found].sort().join("\n");
  if (same && found.join("\n") !== expected.join("\n"))
    throw new FormatError(
      path,
      `segment ${name} has the leads ${enumerated(found)}, not ${enumerated(expected)} as the first`,
    );
}

async function segment(job: Job, header: Header, beside: Beside): Promise<Parts> {
  if (header.segments) throw new FormatError(header.path, "a segment cannot be made of segments");
  return record(job, header, beside);
}
