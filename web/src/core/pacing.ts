/** Pacing spikes: taken out before denoising and put back as they were; see ipmdae.pipeline.pacing. */
import { median, roundEven, tabulate } from "./numbers.ts";

/** Seconds from the middle of a spike within which it is over. */
const REACH = 0.003;
/** Least height of a spike in mV, and by the median height of what surrounds it. */
const LEAST = 0.15;
const ABOVE = 8;
/** Spikes a minute of a pacemaker in a piece, those of both chambers together. */
const RATE = [20, 400] as const;
/** Largest difference of the samples beside a spike, relative to its height. */
const FLAT = 0.25;
/** Largest median deviation of heights, relative to their median, and of each of two heights. */
const REGULARITY = 0.35;
const OF_TWO = 0.2;
/** Least number of spikes of one height, and seconds at such a rate of a paced lead. */
const LEAST_SPIKES = 3;
const SECONDS = 30;

/**
 * Middles of what may be pacing spikes in a lead in mV: a spike stands out from the samples 3 ms on
 * either side, which agree with each other and with those as far again, and is the highest within.
 *
 * `least` is its least height; by default what stands out from the rest of the lead.
 */
export function spikes(x: Float64Array, fs: number, least?: number): number[] {
  const k = reachOf(fs);
  const count = x.length - 4 * k; // candidates are the samples from 2 k on
  if (count <= 2 * k) return [];
  const sizes = tabulate(count, (i) => Math.abs(x[i + 2 * k] - base(x, i, k)));
  const alone = (limit: number) =>
    sizes.map((size, i) => (standsOut(x, i, k, size, limit) ? size : 0));
  let found = alone(least ?? LEAST);
  if (!found.some(Boolean)) return [];
  if (least === undefined) found = alone(Math.max(LEAST, ABOVE * median(sizes)));
  return Array.from(found.keys())
    .filter((i) => found[i] && isHighest(found, i, k))
    .map((i) => i + 2 * k);
}

/** A lead without its spikes, whose median height is given; they lie on straight lines then. */
export function withoutSpikes(x: Float64Array, fs: number, height: number): Float64Array {
  const k = reachOf(fs);
  const smooth = x.slice();
  for (const at of spikes(x, fs, height / 2))
    for (let i = -k; i <= k; i++)
      smooth[at + i] = x[at - k] + ((x[at + k] - x[at - k]) * (i + k)) / (2 * k);
  return smooth;
}

/** A lead whose spikes are missing (NaN). */
export function missingSpikes(x: Float64Array, fs: number): Float64Array {
  const missing = x.slice();
  const k = reachOf(fs);
  for (const at of spikes(x, fs)) missing.fill(NaN, at - k, at + k + 1);
  return missing;
}

/**
 * Height of a lead's pacing spikes in mV, searched in pieces of it; null if not paced. It is their
 * median, or that of the lower ones where there are two heights, as of two chambers.
 */
export function pacingHeight(pieces: readonly Float64Array[], fs: number): number | null {
  const k = reachOf(fs);
  const searched = pieces.map((x) => {
    const heights = spikes(x, fs).map((at) => Math.abs(x[at] - (x[at - k] + x[at + k]) / 2));
    return { heights, seconds: x.length / fs };
  });
  const paced = searched.filter(({ heights, seconds }) => {
    const rate = (60 * heights.length) / seconds;
    return rate >= RATE[0] && rate <= RATE[1];
  });
  const least = Math.min(SECONDS, secondsOf(searched) / 2);
  const heights = Float64Array.from(paced.flatMap((piece) => piece.heights));
  if (secondsOf(paced) < least || heights.length < LEAST_SPIKES) return null;
  heights.sort();
  const ratios = tabulate(heights.length - 1, (i) => heights[i + 1] / heights[i]);
  const split = ratios.indexOf(ratios.reduce((most, ratio) => Math.max(most, ratio))) + 1;
  const both = [heights.slice(0, split), heights.slice(split)];
  const areTwo = both.every((h) => h.length >= LEAST_SPIKES && deviation(h) <= OF_TWO);
  if (areTwo) return median(both[0]);
  return deviation(heights) <= REGULARITY ? median(heights) : null;
}

function secondsOf(pieces: readonly { seconds: number }[]): number {
  return pieces.reduce((total, { seconds }) => total + seconds, 0);
}

/** Median deviation from the median, relative to it. */
function deviation(heights: Float64Array): number {
  const middle = median(heights);
  return median(heights.map((height) => Math.abs(height - middle))) / middle;
}

function reachOf(fs: number): number {
  return Math.max(roundEven(REACH * fs), 1);
}

/** Mean of the samples beside the candidate i. */
function base(x: Float64Array, i: number, k: number): number {
  return (x[i + k] + x[i + 3 * k]) / 2;
}

/** Comparisons with missing samples are false. */
function standsOut(x: Float64Array, i: number, k: number, size: number, limit: number): boolean {
  const level = base(x, i, k);
  return (
    size > limit &&
    Math.abs(x[i + k] - x[i + 3 * k]) < FLAT * size &&
    Math.abs(x[i] - level) < 1.5 * FLAT * size &&
    Math.abs(x[i + 4 * k] - level) < 1.5 * FLAT * size
  );
}

function isHighest(sizes: Float64Array, i: number, k: number): boolean {
  for (let j = Math.max(i - k, 0); j <= Math.min(i + k, sizes.length - 1); j++)
    if (sizes[j] > sizes[i] || (j < i && sizes[j] === sizes[i])) return false;
  return true;
}
