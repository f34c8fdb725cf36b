/** Measures of one lead per second, sufficient to judge its quality; see ipmdae.seconds. */
import { median, roundEven, tabulate } from "./numbers.ts";

/** Time in s at one value after which a signal counts as flat. */
const FLAT = 0.5;
/** Share of a second in which a level of trust applies to the whole second. */
const QUARTER = 0.25;

/** Degree of trust in a network's output at a sample. */
export const Trust = { GOOD: 0, LIMITED: 1, ALTERED: 2, UNTRUSTED: 3 } as const;

/** Measures of a second, in mV; NaN without samples. */
export interface Second {
  /** Share of samples that are missing. */
  missing: number;
  low: number;
  middle: number;
  high: number;
  /** Longest time at the lowest or highest value, in s; 0 for less than three samples. */
  lowHeld: number;
  highHeld: number;
  /** True if the lead stays at one value for half a second. */
  flat: boolean;
  cleanedLow: number;
  cleanedHigh: number;
  /** Worst Trust that applies to a quarter of the second. */
  trust: number;
  /** Root mean square of the removed noise, and its mean. */
  removed: number;
  removedMean: number;
}

/**
 * First sample of each second, and the number of samples: a rest longer than half a second is a
 * second of its own, and otherwise belongs to the one before.
 */
export function edgesOf(samples: number, fs: number): number[] {
  const count = Math.max(roundEven(samples / fs), 1);
  return [...Array.from({ length: count }, (_, i) => roundEven(i * fs)), samples];
}

/** Measure a lead: `noisy` and `cleaned` samples in mV, and a Trust for each, if known. */
export function measure(
  noisy: Float64Array,
  cleaned: Float64Array,
  trust: Uint8Array | null,
  fs: number,
): Second[] {
  const edges = edgesOf(noisy.length, fs);
  return edges.slice(1).map((stop, i) => {
    const before = noisy.subarray(edges[i], stop);
    const after = cleaned.subarray(edges[i], stop);
    const [low, high] = extremes(before);
    const [cleanedLow, cleanedHigh] = extremes(after);
    return {
      missing: missingShare(before),
      low,
      middle: median(thinned(before, Math.max(Math.trunc(fs / 64), 1))),
      high,
      lowHeld: held(before, low, fs),
      highHeld: held(before, high, fs),
      flat: longest(before, (value, t) => value === before[t - 1]) >= Math.max(Math.ceil(FLAT * fs) - 1, 1), // prettier-ignore
      cleanedLow,
      cleanedHigh,
      trust: trust ? worst(trust.subarray(edges[i], stop)) : Trust.GOOD,
      ...difference(before, after),
    };
  });
}

function missingShare(values: Float64Array): number {
  let missing = 0;
  for (const value of values) if (Number.isNaN(value)) missing++;
  return 1 - (values.length - missing) / Math.max(values.length, 1);
}

function extremes(values: Float64Array): [low: number, high: number] {
  let low = NaN;
  let high = NaN;
  for (const value of values) {
    if (!(value >= low)) low = Number.isNaN(value) ? low : value;
    if (!(value <= high)) high = Number.isNaN(value) ? high : value;
  }
  return [low, high];
}

function thinned(values: Float64Array, step: number): Float64Array {
  return tabulate(Math.ceil(values.length / step), (i) => values[i * step]);
}

/** Longest time in s at a value; 0 for less than three samples. */
function held(values: Float64Array, at: number, fs: number): number {
  const samples = longest(values, (value) => value === at);
  return samples < 3 ? 0 : samples / fs;
}

/** Length of the longest run of samples with a property. */
function longest(values: Float64Array, holds: (value: number, t: number) => boolean): number {
  let [run, most] = [0, 0];
  values.forEach((value, t) => {
    run = holds(value, t) ? run + 1 : 0;
    most = Math.max(most, run);
  });
  return most;
}

function worst(trust: Uint8Array): number {
  const counts = [0, 0, 0, 0];
  for (const level of trust) counts[level]++;
  return counts.findLastIndex((count, level) => !level || count >= QUARTER * trust.length);
}

function difference(before: Float64Array, after: Float64Array) {
  const known = before.map((value, t) => value - after[t]).filter((x) => !Number.isNaN(x));
  const squares = known.reduce((sum, value) => sum + value * value, 0);
  const sum = known.reduce((sum, value) => sum + value, 0);
  return { removed: Math.sqrt(squares / known.length), removedMean: sum / known.length };
}
