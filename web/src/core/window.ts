/** Windows: cut from a lead, scaled, and blended back into one signal. */
import { quantile, sortedKnown } from "./numbers.ts";

/** Range in mV up to which a lead counts as flat; in single precision, as windows are. */
export const MIN_SPREAD = 1e-3;

/**
 * Offset and scale that bring the samples of a window to about zero and one: their median, and half
 * the distance between the 5th and the 95th percentile, or 1 where that is flat.
 */
export function robustScale(window: Float32Array): { offset: number; scale: number } {
  const known = sortedKnown(window);
  if (!known.length) return { offset: 0, scale: 1 };
  const scale = Math.fround((quantile(known, 0.95) - quantile(known, 0.05)) / 2);
  return { offset: Math.fround(quantile(known, 0.5)), scale: scale > MIN_SPREAD ? scale : 1 };
}

/** Samples before which windows end: a window less an overlap apart, the last with the signal. */
export function windowEnds(length: number, window: number, overlap: number): number[] {
  const ends = [];
  for (let end = window; end < length; end += window - overlap) ends.push(end);
  return [...ends, length];
}

/**
 * Length of the windows of a signal: that of training, or less by a multiple of 2^halvings, in which
 * a network that halves the rate so often, rounding up, places its samples as in training.
 */
export function windowLength(
  samples: number,
  window: number,
  shortest: number,
  halvings: number,
): number {
  const lacking = Math.max(window - Math.max(samples, shortest), 0);
  return window - (lacking >> halvings) * 2 ** halvings;
}

/**
 * The samples of a lead before `end`. What they lack before the beginning of the lead is its mirror
 * image, again and again where the lead is short.
 */
export function cut<T extends Float32Array | Uint8Array>(lead: T, end: number, length: number): T {
  const first = end - length;
  if (first >= 0) return lead.slice(first, end) as T;
  const period = 2 * end;
  const window = new (lead.constructor as new (length: number) => T)(length);
  for (let i = 0; i < length; i++) {
    const place = (((first + i) % period) + period) % period;
    window[i] = lead[place < end ? place : period - 1 - place];
  }
  return window;
}

/**
 * Blends consecutive windows: neighbours are cross-faded by raised cosines over the middle half of
 * their overlap.
 */
export class OverlapAdd {
  readonly signal: Float32Array;
  readonly #rise: Float32Array;
  readonly #kept: number;
  #done = 0;

  constructor(length: number, overlap: number) {
    const fade = overlap >> 1;
    this.signal = new Float32Array(length);
    this.#rise = Float32Array.from(
      { length: fade },
      (_, i) => Math.sin(((Math.PI / 2) * (i + 0.5)) / fade) ** 2,
    );
    this.#kept = ((overlap - fade) >> 1) + fade;
  }

  /** Add the next window, which ends before the sample `end`. */
  add(values: Float32Array | Float64Array, end: number): void {
    const first = end - values.length;
    const fade = this.#done ? this.#rise.length : 0;
    for (let t = this.#done; t < end; t++) {
      const share = t - this.#done < fade ? this.#rise[t - this.#done] : 1;
      this.signal[t] = (1 - share) * this.signal[t] + share * values[t - first];
    }
    this.#done = Math.max(end - this.#kept, this.#done);
  }
}
