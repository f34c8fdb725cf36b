/** Missing samples (NaN), bridged for filters and networks. */

/** Seconds of a gap bridged by a straight line. */
export const LONGEST_LINE = 2;

/**
 * A copy of a lead without gaps.
 *
 * The last `limit` samples of a gap lie on a straight line to the sample after it; those of a longer
 * gap before them keep the value before it. A gap at the beginning takes the first known value, or 0
 * where it is longer than `limit`; one at the end the last known.
 */
export function fillGaps<T extends Float32Array | Float64Array>(lead: T, limit: number): T {
  const filled = lead.slice() as T;
  let last = -1; // index of the last known sample
  for (let i = 0; i <= lead.length; i++) {
    if (i < lead.length && Number.isNaN(lead[i])) continue;
    const gap = i - last - 1;
    if (gap) bridge(filled, last, i, Math.min(gap, limit), gap > limit);
    last = i;
  }
  return filled;
}

/** Fill the gap between two samples, of which either may lie outside of the lead. */
function bridge(
  lead: Float32Array | Float64Array,
  from: number,
  to: number,
  line: number,
  long: boolean,
): void {
  const after = to < lead.length ? lead[to] : from >= 0 ? lead[from] : 0;
  const before = from >= 0 ? lead[from] : long ? 0 : after;
  lead.fill(before, from + 1, to - line);
  const step = (after - before) / (line + 1);
  for (let t = 1; t <= line; t++) lead[to - line - 1 + t] = before + step * t;
}
