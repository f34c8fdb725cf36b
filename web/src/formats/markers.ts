/** Numbers that stand for missing samples in files whose format has no code for them. */
import { warn, type Job } from "./job.ts";

/** Numbers that programs write for a missing sample: rows of nines, ends of integer types. */
const MARKERS = new Set([
  ...[-999, 9999, -9999, 99999, -99999, 999999, -999999],
  ...[15, 16, 23, 24, 31, 32].map((bits) => 2 ** bits - 1),
  ...[15, 23, 31].map((bits) => -(2 ** bits)),
]);

/**
 * Put NaN in place of markers of missing samples in leads, as stored, with a warning.
 *
 * A number is a marker where it is further from all other values of the lead than these are from
 * each other. Where a lead has no other values, it is a flat line.
 */
export function withoutMarkers(job: Job, leads: readonly Float64Array[]): void {
  const found = new Set<number>();
  for (const lead of leads) {
    const [least, most] = range(lead, () => true);
    const marks = [least, most].filter((value) => MARKERS.has(value));
    const [low, high] = range(lead, (value) => !marks.includes(value));
    const isolated = marks.filter((mark) => Math.max(mark - high, low - mark) > high - low);
    if (!isolated.length || low > high) continue;
    isolated.forEach((mark) => found.add(mark));
    lead.forEach((value, i) => isolated.includes(value) && (lead[i] = NaN));
  }
  if (!found.size) return;
  const stated = [...found].sort((a, b) => a - b).join(" and ");
  warn(job, `values of ${stated}, far from all others, are taken as missing samples`);
}

/** Least and largest of the values that are known and wanted; Infinity and -Infinity for none. */
function range(values: Float64Array, wanted: (value: number) => boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values)
    if (!Number.isNaN(value) && wanted(value))
      [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}
