/** Small statistics of the first rows of a table. */
import { quantile, sortedKnown } from "../core/numbers.ts";

/** Differences of neighbours. */
export function differences(values: ArrayLike<number>): Float64Array {
  const steps = new Float64Array(Math.max(values.length - 1, 0));
  for (let i = 0; i < steps.length; i++) steps[i] = values[i + 1] - values[i];
  return steps;
}

/** Share of the values for which something is true. */
export function share(values: Float64Array, test: (value: number) => boolean): number {
  let count = 0;
  for (const value of values) if (test(value)) count++;
  return count / values.length;
}

/** The item for which a key is least; the first of equals. */
export function least<T>(items: Iterable<T>, key: (item: T) => number[]): T | undefined {
  let best: T | undefined;
  let bestKey: number[] = [];
  for (const item of items) {
    const own = key(item);
    const at = own.findIndex((value, i) => value !== bestKey[i]);
    if (best === undefined || (at >= 0 && own[at] < bestKey[at])) [best, bestKey] = [item, own];
  }
  return best;
}

/** The most frequent value, and how often it occurs; the first of equals. */
export function mostCommon(values: readonly number[]): [value: number, times: number] {
  const times = new Map<number, number>();
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1);
  let best: [number, number] = [0, 0];
  for (const entry of times) if (entry[1] > best[1]) best = entry;
  return best;
}

/** The range from the 5th to the 95th percentile of the values that are not missing. */
export function spreadOf(values: Float64Array): number {
  const known = sortedKnown(values.filter(Number.isFinite));
  return known.length ? quantile(known, 0.95) - quantile(known, 0.05) : 0;
}
