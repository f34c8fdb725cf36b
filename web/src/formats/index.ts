/** Reading and writing recordings in a browser or in Node, by the rules of the Python package. */
import type { Recording } from "../recording.ts";
import { FormatError, NeedError, type Need } from "./errors.ts";
import { begin, NO_UNIT, warn, warnUnit, type Job } from "./job.ts";
import { blobOf, bytesOf, tablesIn, type Entry, type Given } from "./source.ts";
import { readTable } from "./table.ts";
import { general, oneLine, unique } from "./text.ts";

export { FormatError, type Entry, type Given, type Need };

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
  return files.map((file) => [file]);
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
  const job = begin(files[0].name, options);
  try {
    const found = await readTable(job, await blobOf(files[0]));
    const names = found.leads.map((lead) => oneLine(lead.name));
    const own = unique(names);
    const recording = {
      ...found,
      name: job.path,
      leads: found.leads.map((lead, i) => ({
        ...lead,
        name: own[i],
        unit: oneLine(lead.unit) || NO_UNIT,
      })),
      comments: found.comments.map(oneLine),
    };
    return { recording, warnings: job.warnings };
  } catch (error) {
    if (error instanceof NeedError)
      return { needs: error.needs, message: error.message, likelyUnit: error.likely };
    if (error instanceof FormatError) throw error;
    throw error;
  }
}

/** A recording as a table: `time (s)`, and a column a lead with its unit in the heading. */
export function writeCsv(recording: Recording): Blob {
  throw new FormatError(recording.name, "cannot be written yet");
}

/** A recording in EDF+, 16 bits a sample. Throws FormatError where EDF cannot hold it. */
export function writeEdf(recording: Recording): Blob {
  throw new FormatError(recording.name, "cannot be written yet");
}
