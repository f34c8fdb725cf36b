/** Reading and writing recordings in a browser or in Node, by the rules of the Python package. */
import type { Lead, Recording } from "../recording.ts";
import { isEdf, readEdf } from "./edf.ts";
import { FormatError, NeedError, reasonOf, type Need } from "./errors.ts";
import { begin, millivolts, NO_UNIT, warn, type Job, type Parts } from "./job.ts";
import { readKardia } from "./kardia.ts";
import { blobOf, bytesOf, tablesIn, type Entry, type Given } from "./source.ts";
import { readTable } from "./table.ts";
import { general, latin1, oneLine, unique } from "./text.ts";
import { overruled } from "./units.ts";
import { companions, readWfdb, type Beside } from "./wfdb.ts";

export { writeCsv } from "./csv_writer.ts";
export { writeEdf } from "./edf_writer.ts";
export { FormatError, type Entry, type Given, type Need };

const TABLE = /\.((csv|tsv|txt)(\.gz)?|lvm)$/i;
const READ = "CSV and other tables of text, EDF, BDF, WFDB, and JSON of Kardia";

/** Statements of the user about a file; they overrule what it says, with a warning. */
export interface ReadOptions {
  /** Sampling rate in Hz. */
  fs?: number;
  /** Unit of the stored values, "uV", "mV", "nV", "V", or of one step, such as "0.298uV". */
  unit?: string;
}

/** A recording, or what the user has to state before there can be one. */
export type ReadResult =
  | { recording: Recording; warnings: string[] }
  | { needs: Need[]; message: string; likelyUnit?: string };

/**
 * Part files into those of one recording each, to be given to `read` one by one: a WFDB header and
 * its signal files belong together, and each table in a zip archive stands for itself.
 *
 * Throws FormatError for a broken archive.
 */
export async function recordings(files: readonly Given[]): Promise<Given[][]> {
  const records = new Map<Given, Set<Given>>();
  const beside = besideOf(files);
  for (const file of files) {
    if (!/\.hea$/i.test(file.name)) continue;
    const names = await family(file.name, beside);
    records.set(
      file,
      new Set(files.filter((other) => other !== file && names.has(other.name.toLowerCase()))),
    );
  }
  const claimed = new Set([...records.values()].flatMap((others) => [...others]));
  const groups: Given[][] = [];
  for (const file of files) {
    if (claimed.has(file)) continue;
    const record = records.get(file);
    const archive = !record && (await isArchive(file)) && (await blobOf(file));
    const tables = archive ? await tablesIn(file.name, archive) : [];
    if (tables.length) groups.push(...tables.map((table) => [table]));
    else if (record) groups.push([file, ...record]);
    else if (!isAnnotation(file, records.keys())) groups.push([file]);
  }
  return groups;
}

/**
 * Read the recording in a file, or in files that belong together; voltages become mV.
 *
 * Throws FormatError, whose message is one line that begins with the file's name: no format is
 * known, the file is broken, or a companion of it is missing.
 */
export async function read(
  files: readonly Given[],
  options: ReadOptions = {},
): Promise<ReadResult> {
  if (!files.length) throw new FormatError("nothing", "there is no file");
  const groups = await recordings(files);
  const [main] = groups[0] ?? files;
  if (groups.length > 1)
    throw new FormatError(
      files[0].name,
      files.length === 1
        ? `holds ${groups.length} tables; name one of them: ${main.name}`
        : `is one of ${groups.length} recordings; read them one by one`,
    );
  const job = begin(main.name, options);
  try {
    const recording = finished(job, await partsOf(job, main, besideOf(files)));
    return { recording, warnings: job.warnings };
  } catch (error) {
    if (error instanceof NeedError)
      return { needs: error.needs, message: error.message, likelyUnit: error.likely };
    if (error instanceof FormatError) throw error;
    if (error instanceof RangeError) throw new FormatError(job.path, "does not fit into memory");
    const name = error instanceof Error ? error.name : "error";
    throw new FormatError(job.path, `is broken (${name}: ${reasonOf(error)})`);
  }
}

