/** Change of sampling rate, band-limited, without shift and without artefacts at ends. */
import { Fourier } from "./fourier.ts";
import { roundEven } from "./numbers.ts";

/** Largest term of the fraction that stands for a ratio of rates. */
const MAX_TERM = 8192;

/**
 * The low-pass: a sinc of this cutoff under a Kaiser window, for small whole ratios of the rates and for
 * others; fitted to impulse responses of libsoxr at its highest quality, which the Python package
 * uses. The cutoff is relative to half of the lower rate, half-lengths are in its samples.
 */
const CUTOFF = 0.95566416;
const WHOLE = { shape: 18.4334809, halfLength: 133.25 };
const OTHER = { shape: 19.0767, halfLength: 138.13 };

/** Least length of a block in samples of the lower rate. */
const BLOCK = 2048;

/**
 * Changes one sampling rate to another: blocks are filtered by their Fourier transform, and the
 * inverse has the new rate's length. Two blocks are transformed together.
 */
export class Resampler {
  readonly up: number;
  readonly down: number;
  readonly #steps: number;
  readonly #margin: number;
  readonly #gain: Float64Array;

  constructor(fs: number, newFs: number) {
    [this.up, this.down] = fraction(fs, newFs);
    const lower = Math.min(this.up, this.down);
    const kaiser = lower === 1 && this.down < 4 ? WHOLE : OTHER;
    this.#margin = Math.ceil((kaiser.halfLength + 1) / lower);
    this.#steps = 2 ** Math.ceil(Math.log2(Math.max(BLOCK / lower, 4 * this.#margin)));
    this.#gain = response(lower * this.#steps, kaiser);
  }

  /** New samples that a signal of so many samples has. */
  length(samples: number): number {
    return Math.max(roundEven((samples * this.up) / this.down), 1);
  }

  /** Resample a lead without gaps; `length` is the number of samples wanted. */
  resample(lead: Float32Array, length = this.length(lead.length)): Float32Array {
    if (this.up === this.down) return lead;
    const { up, down } = this;
    const [before, after] = [Fourier.of(down * this.#steps), Fourier.of(up * this.#steps)];
    const x = [new Float64Array(before.length), new Float64Array(before.length)] as const;
    const y = [new Float64Array(after.length), new Float64Array(after.length)] as const;
    const result = new Float32Array(length);
    const hop = this.#steps - 2 * this.#margin;
    for (let step = 0; step * up < length; step += 2 * hop) {
      x.forEach((values, i) => continued(lead, (step + i * hop - this.#margin) * down, values));
      before.transform(...x);
      this.#pass(x, y);
      after.inverse(...y);
      y.forEach((values, i) => {
        const first = (step + i * hop) * up;
        const count = Math.min(hop * up, length - first);
        const begin = this.#margin * up;
        if (count > 0) result.set(values.subarray(begin, begin + count), first);
      });
    }
    return result;
  }

  /** Spectra of another length, times the response of the low-pass. */
  #pass(x: readonly [Float64Array, Float64Array], y: readonly [Float64Array, Float64Array]): void {
    const ratio = this.up / this.down;
    for (const part of [0, 1]) {
      const [from, to] = [x[part], y[part]];
      to.fill(0);
      to[0] = from[0] * ratio;
      for (let k = 1; k < this.#gain.length; k++) {
        to[k] = from[k] * this.#gain[k] * ratio;
        to[to.length - k] = from[from.length - k] * this.#gain[k] * ratio;
      }
    }
  }
}

/** Index of the old sample that is nearest in time to a new one, at up / down times the rate. */
export function nearest(place: number, up: number, down: number, length: number): number {
  return Math.min(Math.floor((2 * place * down + up) / (2 * up)), length - 1);
}

/** The ratio `newFs / fs` as whole numbers, which have no common divisor. */
export function fraction(fs: number, newFs: number): [up: number, down: number] {
  const [low, high] = fs < newFs ? [fs, newFs] : [newFs, fs];
  const [numerator, denominator] = rational(high / low, MAX_TERM);
  return newFs < fs ? [denominator, numerator] : [numerator, denominator];
}

/** The fraction nearest to a number, by its continued fraction; denominators go up to `most`. */
function rational(value: number, most: number): [number, number] {
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let rest = value;
  for (;;) {
    const whole = Math.floor(rest);
    const [p, q] = [p0 + whole * p1, q0 + whole * q1];
    if (q > most) {
      const last = Math.floor((most - q0) / q1);
      const other: [number, number] = [p0 + last * p1, q0 + last * q1];
      const error = ([n, d]: [number, number]) => Math.abs(n / d - value);
      return error(other) < error([p1, q1]) ? other : [p1, q1];
    }
    [p0, q0, p1, q1] = [p1, q1, p, q];
    if (Math.abs(p / q - value) <= value * 2 ** -50) return [p, q];
    rest = 1 / (rest - whole);
  }
}

/** Response of the low-pass at the frequencies below half the lower rate, for blocks of a length. */
function response(length: number, { shape, halfLength }: typeof WHOLE): Float64Array {
  const re = new Float64Array(length);
  const im = new Float64Array(length);
  for (let t = -Math.floor(halfLength); t <= halfLength; t++) {
    const window = bessel(shape * Math.sqrt(1 - (t / halfLength) ** 2)) / bessel(shape);
    const angle = Math.PI * CUTOFF * t;
    re[(t + length) % length] = CUTOFF * window * (t ? Math.sin(angle) / angle : 1);
  }
  Fourier.of(length).transform(re, im);
  return re.slice(0, Math.ceil(length / 2));
}

/** Modified Bessel function of the first kind and order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

/** Samples of a lead from `first` on; beyond its ends its point reflections, again and again. */
function continued(lead: Float32Array, first: number, result: Float64Array): void {
  const last = lead.length - 1;
  for (let i = 0; i < result.length; i++) {
    const place = first + i;
    result[i] = place >= 0 && place <= last ? lead[place] : reflected(lead, place);
  }
}

function reflected(lead: Float32Array, place: number): number {
  const last = lead.length - 1;
  if (!last) return lead[0];
  const turns = Math.floor(place / last);
  const rest = place - turns * last;
  const rise = lead[last] - lead[0];
  return turns % 2 === 0
    ? lead[rest] + turns * rise
    : (turns + 1) * rise + 2 * lead[0] - lead[last - rest];
}
