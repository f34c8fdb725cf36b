import { expect, test } from "vitest";
import { Fourier, filterPair, powers } from "../../src/core/fourier.ts";
import { fillGaps } from "../../src/core/gaps.ts";
import { removeMains } from "../../src/core/mains.ts";
import { general, roundEven, tabulate } from "../../src/core/numbers.ts";
import { pacingHeight } from "../../src/core/pacing.ts";
import { fraction, Resampler } from "../../src/core/resample.ts";
import { cut, OverlapAdd, windowEnds, windowLength } from "../../src/core/window.ts";

/** Numbers from -1 to 1, the same ones each time. */
function noise(length: number, seed = 1): Float64Array {
  let state = seed;
  return tabulate(length, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

function sine(length: number, fs: number, hertz: number): Float64Array {
  return tabulate(length, (t) => Math.sin((2 * Math.PI * hertz * t) / fs));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...tabulate(a.length, (i) => Math.abs(a[i] - b[i])));
}

test.each([1, 2, 3, 12, 49, 60, 97, 169, 210, 2 * 131])("a transform of %i values", (n) => {
  const [re, im] = [noise(n), noise(n, 2)];
  const sum = (k: number, wave: (angle: number) => [number, number]) =>
    re.reduce((total, _, t) => {
      const [a, b] = wave((2 * Math.PI * k * t) / n);
      return total + a * re[t] + b * im[t];
    }, 0);
  const expectedRe = tabulate(n, (k) => sum(k, (angle) => [Math.cos(angle), Math.sin(angle)]));
  const expectedIm = tabulate(n, (k) => sum(k, (angle) => [-Math.sin(angle), Math.cos(angle)]));
  const [gotRe, gotIm] = [re.slice(), im.slice()];
  Fourier.of(n).transform(gotRe, gotIm);
  expect(largestDifference(gotRe, expectedRe)).toBeLessThan(1e-11 * n);
  expect(largestDifference(gotIm, expectedIm)).toBeLessThan(1e-11 * n);
  Fourier.of(n).inverse(gotRe, gotIm);
  expect(largestDifference(gotRe, re) + largestDifference(gotIm, im)).toBeLessThan(1e-13);
});

test("two signals are filtered apart from each other", () => {
  const [slow, fast] = [sine(1000, 250, 2), sine(1000, 250, 40)];
  const both = slow.map((value, t) => value + fast[t]);
  const low = tabulate(501, (k) => Number(k < 100));
  const [a, b] = [both.slice(), both.map((value) => 3 * value)];
  filterPair(
    a,
    b,
    low,
    low.map((gain) => 1 - gain),
  );
  expect(largestDifference(a, slow)).toBeLessThan(1e-12);
  expect(
    largestDifference(
      b,
      fast.map((value) => 3 * value),
    ),
  ).toBeLessThan(1e-12);
  const power = powers(slow, fast);
  expect([power[8], power[160]].map(Math.sqrt)).toEqual(
    [500, 500].map((x) => expect.closeTo(x, 8)),
  );
});

test.each([
  [250, 500],
  [500, 250],
  [360, 250],
  [250, 360],
  [257, 250],
  [4000, 250],
  [250, 999.7],
])("a sine at %f Hz keeps its phase and its height at %f Hz", (fs, newFs) => {
  const hertz = 0.4 * Math.min(fs, newFs);
  const samples = Math.round(8 * fs);
  const resampler = new Resampler(fs, newFs);
  const got = resampler.resample(new Float32Array(sine(samples, fs, hertz)));
  expect(got.length).toBe(Math.round(8 * newFs));
  const inner = [Math.round(2 * newFs), Math.round(6 * newFs)] as const; // the ends are continued
  const expected = sine(got.length, newFs, hertz);
  expect(largestDifference(got.slice(...inner), expected.slice(...inner))).toBeLessThan(2e-5);
});

test("slopes and constants are resampled without ringing at the ends", () => {
  for (const length of [1, 2, 50, 3000]) {
    const slope = Float32Array.from({ length }, (_, t) => 3 + t / 100);
    const got = new Resampler(360, 250).resample(slope);
    expect(
      largestDifference(
        got,
        got.map((_, t) => 3 + (t * 1.44) / 100),
      ),
    ).toBeLessThan(1e-5);
    expect(got.length).toBe(Math.max(roundEven(length / 1.44), 1));
  }
});

test("rates are whole numbers to each other", () => {
  expect(fraction(360, 250)).toEqual([25, 36]);
  expect(fraction(250, 61.3)).toEqual([613, 2500]);
  expect(fraction(250, 250)).toEqual([1, 1]);
  const [up, down] = fraction(250, 250 * Math.PI);
  expect(down).toBeLessThanOrEqual(8192);
  expect(Math.abs(up / down - Math.PI)).toBeLessThan(3e-7);
});

test("gaps are bridged by lines, long ones only at their end", () => {
  const lead = Float64Array.of(NaN, 1, NaN, NaN, NaN, 5, NaN, NaN, NaN, NaN, NaN, 8, NaN);
  expect([...fillGaps(lead, 3)]).toEqual([1, 1, 2, 3, 4, 5, 5, 5, 5.75, 6.5, 7.25, 8, 8]);
  expect([...fillGaps(new Float64Array([NaN, NaN, NaN, 2]), 2)]).toEqual([
    0,
    expect.closeTo(2 / 3),
    expect.closeTo(4 / 3),
    2,
  ]);
  expect([...fillGaps(new Float64Array(3).fill(NaN), 2)]).toEqual([0, 0, 0]);
});

test("windows are put back together", () => {
  for (const length of [30, 100, 101, 160, 1000]) {
    const lead = new Float32Array(noise(length));
    const adder = new OverlapAdd(length, 40);
    for (const end of windowEnds(length, 100, 40)) adder.add(cut(lead, end, 100), end);
    expect(largestDifference(adder.signal, lead)).toBeLessThan(1e-6);
  }
});

test("windows of short signals differ from whole ones by a multiple of 2^halvings", () => {
  expect(windowLength(9000, 5000, 750, 5)).toBe(5000);
  expect(windowLength(5000, 5000, 750, 5)).toBe(5000);
  expect(windowLength(4999, 5000, 750, 5)).toBe(5000);
  expect(windowLength(4968, 5000, 750, 5)).toBe(4968);
  expect(windowLength(3, 5000, 750, 5)).toBe(776);
});

test("powerline interference is removed, and nothing else", async () => {
  const [fs, samples] = [500, 10_000];
  const beats = tabulate(samples, (t) => Math.exp(-0.5 * (((t % 400) - 200) / 12) ** 2));
  const mains = tabulate(samples, (t) =>
    [1, 3].reduce((sum, h) => sum + 0.2 * Math.sin((2 * Math.PI * h * 49.8 * t) / fs + h), 0),
  );
  const noisy = beats.map((value, t) => value + mains[t]);
  noisy.fill(NaN, 3000, 3700);
  const [cleaned] = await removeMains([noisy], fs, 50, async () => {});
  const error = cleaned.map((value, t) => Math.abs(value - beats[t]));
  expect([...error.keys()].every((t) => Number.isNaN(error[t]) === (t >= 3000 && t < 3700))).toBe(
    true,
  );
  expect(Math.max(...error.filter((x) => !Number.isNaN(x)))).toBeLessThan(0.02);
});

test("numbers are written and rounded as in Python", () => {
  expect([0.5, 1.5, 2.5, -1.5, 2.4999].map(roundEven)).toEqual([0, 2, 2, -2, 2]);
  expect([1234567, 360, 61.3, 0.00001234, 0].map((x) => general(x))).toEqual([
    "1.23457e+06",
    "360",
    "61.3",
    "1.234e-05",
    "0",
  ]);
});

test("a lead that is paced for a day has a height", () => {
  const piece = new Float64Array(2500);
  for (let at = 100; at < piece.length; at += 150) piece[at] = 1.5;
  const day = Array<Float64Array>(8640).fill(piece); // of 10 s: 147,000 spikes
  expect(pacingHeight(day, 250)).toBeCloseTo(1.5);
});
