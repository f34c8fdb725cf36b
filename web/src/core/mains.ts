/**
 * Removal of powerline interference by windowed estimation and subtraction of its sinusoids; see
 * ipmdae.pipeline.mains for the method and its sources.
 */
import { fillGaps } from "./gaps.ts";
import { missingSpikes } from "./pacing.ts";
import { clip, general, roundEven, tabulate } from "./numbers.ts";
import type { Tick } from "./tick.ts";

const WINDOW = 2; // s
const DEVIATION = 0.5; // Hz: grids keep their frequency far better
const STEP = 0.1; // Hz: a quarter of the resolution of a window at the highest harmonic searched
const SEARCHED = 4; // harmonics used to estimate the frequency
const KNOWN = 0.1; // of a window: with fewer samples nothing is fitted
const RIDGE = 1e-9; // of the mean square of a sinusoid: keeps a window full of gaps solvable
const TINY = 2.2250738585072014e-308; // smallest normal number

/** Number of harmonics of the mains frequency that a recording at `fs` Hz can contain. */
export function harmonicsAt(fs: number, mains: number): number {
  // A sinusoid too close to half the sampling rate for the resolution of a window is left out.
  return Math.max(Math.trunc((fs / 2 - 2 / WINDOW) / (mains + DEVIATION)), 0);
}

/**
 * Leads without powerline interference of 50 or 60 Hz, all of the same mains; NaN stays.
 *
 * Throws an Error where the sampling rate is too low to contain it.
 */
export async function removeMains(
  leads: readonly Float64Array[],
  fs: number,
  mains: number,
  tick: Tick,
): Promise<Float64Array[]> {
  const harmonics = harmonicsAt(fs, mains);
  if (!harmonics)
    throw new Error(`a recording at ${general(fs)} Hz cannot contain ${mains} Hz: leave mains out`);
  const cleaned = leads.map((lead) => lead.slice());
  if (!leads.length) return cleaned;
  const fit = new MainsFit(fs, mains, harmonics);
  const { hop } = fit;
  // The part of each lead's interference that the window before has fitted, and its weights.
  let before = leads.map(() => ({ sum: new Float64Array(hop), weight: new Float64Array(hop) }));
  const samples = leads[0].length;
  for (let first = -hop; first < samples; first += hop) {
    const windows = leads.map((lead) => windowOf(lead, first, 2 * hop));
    before = fit.interference(windows).map(({ interference, share }, i) => {
      const after = { sum: new Float64Array(hop), weight: new Float64Array(hop) };
      for (let t = 0; t < hop; t++) {
        const weight = before[i].weight[t] + fit.taper[t] * share;
        const sum = before[i].sum[t] + fit.taper[t] * share * interference[t];
        if (first + t >= 0 && first + t < samples)
          cleaned[i][first + t] -= weight ? sum / weight : 0;
        after.weight[t] = fit.taper[hop + t] * share;
        after.sum[t] = after.weight[t] * interference[hop + t];
      }
      return after;
    });
    await tick((first + hop) / samples);
  }
  return cleaned;
}

/** Samples of a lead from `first` on, NaN outside of it. */
function windowOf(lead: Float64Array, first: number, length: number): Float64Array {
  const window = new Float64Array(length).fill(NaN);
  const begin = Math.max(first, 0);
  window.set(lead.subarray(begin, first + length), begin - first);
  return window;
}

/** Interference in one window of a lead, and the share of its samples that are known. */
interface Fitted {
  interference: Float64Array;
  share: number;
}

class MainsFit {
  /** Samples of half a window. */
  readonly hop: number;
  readonly taper: Float64Array;
  readonly #fs: number;
  readonly #harmonics: number;
  readonly #time: Float64Array;
  readonly #grid: number[];
  /** Tapered cosines and sines of the frequencies searched, for each frequency of the grid. */
  readonly #search: Float64Array[][];
  readonly #waves: Float64Array[];

