/**
 * AliveCor Kardia's JSON: the raw samples of KardiaMobile recorders, of one lead or six.
 *
 * Fields: https://developers.kardia.com. `data.raw` is the signal as it was recorded;
 * `data.enhanced`, which the vendor has filtered, is not read.
 */
import { localTime } from "./dates.ts";
import { FormatError, NeedError, reasonOf } from "./errors.ts";
import { checkSamples, warn, warnUnit, type Job, type Parts } from "./job.ts";
import { bytesOf } from "./source.ts";
import { general } from "./text.ts";

const LARGEST = 1 << 25;
const LEADS: Record<string, string> = { leadI: "I", leadII: "II", leadIII: "III", AVR: "aVR", AVL: "aVL", AVF: "aVF" }; // prettier-ignore

interface Raw {
  frequency?: unknown;
  amplitudeResolution?: unknown;
  gain?: unknown;
  samples?: Record<string, unknown>;
}

interface Content {
  recordedAt?: unknown;
  data?: { raw?: Raw };
  data12L?: unknown;
  algorithmDetermination?: unknown;
  note?: unknown;
  tags?: unknown;
}

/** Read the raw samples. Throws FormatError, and NeedError where the rate or a step is unknown. */
export async function readKardia(job: Job, blob: Blob): Promise<Parts> {
  const { path } = job;
  if (blob.size > LARGEST)
    throw new FormatError(path, `is larger than the ${LARGEST >> 20} MiB that are read of JSON`);
  let content: Content = {};
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await bytesOf(blob)));
  } catch (error) {
    throw new FormatError(path, `is not valid JSON (${reasonOf(error)})`);
  }
  if (content?.data12L !== undefined)
    throw new FormatError(path, "is of Kardia 12L, whose resolution its files do not state");
  if (content?.recordedAt === undefined || content.data?.raw === undefined)
    throw new FormatError(path, "is JSON, but no recording of Kardia, which alone is read here");
  const { raw } = content.data;
  const all = Object.entries(raw?.samples ?? {});
  const fs = number(raw.frequency) || job.fs;
  if (!fs || fs <= 0)
    throw new NeedError(path, "states no sampling rate (data.raw.frequency); give it (--fs)", [
      "fs",
    ]);
  const step = microvolts(job, raw);
  const isEmpty = (column: unknown) => Array.isArray(column) && !column.length;
  const empty = all.filter(([, column]) => isEmpty(column)).map(([name]) => LEADS[name] ?? name);
  if (empty.length === all.length)
    throw new FormatError(path, "holds no samples (data.raw.samples)");
  if (empty.length) warn(job, `without samples, left out: ${empty.join(", ")}`);
  const named = all.filter(([, column]) => !isEmpty(column));
  const columns = named.map(([name, column]) => values(path, name, column));
  // As elsewhere, the longest of leads of several lengths are the recording.
  const longest = Math.max(...columns.map((column) => column.length));
  return {
    fs,
    leads: named.flatMap(([name], i) => {
      const samples = columns[i].map((value) => (value * step) / 1000);
      const resolution = { gain: 1 / step, baseline: 0, unit: "uV", bits: 16 };
      const lead = { name: LEADS[name] ?? name, unit: "mV", samples, resolution };
      return samples.length === longest ? [lead] : [];
    }),
    start: localTime(String(content.recordedAt)),
    comments: comments(content),
  };
}

/** The size of a step in uV: given, in nV (`amplitudeResolution`), or of a `gain` per V. */
function microvolts(job: Job, raw: Raw): number {
  const nanovolts = number(raw.amplitudeResolution) ?? 0;
  const gain = number(raw.gain) ?? 0;
  const stated = nanovolts > 0 ? nanovolts / 1e3 : gain > 0 ? 1e6 / gain : 0;
  if (job.scale) {
    if (stated) warnUnit(job, [`steps of ${general(stated)} uV`]);
    return job.scale * 1e3;
  }
  if (stated) return stated;
  throw new NeedError(
    job.path,
    "states no amplitudeResolution; give the size of a step (--unit 0.5uV)",
    ["unit"],
  );
}

function values(path: string, name: string, column: unknown): Float64Array {
  if (!Array.isArray(column)) throw new FormatError(path, `the samples of ${name} are not a list`);
  checkSamples(path, column.length, 1);
  if (!column.every((value) => value === null || Number.isFinite(value)))
    throw new FormatError(path, `the samples of ${name} are not numbers`);
  return Float64Array.from(column as (number | null)[], (value) => value ?? NaN);
}

function number(value: unknown): number | undefined {
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  const result = value === "" ? NaN : Number(value);
  return Number.isFinite(result) ? result : undefined;
}

function comments({ algorithmDetermination, note, tags }: Content): string[] {
  const text = (value: unknown) =>
    ["string", "number"].includes(typeof value) ? String(value).trim().replace(/\s+/g, " ") : "";
  const said = {
    algorithm: text(algorithmDetermination),
    note: text(note),
    tags: Array.isArray(tags) ? tags.map(text).join(", ") : "",
  };
  return Object.entries(said).flatMap(([name, value]) => (value ? [`${name}: ${value}`] : []));
}
