/** Segments of a lead that are not good, and verdicts, in the words of the command. */
import type { Verdict } from "../recording.ts";
import type { Outcome } from "../worker.ts";
import { clock } from "./dom.ts";

export const GRADES = ["good", "limited", "unusable"] as const;

/** Seconds `start` to `stop` of a lead that have the same grade for the same reason. */
export interface Segment {
  start: number;
  stop: number;
  grade: (typeof GRADES)[number];
  reason: string;
}

/** The segments of each lead that are limited or unusable, in a recording of `duration` s. */
export function segmentsOf({ grades, reasons }: Outcome, duration: number): Segment[][] {
  return grades.map((grade, lead) => {
    const found: Segment[] = [];
    grade.forEach((value, second) => {
      if (value !== 1 && value !== 2) return;
      const stop = second + 1 === grade.length ? duration : second + 1;
      const last = found.at(-1);
      const reason = reasons[lead][second];
      if (last?.stop === second && last.reason === reason) last.stop = stop;
      else found.push({ start: second, stop, grade: GRADES[value], reason });
    });
    return found;
  });
}

/** A segment as "0:07 to 0:12 unusable (motion)". */
export function describe({ start, stop, grade, reason }: Segment, duration: number): string {
  return `${clock(start, duration)} to ${clock(stop, duration)} ${grade} (${reason})`;
}

/** A share in per cent, never rounded to all or nothing. */
export function percent(share: number): string {
  const rounded = String(Math.round(100 * share));
  if (rounded === "0" && share > 0) return "<1 %";
  if (rounded === "100" && share < 1) return ">99 %";
  return `${rounded} %`;
}

/** The most frequent reasons of seconds that are not good, or why the lead is unchanged. */
export function remark({ why, reasons }: Verdict): string {
  if (why) return `left unchanged: ${why}`;
  const ordered = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  return ordered
    .slice(0, 3)
    .map(([reason, seconds]) => `${reason} ${seconds} s`)
    .join(", ");
}

/** Warning about a recording whose comments say that it was denoised, if they do. */
export function cleanedBefore(comments: string[]): string[] {
  const before = comments.filter((comment) => comment.startsWith("Cleaned by ")).at(-1);
  if (!before) return [];
  return [`denoised before (${before}): its grades are of what was left, not of the recording`];
}
