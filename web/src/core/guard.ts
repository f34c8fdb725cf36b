/**
 * The guard: restores what a network removes without evidence of noise, window by window; see
 * ipmdae.pipeline.guard for the reasons and the sources of its constants.
 */
import { removedBeats } from "./beats.ts";
import { filterPair, powers } from "./fourier.ts";
import { clip, roundEven, spread } from "./numbers.ts";

/** Predicted standard deviation of the error, relative to the QRS complex, that is not trusted. */
const DOUBT = 0.09;
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

/** A guarded window. */
export interface Guarded {
  /** The result in mV. */
  signal: Float64Array;
  /** Restored share of the noise removed above 15 Hz. */
  gain: Float64Array;
  /** Predicted error relative to its limit: from 1 on the output is not trusted. */
  doubt: Float64Array;
  /** 1 where a periodic component or a beat was restored, else 0. */
  altered: Float64Array;
}

/**
 * Restore what a network removed without evidence, and replace unreadable segments.
 *
 * `noisy` and `cleaned` are a window before and after the network, `sd` the predicted standard
 * deviation of its error, if there is one; `limit` is one of GUARDS. `classical` replaces unreadable
 * segments by the output of a band-pass filter from 0.5 to 40 Hz.
 */
export function guard(
  noisy: Float32Array,
  cleaned: Float32Array,
  sd: Float32Array | null,
  fs: number,
  limit: number,
  classical: boolean,
): Guarded {
  const size = Math.max(heightOf(cleaned, fs), SMALLEST);
  const grid = new Grid(noisy.length, fs, CHUNK);
  const [middle, sharp] = bands(
    Float64Array.from(noisy, (x, t) => x - cleaned[t]),
    fs,
  );
  const height = Math.max(size, SMALL);
  const quiet = gainOf(middle, height, grid, limit);
  const open = grid.expanded(quiet);
  const gain = grid.expanded(gainOf(sharp, height, grid, limit * SHARP));
  const signal = Float64Array.from(cleaned);
  const rest = new Float64Array(noisy.length);
  for (let t = 0; t < rest.length; t++) {
    const given = open[t] * middle[t] + gain[t] * sharp[t];
    signal[t] += given;
    rest[t] = middle[t] + sharp[t] - given;
  }
  const altered = new Float64Array(noisy.length);
  restorePeriodic(signal, rest, altered, size, fs, limit);
  const { doubt, rejected } = doubts(sd, size, quiet, grid);
  restoreBeats(signal, rest, altered, size, fs, grid.expanded(rejected));
  if (classical && rejected.includes(1)) {
    const weight = grid.expanded(average(rejected, 1));
    const band = bandPassed(noisy, fs);
    for (let t = 0; t < signal.length; t++) signal[t] += weight[t] * (band[t] - signal[t]);
  }
  return { signal, gain, doubt: grid.expanded(doubt), altered };
}

/** Uncertainty relative to its limit, and 1 where it rejects the output, for each chunk. */
function doubts(
  sd: Float32Array | null,
  size: number,
  quiet: Float64Array,
  grid: Grid,
): { doubt: Float64Array; rejected: Float64Array } {
  if (!sd) return { doubt: new Float64Array(grid.count), rejected: new Float64Array(grid.count) };
  // An error above the height of the QRS is clipped, so that it does not dominate its seconds.
  const bounded = Float64Array.from(sd, (value) => Math.min(value, size));
  const doubt = average(grid.means(bounded), 2).map((level) => level / (DOUBT * size));
  // Where everything is restored, the output that would be replaced is not the network's.
  const distrust = doubt.map((level, i) => Number(level >= 1 && quiet[i] < OPEN));
  return { doubt, rejected: average(distrust, 2).map((share) => Number(share > 0)) };
}

/** Removed noise other than baseline wander, in two bands: up to 15 Hz, and above. */
function bands(removed: Float64Array, fs: number): [middle: Float64Array, sharp: Float64Array] {
  const grid = new Grid(removed.length, fs, STEP);
  // A wave shorter than half the span of the median does not affect it.
  const reach = roundEven(MEDIAN / STEP / 2);
  const median = grid.expanded(running(grid.means(removed), reach, reach, held));
  const [wander, sharp] = filtered([median, removed], fs, [
    (frequency) => 1 - rise(frequency, ...SPLIT),
    (frequency) => rise(frequency, ...BORDER),
  ]);
  return [removed.map((value, t) => value - wander[t] - sharp[t]), sharp];
}

function bandPassed(noisy: Float32Array, fs: number): Float64Array {
  const [low, high] = CLASSICAL;
  const gain = (frequency: number) => rise(frequency, ...low) - rise(frequency, ...high);
  return filtered([noisy, noisy], fs, [gain, gain])[0];
}

type Gain = (frequency: number) => number;
type Samples = Float32Array | Float64Array;