  constructor(fs: number, mains: number, harmonics: number) {
    this.hop = roundEven((fs * WINDOW) / 2);
    const length = 2 * this.hop;
    this.taper = tabulate(length, (t) => Math.sin((Math.PI * (t + 0.5)) / length) ** 2);
    this.#fs = fs;
    this.#harmonics = harmonics;
    this.#time = tabulate(length, (t) => (t + 0.5 - this.hop) / fs);
    const count = roundEven((2 * DEVIATION) / STEP) + 1;
    this.#grid = Array.from({ length: count }, (_, i) => mains - DEVIATION + STEP * i);
    const multiples = Array.from({ length: Math.min(harmonics, SEARCHED) }, (_, h) => h + 1);
    this.#search = this.#grid.map((frequency) =>
      multiples.flatMap((multiple) =>
        [Math.cos, Math.sin].map((wave) =>
          this.taper.map((w, t) => w * wave(2 * Math.PI * multiple * frequency * this.#time[t])),
        ),
      ),
    );
    this.#waves = Array.from({ length: 2 * harmonics }, () => new Float64Array(length));
  }

  /** Interference in a window of all leads, NaN where a sample is missing. */
  interference(leads: Float64Array[]): Fitted[] {
    // Pacing spikes and glitches, which have all harmonics, would be fitted by the mains'.
    const windows = leads.map((lead) => missingSpikes(lead, this.#fs));
    const filled = windows.map((window) => centred(fillGaps(window, window.length)));
    this.#setWaves(this.#frequency(filled));
    const whole = this.#gram(this.taper);
    return windows.map((window, i) => {
      if (!window.some(Number.isNaN))
        return { interference: this.#project(filled[i], this.taper, whole), share: 1 };
      const weight = this.taper.map((w, t) => (Number.isNaN(window[t]) ? 0 : w));
      const share = total(weight) / total(this.taper);
      if (share <= KNOWN) return { interference: new Float64Array(window.length), share: 0 };
      return { interference: this.#project(filled[i], weight, this.#gram(weight)), share };
    });
  }

  /** Mains frequency: the peak of the power summed over harmonics and leads. */
  #frequency(windows: Float64Array[]): number {
    const power = this.#search.map((waves) => {
      let sum = 0;
      for (const window of windows) for (const wave of waves) sum += dot(wave, window) ** 2;
      return sum;
    });
    const best = clip(power.indexOf(Math.max(...power)), 1, power.length - 2);
    const [left, middle, right] = [-1, 0, 1].map((i) => Math.log(power[best + i] + TINY));
    const bend = left - 2 * middle + right;
    const shift = bend < 0 ? (0.5 * (left - right)) / bend : 0;
    return this.#grid[best] + STEP * clip(shift, -1, 1);
  }

  /** Cosines of all harmonics of a frequency, then sines. */
  #setWaves(frequency: number): void {
    const count = this.#harmonics;
    this.#time.forEach((time, t) => {
      const re = Math.cos(2 * Math.PI * frequency * time);
      const im = Math.sin(2 * Math.PI * frequency * time);
      let cos = 1;
      let sin = 0;
      for (let h = 0; h < count; h++) {
        const next = cos * re - sin * im;
        sin = cos * im + sin * re;
        cos = next;
        this.#waves[h][t] = cos;
        this.#waves[count + h][t] = sin;
      }
    });
  }

  /**
   * Weighted products of all waves with each other, factorised.
   *
   * cos i cos j = (cos(i - j) + cos(i + j)) / 2, and alike for sines: sums over the window are needed
   * only for each multiple of the frequency, up to twice the number of harmonics.
   */
  #gram(weight: Float64Array): Float64Array[] {
    const count = this.#harmonics;
    const { cos, sin } = this.#sums(weight);
    const odd = (m: number) => Math.sign(m) * sin[Math.abs(m)];
    const rows = Array.from({ length: 2 * count }, () => new Float64Array(2 * count));
    for (let i = 1; i <= count; i++)
      for (let j = 1; j <= count; j++) {
        const difference = cos[Math.abs(i - j)];
        rows[i - 1][j - 1] = (difference + cos[i + j]) / 2;
        rows[count + i - 1][count + j - 1] = (difference - cos[i + j]) / 2;
        rows[count + i - 1][j - 1] = (sin[i + j] + odd(i - j)) / 2;
      }
    rows.forEach((row, i) => (row[i] += RIDGE * weight.length));
    return cholesky(rows);
  }

  /** Weighted sums of the cosines and sines of 0 to 2 · harmonics times the frequency. */
  #sums(weight: Float64Array): { cos: Float64Array; sin: Float64Array } {
    const count = this.#harmonics;
    const cos = new Float64Array(2 * count + 1);
    const sin = new Float64Array(2 * count + 1);
    const [highestCos, highestSin] = [this.#waves[count - 1], this.#waves[2 * count - 1]];
    cos[0] = total(weight);
    for (let h = 1; h <= count; h++) {
      const [c, s] = [this.#waves[h - 1], this.#waves[count + h - 1]];
      for (let t = 0; t < weight.length; t++) {
        const w = weight[t];
        cos[h] += w * c[t];
        sin[h] += w * s[t];
        cos[count + h] += w * (highestCos[t] * c[t] - highestSin[t] * s[t]);
        sin[count + h] += w * (highestSin[t] * c[t] + highestCos[t] * s[t]);
      }
    }
    return { cos, sin };
  }

  /** Weighted least-squares fit of the waves to a window. */
  #project(window: Float64Array, weight: Float64Array, factor: Float64Array[]): Float64Array {
    const weighted = window.map((value, t) => value * weight[t]);
    const amplitudes = solve(
      factor,
      this.#waves.map((wave) => dot(wave, weighted)),
    );
    const fitted = new Float64Array(window.length);
    this.#waves.forEach((wave, k) => {
      const amplitude = amplitudes[k];
      for (let t = 0; t < fitted.length; t++) fitted[t] += amplitude * wave[t];
    });
    return fitted;
  }
}

/** Lower triangular L with L Lᵀ = rows, of which the lower triangle is read. */
function cholesky(rows: Float64Array[]): Float64Array[] {
  for (let i = 0; i < rows.length; i++)
    for (let j = 0; j <= i; j++) {
      let sum = rows[i][j];
      for (let k = 0; k < j; k++) sum -= rows[i][k] * rows[j][k];
      rows[i][j] = i === j ? Math.sqrt(Math.max(sum, TINY)) : sum / rows[j][j];
    }
  return rows;
}

/** The solution x of L Lᵀ x = y. */
function solve(factor: Float64Array[], y: number[]): number[] {
  const x = [...y];
  for (let i = 0; i < x.length; i++) {
    for (let k = 0; k < i; k++) x[i] -= factor[i][k] * x[k];
    x[i] /= factor[i][i];
  }
  for (let i = x.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < x.length; k++) x[i] -= factor[k][i] * x[k];
    x[i] /= factor[i][i];
  }
  return x;
}

function centred(values: Float64Array): Float64Array {
  const mean = total(values) / values.length;
  return values.map((value) => value - mean);
}

function total(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