/** What a file holds, by its content, and by its suffix if the content is ambiguous. */
async function partsOf(job: Job, main: Given, beside: Beside): Promise<Parts> {
  const { path } = job;
  const header = path.replace(/\.(hea|dat)$/i, ".hea");
  if (header !== path || /\.hea$/i.test(path))
    return withUnit(job, withRate(job, await readWfdb({ ...job, path: header }, beside)));
  const blob = await blobOf(main);
  if (!blob.size) throw new FormatError(path, "is empty");
  const head = await bytesOf(blob, 0, 8);
  if (isEdf(head)) return withUnit(job, withRate(job, await readEdf(job, blob)));
  if (/\.(edf|bdf|rec)$/i.test(path))
    throw new FormatError(path, `the EDF header is malformed (b'${latin1(head)}')`);
  if (/\.json$/i.test(path)) return withRate(job, await readKardia(job, blob));
  if (TABLE.test(path)) return withRate(job, await readTable(job, blob));
  throw new FormatError(path, `is of no format that is read here: ${READ}; the command reads more`);
}

/** Apply the rate that the user states. */
function withRate(job: Job, parts: Parts): Parts {
  const { fs } = job;
  if (!fs || Math.abs(fs - parts.fs) <= 1e-9 * fs) return parts;
  warn(job, `says ${general(parts.fs)} Hz; fs=${general(fs)} overrules it`);
  return { ...parts, fs };
}

/** Apply the unit that the user states. Throws NeedError where there is none. */
function withUnit(job: Job, parts: Parts): Parts {
  const { scale } = job;
  const stored = (lead: Lead) => lead.resolution?.unit ?? lead.unit;
  const open = parts.leads.filter((lead) => (oneLine(lead.unit) || NO_UNIT) === NO_UNIT);
  if (!scale) {
    if (open.length && !parts.leads.some((lead) => lead.unit === "mV"))
      throw new NeedError(
        job.path,
        `says no unit of ${open.map((lead) => lead.name).slice(0, 12).join(", ")}; state it (unit=, --unit)`, // prettier-ignore
        ["unit"],
      );
    return parts;
  }
  const own = overruled(
    job,
    parts.leads.map((lead) => ({ name: lead.name, unit: stored(lead) })),
  );
  const leads = parts.leads.map((lead, i): Lead => {
    const { name, unit } = lead;
    if (!own[i]) return lead;
    const factor = scale / ((unit === "mV" && millivolts(stored(lead))) || 1);
    return { name, unit: "mV", samples: lead.samples.map((value) => value * factor) };
  });
  return { ...parts, leads };
}

/** The recording of what a reader found: its texts on one line each, names of leads unique. */
function finished(job: Job, parts: Parts): Recording {
  const { fs, leads, start, comments } = parts;
  if (!(fs > 0 && fs < Infinity))
    throw new FormatError(job.path, `the sampling rate must be positive, got ${fs} Hz`);
  const names = unique(leads.map((lead) => oneLine(lead.name)));
  return {
    name: job.path
      .split("/")
      .pop()!
      .replace(/(?<=.)\.[^.]+(\.gz)?$/i, ""),
    fs,
    leads: leads.map((lead, i) => ({
      ...lead,
      name: names[i],
      unit: oneLine(lead.unit) || NO_UNIT,
    })),
    start,
    comments: comments.map(oneLine),
  };
}

/** Finds a file by its name, in any case. */
function besideOf(files: readonly Given[]): Beside {
  const named = new Map(files.map((file) => [file.name.toLowerCase(), file]));
  return async (name) => {
    const file = named.get(name.toLowerCase());
    return file && blobOf(file);
  };
}

/** The lower-case names of the files that belong to a header, those of its segments included. */
async function family(header: string, beside: Beside): Promise<Set<string>> {
  const names = new Set<string>();
  const add = async (path: string) => {
    for (const name of await companions(path, beside).catch(() => [])) {
      if (names.has(name.toLowerCase())) continue;
      names.add(name.toLowerCase());
      if (name.endsWith(".hea")) await add(name);
    }
  };
  await add(header);
  return names;
}

/** True if a file lies beside a header of its name, as annotations do, which are not read. */
function isAnnotation(file: Given, headers: Iterable<Given>): boolean {
  const stem = (name: string) => name.replace(/\.[^./]*$/, "");
  const known = TABLE.test(file.name) || /\.(edf|bdf|rec|json|zip)$/i.test(file.name);
  return !known && [...headers].some((header) => stem(header.name) === stem(file.name));
}

async function isArchive(file: Given): Promise<boolean> {
  if (!("bytes" in file || file instanceof Blob)) return false;
  const [p, k, three, four] = await bytesOf(await blobOf(file), 0, 4);
  return p === 0x50 && k === 0x4b && three === 3 && four === 4;
}
