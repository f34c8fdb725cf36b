/** Reading and writing recordings in a browser or in Node, by the rules of the Python package. */
import type { Recording } from "../recording";
import { FormatError } from "./errors";

export { FormatError };

/** A file in an archive, which is expanded when it is read. */
export interface Entry {
  name: string;
  blob(): Promise<Blob>;
}

/** A file: from a browser, in memory, or in an archive. */
export type Given = File | { name: string; bytes: Uint8Array<ArrayBuffer> } | Entry;

/** Statements of the user about a file; they overrule what it says, with a warning. */
export interface ReadOptions {
  /** Sampling rate in Hz. */
  fs?: number;
  /** Unit of the stored values, "uV", "mV", "nV", "V", or of one step, such as "0.298uV". */
  unit?: string;
}

export type Need = "fs" | "unit";

/** A recording, or what the user has to state before there can be one. */
export type ReadResult =
  | { recording: Recording; warnings: string[] }
  | { needs: Need[]; message: string };

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
  void options;
  throw new FormatError(files[0]?.name ?? "", "is of no known format");
}

/** A recording as a table: `time (s)`, and a column a lead with its unit in the heading. */
export function writeCsv(recording: Recording): Blob {
  throw new FormatError(recording.name, "cannot be written yet");
}

/** A recording in EDF+, 16 bits a sample. Throws FormatError where EDF cannot hold it. */
export function writeEdf(recording: Recording): Blob {
  throw new FormatError(recording.name, "cannot be written yet");
}