/** Two signals through a filter each, extended by point reflection at both ends. */
function filtered(
  signals: readonly [Samples, Samples],
  fs: number,
  gains: readonly [Gain, Gain],
): [Float64Array, Float64Array] {
  const time = signals[0].length;
  const margin = Math.min(roundEven(2 * fs), time - 1);
  const [a, b] = signals.map((signal) => extended(signal, margin));
  const n = a.length;
  const [gainOfA, gainOfB] = gains.map((gain) =>
    Float64Array.from({ length: (n >> 1) + 1 }, (_, k) => gain((k * fs) / n)),
  );
  filterPair(a, b, gainOfA, gainOfB);
  return [a.slice(margin, margin + time), b.slice(margin, margin + time)];
}

function extended(signal: Samples, margin: number): Float64Array {
  const last = signal.length - 1;
  const result = new Float64Array(signal.length + 2 * margin);
  result.set(signal, margin);
  for (let i = 1; i <= margin; i++) {
    result[margin - i] = 2 * signal[0] - signal[i];
    result[margin + last + i] = 2 * signal[last] - signal[last - i];
  }
  return result;
}

/** 0 below `low` Hz, 1 above `high`, a raised cosine between. */
function rise(frequency: number, low: number, high: number): number {
  return Math.sin((Math.PI / 2) * clip((frequency - low) / (high - low), 0, 1)) ** 2;
}

/** Height of the QRS complex: median of the ranges of seconds with a beat. */
function heightOf(cleaned: Float32Array, fs: number): number {
  const second = Math.min(roundEven(fs), cleaned.length);
  const ranges = [];
  for (let t = 0; t + second <= cleaned.length; t += second)
    ranges.push(spread(cleaned.subarray(t, t + second)));
  const beats = ranges.filter((range) => range > SMALLEST).sort((a, b) => a - b);
  return beats.length ? beats[(beats.length - 1) >> 1] : SMALLEST;
}

/** A window in chunks of a fraction of a second, in which slow quantities are computed. */
class Grid {
  readonly count: number;
  readonly #time: number;
  readonly #chunk: number;

  constructor(time: number, fs: number, seconds: number) {
    this.#time = time;
    this.#chunk = Math.min(Math.max(roundEven(seconds * fs), 1), time);
    this.count = Math.ceil(time / this.#chunk);
  }

  /** Mean of each chunk; the last one is padded with its last value. */
  means(values: Float64Array): Float64Array {
    const last = values[this.#time - 1];
    return Float64Array.from({ length: this.count }, (_, i) => {
      let sum = 0;
      const stop = (i + 1) * this.#chunk;
      for (let t = i * this.#chunk; t < stop; t++) sum += t < this.#time ? values[t] : last;
      return sum / this.#chunk;
    });
  }

  /** A value for each sample, linear between the middles of chunks. */
  expanded(values: Float64Array): Float64Array {
    const result = new Float64Array(this.#time);
    for (let t = 0; t < this.#time; t++) {
      const place = clip((t + 0.5) / this.#chunk - 0.5, 0, this.count - 1);
      const left = Math.min(Math.floor(place), Math.max(this.count - 2, 0));
      const right = Math.min(left + 1, this.count - 1);
      result[t] = values[left] + (place - left) * (values[right] - values[left]);
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
  const around = new Float64Array(2 * reach + 1);
  return values.map((_, i) => {
    for (let j = 0; j < around.length; j++) around[j] = values[ends(i + j - reach, values.length)];
    return around.sort()[k];
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

/** Restore the periodic part of the removed noise where it dominates, and mark it. */
function restorePeriodic(
  signal: Float64Array,
  rest: Float64Array,
  altered: Float64Array,
  size: number,
  fs: number,
  limit: number,
): void {
  const time = rest.length;
  if (time < 4 * fs || limit === 0 || limit === Infinity) return;
  const hann = (t: number) => 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / (time - 1));
  const power = powers(
    rest.map((value, t) => value * hann(t)),
    new Float64Array(time),
  );
  // Bins at the ends of a line count by the rounding of this product.
  const step = 1 / (time * (1 / fs));
  const frequency = (k: number) => k * step;
  const width = Math.max(roundEven((NARROW * time) / fs), 1);
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
  }
  altered.fill(1);
}

/** The bin at the frequency of a periodic rhythm with the largest power around it. */
function strongest(power: Float64Array, width: number, frequency: Gain): number {
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

/** Restore beats that the network removed, and mark them; not in unreadable segments. */
function restoreBeats(
  signal: Float64Array,
  rest: Float64Array,
  altered: Float64Array,
  size: number,
  fs: number,
  rejected: Float64Array,
): void {
  const beats = removedBeats(signal, rest, size, fs);
  if (!beats) return;
  for (let t = 0; t < signal.length; t++) {
    const weight = beats[t] * (1 - rejected[t]);
    signal[t] += weight * rest[t];
    if (weight > 0) altered[t] = 1;
  }
}
