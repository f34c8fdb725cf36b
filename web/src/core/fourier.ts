/**
 * Discrete Fourier transforms of any length: Stockham's algorithm for factors up to 13, Bluestein's
 * for others (C. Van Loan, "Computational Frameworks for the Fast Fourier Transform", 1992).
 */
import { tabulate } from "./numbers.ts";

interface Stage {
  radix: number;
  /** Transforms of this stage, each of every `stride`-th value. */
  count: number;
  stride: number;
  /** Twiddle factors exp(-2πi q k / (radix · count)), for q < count and k < radix. */
  cosines: Float64Array;
  sines: Float64Array;
}

const LARGEST_RADIX = 13;

/** Transform of complex signals of one length, in place. */
export class Fourier {
  static readonly #plans = new Map<number, Fourier>();

  readonly length: number;
  readonly #stages: Stage[] = [];
  readonly #chirp: Chirp | null;
  #re: Float64Array;
  #im: Float64Array;

  /** The transform of a length, prepared once. */
  static of(length: number): Fourier {
    let plan = Fourier.#plans.get(length);
    if (!plan) Fourier.#plans.set(length, (plan = new Fourier(length)));
    return plan;
  }

  private constructor(length: number) {
    this.length = length;
    const radices = factors(length);
    this.#chirp = radices ? null : new Chirp(length);
    this.#re = new Float64Array(radices ? length : 0);
    this.#im = new Float64Array(radices ? length : 0);
    let [size, stride] = [length, 1];
    for (const radix of radices ?? []) {
      this.#stages.push({ radix, count: size / radix, stride, ...twiddles(size, radix) });
      size /= radix;
      stride *= radix;
    }
  }

