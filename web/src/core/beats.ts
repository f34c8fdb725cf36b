/**
 * Detection of beats that a network removed, by the shape of the lead's own QRS complex; see
 * ipmdae.pipeline.beats.
 */
import { median, roundEven, tabulate } from "./numbers.ts";

/** Seconds of the template on each side of the R peak. */
const HALF = 0.08;
/** Duration in s of the segments whose highest peaks are candidates for the template. */
const SECOND = 1;
/** Least height of a peak of the template, relative to the height of the QRS complex. */
const HIGH = 0.5;
/** Least number of beats of a template, and least median correlation of them with it. */
const FEWEST = 4;
const ALIKE = 0.8;
/** Correlation with the template from which on the input contains a beat. */
const MATCH = 0.75;
/** Height of a beat relative to the template's. */
const SIZES = [0.4, 3] as const;
/** Share of a beat's height from which on it counts as kept. */
const KEPT = 0.75;
/** Shortest interval in s between two beats. */
const APART = 0.12;
/** Seconds of fade-in and fade-out beyond the template. */
const EDGE = 0.06;

/**
 * Weight, 0 to 1, with which to restore what was removed; null if it holds no beat.
 *
 * `after` is a window after the removal and `removed` what was removed, in mV; `size` is the height
 * of the QRS complex.
 */
export function removedBeats(
  after: Float64Array,
  removed: Float64Array,
  size: number,
  fs: number,
): Float64Array | null {
  const least = SIZES[0] * (1 - KEPT) * size;
  if (!removed.some((value) => Math.abs(value) > least)) return null;
  const half = roundEven(HALF * fs);
  const template = templateOf(after, size, half, roundEven(SECOND * fs));
  if (!template) return null;
  const before = after.map((value, t) => value + removed[t]);
  const places = lostBeats(before, after, template, roundEven(APART * fs));
  return places.length ? weightAround(places, after.length, half, roundEven(EDGE * fs)) : null;
}

/** Median QRS complex of a window, less its mean; null if its beats are not alike. */
function templateOf(
  x: Float64Array,
  size: number,
  half: number,
  second: number,
): Float64Array | null {
  const count = Math.floor((x.length - 2 * half) / second);
  if (count < FEWEST) return null;
  const peaks = peaksOf(x, size, half, second, count);
  if (peaks.length < FEWEST) return null;
  const beats = peaks.map((peak) => centred(x.slice(peak - half, peak + half + 1)));
  const template = centred(
    beats[0].map((_, i) => median(tabulate(beats.length, (j) => beats[j][i]))),
  );
  const norm = Math.sqrt(dot(template, template));
  const alike = beats.map(
    (beat) => dot(beat, template) / Math.max(Math.sqrt(dot(beat, beat)) * norm, 1e-9),
  );
  return median(Float64Array.from(alike)) < ALIKE ? null : template;
}

/** The highest peak of each second, where it is high and points where most do. */
function peaksOf(
  x: Float64Array,
  size: number,
  half: number,
  second: number,
  count: number,
): number[] {
  const level = median(x);
  const peaks = Array.from({ length: count }, (_, i) => {
    let highest = half + i * second;
    for (let t = highest + 1; t < half + (i + 1) * second; t++)
      if (Math.abs(x[t] - level) > Math.abs(x[highest] - level)) highest = t;
    return highest;
  });
  const high = peaks.filter((peak) => Math.abs(x[peak] - level) > HIGH * size);
  const side = Math.sign(peaks.reduce((sum, peak) => sum + x[peak] - level, 0));
  return high.filter((peak) => Math.sign(x[peak] - level) === side);
}

/** Middles of beats that are in `before` and not in `after`. */
function lostBeats(
  before: Float64Array,
  after: Float64Array,
  template: Float64Array,
  apart: number,
): number[] {
  const energy = dot(template, template);
  const power = powersAround(before, template.length);
  const held = power.map((_, i) => dot(template, before, i) / energy);
  const places = [];
  for (let i = 0; i < held.length; i++) {
    if (!(held[i] > SIZES[0] && held[i] < SIZES[1])) continue;
    if (!(held[i] * Math.sqrt(energy / power[i]) > MATCH)) continue;
    if (!(dot(template, after, i) / energy < KEPT * held[i])) continue;
    const around = held.subarray(Math.max(i - apart, 0), i + apart + 1);
    if (around.every((value) => value <= held[i])) places.push(i + (template.length >> 1));
  }
  return places;
}

/** Sum of squares of each span of so many samples, each less its mean. */
function powersAround(x: Float64Array, length: number): Float64Array {
  const result = new Float64Array(x.length - length + 1);
  let [sum, squares] = [0, 0];
  for (let t = 0; t < x.length; t++) {
    sum += x[t];
    squares += x[t] * x[t];
    const first = t - length + 1;
    if (first < 0) continue;
    result[first] = Math.max(squares - (sum * sum) / length, 1e-12);
    sum -= x[first];
    squares -= x[first] * x[first];
  }
  return result;
}

/** 1 around each place, fading to 0 at both ends. */
function weightAround(places: number[], time: number, half: number, edge: number): Float64Array {
  const weight = new Float64Array(time);
  const reach = half + edge;
  for (const place of places)
    for (let t = Math.max(place - reach, 0); t <= Math.min(place + reach, time - 1); t++) {
      const beyond = Math.abs(t - place) - half; // 1 is the first sample of the fade
      const share = beyond > 0 ? Math.sin(((Math.PI / 2) * (edge - beyond + 0.5)) / edge) ** 2 : 1;
      weight[t] = Math.max(weight[t], share);
    }
  return weight;
}

function centred(x: Float64Array): Float64Array {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return x.map((value) => value - mean);
}

/** Product of a with the values of b from `first` on. */
function dot(a: Float64Array, b: Float64Array, first = 0): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[first + i];
  return sum;
}
