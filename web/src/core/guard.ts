/**
 * The guard: restores what a network removes without evidence of noise, window by window; see
 * ipmdae.pipeline.guard for the reasons and the sources of its constants.
 */
import { removedBeats } from "./beats.ts";
import { filterPair, powers } from "./fourier.ts";
import { clip, roundEven, spread, tabulate } from "./numbers.ts";

/** Predicted standard deviation of the error, relative to the QRS complex, that is not trusted. */
const DOUBT = 0.07;
/** Predicted error, relative to DOUBT, from which a filter's output is shown in its place. */
const REPLACED = 0.09 / DOUBT;
/** Predicted error, relative to DOUBT, from which on small waves may be lost. */
export const LIMITED = 0.75;
/** Mark where small waves may be lost or noise left, above LIMITED by more than the rounding of cross-fades. */
const MARK = LIMITED + 1e-5;
/** Removed root mean square up to 15 Hz, relative to the QRS complex, from which on they may be. */
const LOSS = 0.01;
/** Restored root mean square up to 15 Hz, likewise, from which on noise may be left. */
const LEFT = 0.02;
/** Chunks on both sides over which these are taken. */
const AROUND = 6;
/** Transition in Hz between baseline wander and the band that the guard monitors. */
const SPLIT = [0.5, 0.9] as const;
/** Transition in Hz between the guard's two bands: rhythms below, muscle noise above. */
const BORDER = [12, 18] as const;
/** Limit above 15 Hz, relative to that below. */
const SHARP = 0.25;
/** Edges in Hz of the band-pass filter for unreadable segments. */
const CLASSICAL = [
  [0.4, 0.6],
  [35, 45],
] as const;
/** Steps of the running median, and its span, in s. */
const STEP = 0.04;
const MEDIAN = 0.6;
/** Seconds over which the root mean square of the removed noise is taken. */
const CHUNK = 0.25;
/** Seconds over which a percentile of these is taken, and that percentile. */
const SPAN = 6;
const PERCENTILE = 0.4;
/** Frequencies in Hz of flutter and fibrillation, and half the width of their spectral lines. */
const PERIODIC = [3, 10] as const;
const NARROW = 0.6;
/** Least share of the power from 2 to 20 Hz in such a line and its harmonics. */
const CONCENTRATION = 0.6;
/** Least root mean square of such a line, relative to the QRS complex. */
const LEAST_LINE = 0.005;
/** Restored share above which the network counts as having changed the baseline only. */
const OPEN = 0.95;
/** Least height in mV of a QRS complex for a noise measure, and for any measure. */
const SMALL = 0.2;
const SMALLEST = 0.05;
/** A second holds a QRS if its range is this share of that quantile of the ranges per second. */
const [WITH_BEAT, UPPER] = [0.3, 0.75];

/** A guarded window. */
export interface Guarded {
  /** The result in mV. */
  signal: Float64Array;
  /** Restored share of the noise removed above 15 Hz. */
  gain: Float64Array;
  /** Predicted error relative to DOUBT, at least LIMITED where small waves may be lost. */
  doubt: Float64Array;
  /** 1 where a periodic component or a beat was restored, else 0. */
  altered: Float64Array;
  /** Predicted error in mV, averaged over about a second; see ipmdae.pipeline.guard. */
  error: Float64Array;
}

/** Limits on the changes of a network. */
export interface Limits {
  /** See GUARDS. */
  guard: number;
  /** Replace unreadable segments by the output of a band-pass filter from 0.5 to 40 Hz. */
  classical: boolean;
}

/** The guard for windows of one length. */
export class Guard {
  readonly #time: number;
  readonly #fs: number;
  readonly #limits: Limits;
  readonly #chunks: Grid;
  readonly #steps: Grid;
  readonly #filter: Filter;
  readonly #hann: Float64Array;

  constructor(time: number, fs: number, limits: Limits) {
    this.#time = time;
    this.#fs = fs;
    this.#limits = limits;
    this.#chunks = new Grid(time, fs, CHUNK);
    this.#steps = new Grid(time, fs, STEP);
    this.#filter = new Filter(time, fs);
    this.#hann = tabulate(time, (t) => 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / (time - 1)));
  }