  transform(re: Float64Array, im: Float64Array): void {
    if (this.#chirp) return this.#chirp.transform(re, im);
    let [xr, xi, yr, yi] = [re, im, this.#re, this.#im];
    for (const stage of this.#stages) {
      if (stage.radix === 4) byFour(stage, xr, xi, yr, yi);
      else if (stage.radix === 2) byTwo(stage, xr, xi, yr, yi);
      else if (stage.radix === 5) byFive(stage, xr, xi, yr, yi);
      else byOdd(stage, xr, xi, yr, yi);
      [xr, xi, yr, yi] = [yr, yi, xr, xi];
    }
    if (xr === re) return;
    re.set(xr);
    im.set(xi);
  }

  inverse(re: Float64Array, im: Float64Array): void {
    this.transform(im, re);
    for (let i = 0; i < this.length; i++) {
      re[i] /= this.length;
      im[i] /= this.length;
    }
  }
}

/**
 * Filter two real signals at once, in place; gains are given for each frequency up to half the rate.
 *
 * With z = a + ib, the spectrum of a at bin k is (Z[k] + Z*[n-k]) / 2, that of ib (Z[k] - Z*[n-k]) / 2.
 */
export function filterPair(
  a: Float64Array,
  b: Float64Array,
  gainOfA: Float64Array,
  gainOfB: Float64Array,
): void {
  const n = a.length;
  const fourier = Fourier.of(n);
  fourier.transform(a, b);
  for (let k = 0; k <= n / 2; k++) {
    const l = k ? n - k : 0;
    const own = (gainOfA[k] + gainOfB[k]) / 2;
    const other = (gainOfA[k] - gainOfB[k]) / 2;
    const re = a[k];
    const im = b[k];
    const mirroredRe = a[l];
    const mirroredIm = b[l];
    a[k] = own * re + other * mirroredRe;
    b[k] = own * im - other * mirroredIm;
    a[l] = own * mirroredRe + other * re;
    b[l] = own * mirroredIm - other * im;
  }
  fourier.inverse(a, b);
}

/**
 * Sum of the powers of two real signals at each frequency up to half the rate; what they hold is
 * lost.
 */
export function powers(a: Float64Array, b: Float64Array): Float64Array {
  const n = a.length;
  Fourier.of(n).transform(a, b);
  const power = (k: number) => a[k] * a[k] + b[k] * b[k];
  return tabulate((n >> 1) + 1, (k) => (power(k) + power(k && n - k)) / 2);
}

/** Radices whose product is `length`; null where a prime factor is too large. */
function factors(length: number): number[] | null {
  const found: number[] = [];
  for (const radix of [4, 2, 3, 5, 7, 11, LARGEST_RADIX])
    while (length % radix === 0) {
      found.push(radix);
      length /= radix;
    }
  return length === 1 ? found : null;
}

function twiddles(size: number, radix: number): { cosines: Float64Array; sines: Float64Array } {
  const cosines = new Float64Array(size);
  const sines = new Float64Array(size);
  for (let q = 0; q < size / radix; q++)
    for (let k = 0; k < radix; k++) {
      cosines[q * radix + k] = Math.cos((-2 * Math.PI * q * k) / size);
      sines[q * radix + k] = Math.sin((-2 * Math.PI * q * k) / size);
    }
  return { cosines, sines };
}

function byTwo(
  { count, stride, cosines, sines }: Stage,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
): void {
  const apart = stride * count;
  for (let q = 0; q < count; q++) {
    for (let r = 0; r < stride; r++) {
      const from = r + stride * q;
      const to = r + stride * 2 * q;
      const re = xr[from] - xr[from + apart];
      const im = xi[from] - xi[from + apart];
      yr[to] = xr[from] + xr[from + apart];
      yi[to] = xi[from] + xi[from + apart];
      turned(yr, yi, to + stride, re, im, cosines, sines, 2 * q + 1);
    }
  }
}

function byFour(
  { count, stride, cosines, sines }: Stage,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
): void {
  const apart = stride * count;
  for (let q = 0; q < count; q++) {
    const w = 4 * q;
    for (let r = 0; r < stride; r++) {
      const a = r + stride * q;
      const b = a + apart;
      const c = b + apart;
      const d = c + apart;
      const to = r + stride * 4 * q;
      const evenR = xr[a] + xr[c];
      const evenI = xi[a] + xi[c];
      const oddR = xr[a] - xr[c];
      const oddI = xi[a] - xi[c];
      const otherR = xr[b] + xr[d];
      const otherI = xi[b] + xi[d];
      const crossR = xi[b] - xi[d]; // -i (x[b] - x[d])
      const crossI = xr[d] - xr[b];
      yr[to] = evenR + otherR;
      yi[to] = evenI + otherI;
      turned(yr, yi, to + stride, oddR + crossR, oddI + crossI, cosines, sines, w + 1);
      turned(yr, yi, to + 2 * stride, evenR - otherR, evenI - otherI, cosines, sines, w + 2);
      turned(yr, yi, to + 3 * stride, oddR - crossR, oddI - crossI, cosines, sines, w + 3);
    }
  }
}

const COS_1 = Math.cos((2 * Math.PI) / 5);
const COS_2 = Math.cos((4 * Math.PI) / 5);
const SIN_1 = Math.sin((2 * Math.PI) / 5);
const SIN_2 = Math.sin((4 * Math.PI) / 5);

function byFive(
  { count, stride, cosines, sines }: Stage,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
): void {
  const apart = stride * count;
  for (let q = 0; q < count; q++)
    for (let r = 0; r < stride; r++) {
      const a = r + stride * q;
      const b = a + apart;
      const c = b + apart;
      const d = c + apart;
      const e = d + apart;
      const to = r + stride * 5 * q;
      const re = xr[a];
      const im = xi[a];
      const outerR = xr[b] + xr[e];
      const outerI = xi[b] + xi[e];
      const innerR = xr[c] + xr[d];
      const innerI = xi[c] + xi[d];
      const outerDR = xi[b] - xi[e]; // -i times the difference
      const outerDI = xr[e] - xr[b];
      const innerDR = xi[c] - xi[d];
      const innerDI = xr[d] - xr[c];
      yr[to] = re + outerR + innerR;
      yi[to] = im + outerI + innerI;
      const even1R = re + COS_1 * outerR + COS_2 * innerR;
      const even1I = im + COS_1 * outerI + COS_2 * innerI;
      const even2R = re + COS_2 * outerR + COS_1 * innerR;
      const even2I = im + COS_2 * outerI + COS_1 * innerI;
      const odd1R = SIN_1 * outerDR + SIN_2 * innerDR;
      const odd1I = SIN_1 * outerDI + SIN_2 * innerDI;
      const odd2R = SIN_2 * outerDR - SIN_1 * innerDR;
      const odd2I = SIN_2 * outerDI - SIN_1 * innerDI;
      const w = 5 * q;
      turned(yr, yi, to + stride, even1R + odd1R, even1I + odd1I, cosines, sines, w + 1);
      turned(yr, yi, to + 2 * stride, even2R + odd2R, even2I + odd2I, cosines, sines, w + 2);
      turned(yr, yi, to + 3 * stride, even2R - odd2R, even2I - odd2I, cosines, sines, w + 3);
      turned(yr, yi, to + 4 * stride, even1R - odd1R, even1I - odd1I, cosines, sines, w + 4);
    }
}

/** A stage of an odd radix: x[j] and x[radix - j] share their products. */
function byOdd(
  { radix, count, stride, cosines, sines }: Stage,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
): void {
  const half = radix >> 1;
  const apart = stride * count;
  const cos = tabulate(radix, (j) => Math.cos((2 * Math.PI * j) / radix));
  const sin = tabulate(radix, (j) => Math.sin((2 * Math.PI * j) / radix));
  const [sumR, sumI] = [new Float64Array(half + 1), new Float64Array(half + 1)];
  const [differenceR, differenceI] = [new Float64Array(half + 1), new Float64Array(half + 1)];
  for (let q = 0; q < count; q++)
    for (let r = 0; r < stride; r++) {
      const from = r + stride * q;
      const to = r + stride * radix * q;
      const re = xr[from];
      const im = xi[from];
      let allR = re;
      let allI = im;
      for (let j = 1; j <= half; j++) {
        const one = from + j * apart;
        const other = from + (radix - j) * apart;
        allR += sumR[j] = xr[one] + xr[other];
        allI += sumI[j] = xi[one] + xi[other];
        differenceR[j] = xi[one] - xi[other]; // of -i times the difference
        differenceI[j] = xr[other] - xr[one];
      }
      yr[to] = allR;
      yi[to] = allI;
      for (let k = 1; k <= half; k++) {
        let evenR = re;
        let evenI = im;
        let oddR = 0;
        let oddI = 0;
        let turn = 0;
        for (let j = 1; j <= half; j++) {
          turn += k;
          if (turn >= radix) turn -= radix;
          evenR += sumR[j] * cos[turn];
          evenI += sumI[j] * cos[turn];
          oddR += differenceR[j] * sin[turn];
          oddI += differenceI[j] * sin[turn];
        }
        turned(yr, yi, to + k * stride, evenR + oddR, evenI + oddI, cosines, sines, q * radix + k);
        const l = radix - k;
        turned(yr, yi, to + l * stride, evenR - oddR, evenI - oddI, cosines, sines, q * radix + l);
      }
    }
}

/** Store re + i im, turned by a twiddle factor. */
function turned(
  yr: Float64Array,
  yi: Float64Array,
  to: number,
  re: number,
  im: number,
  cosines: Float64Array,
  sines: Float64Array,
  w: number,
): void {
  yr[to] = re * cosines[w] - im * sines[w];
  yi[to] = re * sines[w] + im * cosines[w];
}

/** Bluestein's algorithm: a transform as a convolution with a chirp, by powers of two. */
class Chirp {
  readonly #length: number;
  readonly #fourier: Fourier;
  /** exp(-πi t² / length) */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** Spectrum of its conjugate, continued on both sides. */
  readonly #kernelRe: Float64Array;
  readonly #kernelIm: Float64Array;

  constructor(length: number) {
    this.#length = length;
    const size = 2 ** Math.ceil(Math.log2(2 * length - 1));
    this.#fourier = Fourier.of(size);
    const angles = tabulate(length, (t) => (-Math.PI * ((t * t) % (2 * length))) / length);
    this.#cos = angles.map(Math.cos);
    this.#sin = angles.map(Math.sin);
    this.#kernelRe = new Float64Array(size);
    this.#kernelIm = new Float64Array(size);
    for (let t = 0; t < length; t++)
      for (const place of [t, (size - t) % size]) {
        this.#kernelRe[place] = this.#cos[t];
        this.#kernelIm[place] = -this.#sin[t];
      }
    this.#fourier.transform(this.#kernelRe, this.#kernelIm);
  }

  transform(re: Float64Array, im: Float64Array): void {
    const size = this.#fourier.length;
    const xr = new Float64Array(size);
    const xi = new Float64Array(size);
    xr.set(re);
    xi.set(im);
    multiply(xr, xi, this.#cos, this.#sin);
    this.#fourier.transform(xr, xi);
    multiply(xr, xi, this.#kernelRe, this.#kernelIm);
    this.#fourier.inverse(xr, xi);
    multiply(xr, xi, this.#cos, this.#sin);
    re.set(xr.subarray(0, this.#length));
    im.set(xi.subarray(0, this.#length));
  }
}

/** Multiply complex numbers by others, in place, as far as these go. */
function multiply(xr: Float64Array, xi: Float64Array, yr: Float64Array, yi: Float64Array): void {
  for (let t = 0; t < yr.length; t++) {
    const re = xr[t] * yr[t] - xi[t] * yi[t];
    xi[t] = xr[t] * yi[t] + xi[t] * yr[t];
    xr[t] = re;
  }
}
