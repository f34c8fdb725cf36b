import { visible } from "./text.ts";

const LONGEST = 400;

/** A file that cannot be read or written as a recording; the message is one line. */
export class FormatError extends Error {
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`${printable(path)}: ${printable(reason.trim().replace(/\s+/g, " "))}`);
    this.name = "FormatError";
    this.path = path;
    this.reason = reason;
  }
}

export type Need = "fs" | "unit";

/** A file that lacks what only the user can state. */
export class NeedError extends FormatError {
  readonly needs: Need[];
  /** Unit that the values are in by their size. */
  readonly likely?: string;

  constructor(path: string, reason: string, needs: Need[], likely?: string) {
    super(path, reason);
    this.needs = needs;
    this.likely = likely;
  }
}

/** The message of a library's error on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replace(/\s+/g, " ").slice(0, 200) || "unknown";
}

function printable(text: string): string {
  return visible(text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}...`);
}