  /**
   * Restore what a network removed without evidence, and replace unreadable segments.
   *
   * `noisy` and `cleaned` are a window before and after the network in mV, `sd` the predicted
   * standard deviation of its error, if there is one.
   */
  run(noisy: Float32Array, cleaned: Float32Array, sd: Float32Array | null): Guarded {
    const { guard, classical } = this.#limits;
    const grid = this.#chunks;
    const { middle, sharp } = this.#bands(noisy, cleaned);
    const size = heightOf(cleaned, middle, this.#fs, grid, guard);
    const height = Math.max(size, SMALL);
    const quiet = gainOf(middle, height, grid, guard);
    const open = grid.expanded(quiet);
    const gain = grid.expanded(gainOf(sharp, height, grid, guard * SHARP));
    const signal = new Float64Array(cleaned);
    const rest = new Float64Array(this.#time);
    for (let t = 0; t < rest.length; t++) {
      const given = open[t] * middle[t] + gain[t] * sharp[t];
      signal[t] += given;
      rest[t] = middle[t] + sharp[t] - given;
    }
    const slow = tabulate(this.#time, (t) => (1 - open[t]) * middle[t]);
    const kept = tabulate(this.#time, (t) => open[t] * middle[t]);
    const altered = new Float64Array(this.#time);
    this.#restorePeriodic(signal, rest, slow, altered, size);
    const error = sd ? errorOf(sd, size, grid) : new Float64Array(grid.count);
    const doubt = error.map((value) => value / (DOUBT * size));
    // Where everything is restored, the output that would be replaced is not the network's.
    const distrust = doubt.map((level, i) => Number(level >= REPLACED && quiet[i] < OPEN));
    const rejected = average(distrust, 2).map((share) => Number(share > 0));
    this.#restoreBeats(signal, rest, slow, altered, size, grid.expanded(rejected));
    if (classical && rejected.includes(1)) this.#replace(signal, noisy, rejected);
    const [lost, left] = [limits(slow, LOSS * height, grid), limits(kept, LEFT * height, grid)];
    // A filter leaves noise of any size.
    const shown = error.map((value, i) => (rejected[i] ? size : value));
    const levels = grid.expanded(doubt).map((level, t) => Math.max(level, lost[t], left[t]));
    return { signal, gain, doubt: levels, altered, error: grid.expanded(shown) };
  }

  /** Removed noise other than baseline wander, in two bands: up to 15 Hz, and above. */
  #bands(
    noisy: Float32Array,
    cleaned: Float32Array,
  ): { middle: Float64Array; sharp: Float64Array } {
    const removed = tabulate(this.#time, (t) => noisy[t] - cleaned[t]);
    // A wave shorter than half the span of the median does not affect it.
    const reach = roundEven(MEDIAN / STEP / 2);
    const median = running(this.#steps.means(removed), reach, reach, held);
    const filter = this.#filter;
    const [wander, sharp] = filter.pair(
      [this.#steps.expanded(median), removed],
      [filter.wander, filter.sharp],
    );
    for (let t = 0; t < removed.length; t++) removed[t] -= wander[t] + sharp[t];
    return { middle: removed, sharp };
  }

  /** Restore the periodic part of the removed noise where it dominates, and mark it. */
  #restorePeriodic(
    signal: Float64Array,
    rest: Float64Array,
    slow: Float64Array,
    altered: Float64Array,
    size: number,
  ): void {
    const time = this.#time;
    const { guard } = this.#limits;
    if (time < 4 * this.#fs || guard === 0 || guard === Infinity) return;
    const windowed = tabulate(time, (t) => rest[t] * this.#hann[t]);
    const power = powers(windowed, new Float64Array(time));
    // Bins at the ends of a line count by the rounding of this product.
    const step = 1 / (time * (1 / this.#fs));
    const frequency = (k: number) => k * step;
    const width = Math.max(roundEven((NARROW * time) / this.#fs), 1);
    const peak = frequency(strongest(power, width, frequency));
    let [total, strength] = [0, 0];
    const lines = power.map((value, k) => {
      const f = frequency(k);
      const near = [1, 2, 3].some((multiple) => Math.abs(f - multiple * peak) <= NARROW);
      if (f >= 2 && f <= 20) total += value;
      if (near) strength += value;
      return Number(near);
    });
    // Under a Hann window a line keeps three eighths of its mean square.
    const level = Math.sqrt((strength * 2) / (3 / 8)) / time;
    if (!(strength > CONCENTRATION * total && level > LEAST_LINE * size)) return;
    const periodic = rest.slice();
    filterPair(periodic, new Float64Array(time), lines, lines);
    for (let t = 0; t < time; t++) {
      signal[t] += periodic[t];
      rest[t] -= periodic[t];
      slow[t] -= periodic[t];
    }
    altered.fill(1);
  }

  /** Restore beats that the network removed, and mark them; not in unreadable segments. */
  #restoreBeats(
    signal: Float64Array,
    rest: Float64Array,
    slow: Float64Array,
    altered: Float64Array,
    size: number,
    rejected: Float64Array,
  ): void {
    const beats = removedBeats(signal, rest, size, this.#fs);
    if (!beats) return;
    for (let t = 0; t < signal.length; t++) {
      const weight = beats[t] * (1 - rejected[t]);
      signal[t] += weight * rest[t];
      slow[t] *= 1 - weight;
      if (weight > 0) altered[t] = 1;
    }
  }

  /** Replace rejected chunks by the output of the band-pass filter. */
  #replace(signal: Float64Array, noisy: Float32Array, rejected: Float64Array): void {
    const weight = this.#chunks.expanded(average(rejected, 1));
    const { classical } = this.#filter;
    const [band] = this.#filter.pair([noisy, noisy], [classical, classical]);
    for (let t = 0; t < signal.length; t++) signal[t] += weight[t] * (band[t] - signal[t]);
  }
}

type Samples = Float32Array | Float64Array;

/** Zero-phase filters for windows, which are extended by point reflection at both ends. */
class Filter {
  /** Gains for each frequency. */
  readonly wander: Float64Array;
  readonly sharp: Float64Array;
  readonly classical: Float64Array;
  readonly #time: number;
  readonly #margin: number;

  constructor(time: number, fs: number) {
    this.#time = time;
    this.#margin = Math.min(roundEven(2 * fs), time - 1);
    const length = time + 2 * this.#margin;
    const gain = (of: (frequency: number) => number) =>
      tabulate((length >> 1) + 1, (k) => of((k * fs) / length));
    const [low, high] = CLASSICAL;
    this.wander = gain((frequency) => 1 - rise(frequency, ...SPLIT));
    this.sharp = gain((frequency) => rise(frequency, ...BORDER));
    this.classical = gain((frequency) => rise(frequency, ...low) - rise(frequency, ...high));
  }

  /** Two windows through a filter each. */
  pair(
    [first, second]: readonly [Samples, Samples],
    [firstGain, secondGain]: readonly [Float64Array, Float64Array],
  ): [Float64Array, Float64Array] {
    const [a, b] = [this.#extended(first), this.#extended(second)];
    filterPair(a, b, firstGain, secondGain);
    const stop = this.#margin + this.#time;
    return [a.subarray(this.#margin, stop), b.subarray(this.#margin, stop)];
  }

  #extended(window: Samples): Float64Array {
    const margin = this.#margin;
    const last = this.#time - 1;
    const result = new Float64Array(this.#time + 2 * margin);
    result.set(window, margin);
    for (let i = 1; i <= margin; i++) {
      result[margin - i] = 2 * window[0] - window[i];
      result[margin + last + i] = 2 * window[last] - window[last - i];
    }
    return result;
  }
}

/** 0 below `low` Hz, 1 above `high`, a raised cosine between. */
function rise(frequency: number, low: number, high: number): number {
  return Math.sin((Math.PI / 2) * clip((frequency - low) / (high - low), 0, 1)) ** 2;
}

/** Predicted error in mV, averaged over about a second, for each chunk. */
function errorOf(sd: Float32Array, size: number, grid: Grid): Float64Array {
  // An error above the height of the QRS is clipped, so that it does not dominate its seconds.
  return average(grid.means(tabulate(sd.length, (t) => Math.min(sd[t], size))), 2);
}

/** MARK where the root mean square of the noise reaches a limit, 0 elsewhere, for each sample. */
function limits(noise: Float64Array, limit: number, grid: Grid): Float64Array {
  const power = average(grid.means(noise.map((value) => value * value)), AROUND);
  return grid.expanded(power.map((mean) => (Math.sqrt(mean) >= limit ? MARK : 0)));
}

/**
 * Height of the QRS complex: median of the ranges per second. Seconds without a signal do not count,
 * nor do those without a beat where little is `removed` up to 15 Hz throughout.
 */
function heightOf(
  cleaned: Float32Array,
  removed: Float64Array,
  fs: number,
  grid: Grid,
  limit: number,
): number {
  const second = Math.min(roundEven(fs), cleaned.length);
  const ranges: number[] = [];
  for (let t = 0; t + second <= cleaned.length; t += second)
    ranges.push(spread(cleaned.subarray(t, t + second)));
  ranges.sort((a, b) => a - b);
  const upper = Math.fround(Math.fround(WITH_BEAT) * ranges[Math.floor(UPPER * ranges.length)]);
  const size = medianAbove(ranges, SMALLEST);
  const beat = medianAbove(ranges, Math.max(upper, SMALLEST));
  if (!(beat > size)) return size;
  const restored = gainOf(removed, Math.max(beat, SMALL), grid, limit);
  return restored.every((share) => share >= OPEN) ? beat : size;
}

/** Lower median of those of the ascending ranges that are above `least`. */
function medianAbove(ranges: readonly number[], least: number): number {
  const above = ranges.filter((range) => range > least);
  return above.length ? above[(above.length - 1) >> 1] : SMALLEST;
}

/** A window in chunks of a fraction of a second, in which slow quantities are computed. */
class Grid {
  readonly count: number;
  readonly #time: number;
  readonly #chunk: number;
  /** For each sample the chunk whose middle is before it, and the share of the next one. */
  readonly #left: Float64Array;
  readonly #share: Float64Array;

  constructor(time: number, fs: number, seconds: number) {
    this.#time = time;
    this.#chunk = Math.min(Math.max(roundEven(seconds * fs), 1), time);
    this.count = Math.ceil(time / this.#chunk);
    const place = tabulate(time, (t) => clip((t + 0.5) / this.#chunk - 0.5, 0, this.count - 1));
    this.#left = place.map((at) => Math.min(Math.floor(at), Math.max(this.count - 2, 0)));
    this.#share = place.map((at, t) => at - this.#left[t]);
  }

  /** Mean of each chunk; the last one is padded with its last value. */
  means(values: Float64Array): Float64Array {
    const last = values[this.#time - 1];
    return tabulate(this.count, (i) => {
      let sum = 0;
      const stop = (i + 1) * this.#chunk;
      for (let t = i * this.#chunk; t < stop; t++) sum += t < this.#time ? values[t] : last;
      return sum / this.#chunk;
    });
  }

  /** A value for each sample, linear between the middles of chunks. */
  expanded(values: Float64Array): Float64Array {
    const result = new Float64Array(this.#time);
    for (let t = 0; t < result.length; t++) {
      const left = this.#left[t];
      const value = values[left];
      result[t] = value + this.#share[t] * (values[Math.min(left + 1, this.count - 1)] - value);
    }
    return result;
  }
}

/** Restored share of the noise removed in a band, for each chunk. */
function gainOf(band: Float64Array, size: number, grid: Grid, limit: number): Float64Array {
  if (limit === 0) return new Float64Array(grid.count);
  if (limit === Infinity) return new Float64Array(grid.count).fill(1);
  const level = grid.means(band.map((value) => value * value)).map((x) => Math.sqrt(x) / size);
  const reach = Math.min(roundEven(SPAN / CHUNK / 2), level.length - 1);
  const noise = running(level, reach, Math.floor(PERCENTILE * (2 * reach + 1)), mirrored);
  return average(
    noise.map((value) => clip((limit - value) / ((limit * 2) / 3), 0, 1)),
    1,
  );
}

/** Index within a signal of one up to its length beyond its ends. */
type Ends = (place: number, length: number) => number;
const held: Ends = (place, length) => clip(place, 0, length - 1);
const mirrored: Ends = (place, length) =>
  place < 0 ? -place : place < length ? place : 2 * (length - 1) - place;

/** The k-th smallest of the values around each, `reach` on both sides. */
function running(values: Float64Array, reach: number, k: number, ends: Ends): Float64Array {
  const ordered = new Float64Array(2 * reach + 1);
  return values.map((_, i) => {
    for (let j = 0; j < ordered.length; j++) {
      const value = values[ends(i + j - reach, values.length)];
      let place = j;
      for (; place > 0 && ordered[place - 1] > value; place--) ordered[place] = ordered[place - 1];
      ordered[place] = value;
    }
    return ordered[k];
  });
}

/** Moving average over `reach` values on both sides, with held ends. */
function average(values: Float64Array, reach: number): Float64Array {
  return values.map((_, i) => {
    let sum = 0;
    for (let j = i - reach; j <= i + reach; j++) sum += values[held(j, values.length)];
    return sum / (2 * reach + 1);
  });
}

/** The bin at the frequency of a periodic rhythm with the largest power around it. */
function strongest(power: Float64Array, width: number, frequency: (k: number) => number): number {
  let [best, most] = [0, 0];
  for (let k = 0; k < power.length; k++) {
    if (frequency(k) < PERIODIC[0] || frequency(k) > PERIODIC[1]) continue;
    let line = 0;
    const stop = Math.min(k + width + 1, power.length);
    for (let j = Math.max(k - width, 0); j < stop; j++) line += power[j];
    if (line > most) [best, most] = [k, line];
  }
  return best;
}
