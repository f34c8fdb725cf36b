import type { Recording } from "../recording.ts";
import { FormatError } from "./errors.ts";

/** What a reader finds. */
export type Parts = Omit<Recording, "name">;

/** What one reading is about: the file's name for messages, and the statements of the user. */
export interface Job {
  path: string;
  fs?: number;
  unit?: string;
  /** Millivolts in one `unit`. */
  scale?: number;
  warnings: string[];
}

export const NO_UNIT = "NU";

const MILLIVOLTS = new Map([
  ["nv", 1e-6],
  ["uv", 1e-3],
  ["µv", 1e-3],
  ["μv", 1e-3],
  ["mv", 1],
  ["v", 1e3],
]);

/** Millivolts per unit of voltage; undefined if it is none. */
export function millivolts(unit: string): number | undefined {
  return MILLIVOLTS.get(unit.trim().toLowerCase());
}

/** Check the user's statements. Throws FormatError. */
export function begin(path: string, { fs, unit }: { fs?: number; unit?: string }): Job {
  if (fs !== undefined && !(fs > 0 && fs < Infinity))
    throw new FormatError(path, `the sampling rate must be positive, got ${fs} Hz`);
  const found = unit && /^\s*([\d.]+(?:e[+-]?\d+)?)?\s*([a-zµμ]+)\s*$/i.exec(unit);
  const scale = found ? Number(found[1] ?? 1) * (millivolts(found[2]) ?? NaN) : undefined;
  if (unit !== undefined && !scale)
    throw new FormatError(
      path,
      `'${unit}' is not a unit of voltage; known are V, mV, uV, nV, and multiples such as 0.298uV`,
    );
  return { path, fs, unit, scale, warnings: [] };
}

export function warn(job: Job, text: string): void {
  job.warnings.push(`${job.path}: ${text}`);
}

/** Warn where the user's unit overrules others that the file states. */
export function warnUnit(job: Job, units: readonly string[]): void {
  const others = new Set(
    units.filter((unit) => unit && unit !== NO_UNIT && millivolts(unit) !== job.scale),
  );
  if (others.size)
    warn(job, `says ${[...others].sort().join(", ")}; unit=${job.unit} overrules it`);
}

const MAX_SAMPLES = 2 ** 31;
const MAX_GAPS = 16;
const FINE_GAPS = 2 ** 23;

/**
 * Refuse a recording of no samples, or of more than memory can hold, or with gaps out of proportion
 * to the `held` samples that the file has.
 */
export function checkSamples(path: string, samples: number, leads: number, held?: number): void {
  if (samples < 1 || leads < 1)
    throw new FormatError(
      path,
      `holds no signal (${Math.max(samples, 0)} samples of ${leads} leads)`,
    );
  if (samples * leads > MAX_SAMPLES)
    throw new FormatError(
      path,
      `announces ${samples} samples of ${leads} leads, more than memory can hold`,
    );
  if (held !== undefined && samples * leads > FINE_GAPS && samples - held > MAX_GAPS * held)
    throw new FormatError(
      path,
      `has gaps of ${samples - held} samples in all between the ${held} that are there; ` +
        "split it at its gaps",
    );
}

/** Refuse content that is implausibly larger than what is stored of it (bytes). */
export function checkExpansion(path: string, stored: number, expanded: number): void {
  if (expanded > Math.max(2 ** 27, 200 * stored))
    throw new FormatError(
      path,
      `${stored} bytes expand to ${expanded} or more, which no recording does; if you trust the ` +
        "file, expand it first",
    );
}
