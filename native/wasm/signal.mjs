// Arrays of one lead: scale, gaps, windows. As in ipmdae.pipeline.window, ipmdae.pipeline.gaps and ipmdae.pipeline.survey.

/** Spread in mV up to which a lead counts as flat. */
export const MIN_SPREAD = 1e-3;

const LONGEST_LINE = 2; // seconds of a gap that are bridged by a straight line
const PIECE = 10; // seconds of which a median is taken
const SHORTEST = 3; // seconds of a window

/** The largest value less the smallest; NaN is ignored, and alone gives -Infinity. */
export function spread(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low;
}

/** What a lead lies around: the weighted median of the medians of its pieces of 10 s. */
export function offset(lead, fs) {
  const size = Math.max(Math.round(PIECE * fs), 1);
  const pieces = [];
  for (let i = 0; i < lead.length; i += size) {
    const known = sorted(lead.subarray(i, i + size));
    if (known.length) pieces.push({ median: quantile(known, 0.5), weight: known.length });
  }
  pieces.sort((a, b) => a.median - b.median);
  const half = pieces.reduce((sum, piece) => sum + piece.weight, 0) / 2;
  let share = 0;
  return pieces.find((piece) => (share += piece.weight) >= half).median;
}

/**
 * Offset and scale that bring the samples of a window to about zero and one: their median, and half
 * the distance between the 5th and the 95th percentile, or 1 where that is flat.
 */
export function robustScale(values) {
  const known = sorted(values);
  if (!known.length) return { offset: 0, scale: 1 };
  const scale = (quantile(known, 0.95) - quantile(known, 0.05)) / 2;
  return { offset: quantile(known, 0.5), scale: scale > MIN_SPREAD ? scale : 1 };
}

/**
 * A copy without gaps (NaN): each lies on a line between its ends, of which those longer than two
 * seconds hold the last value at first. Ends of the lead take the nearest sample, or 0 for a longer
 * gap at the beginning.
 */
export function fillGaps(lead, fs) {
  const limit = Math.round(LONGEST_LINE * fs);
  const filled = Float32Array.from(lead);
  let last = -1; // index of the last known sample
  for (let i = 0; i <= lead.length; i++) {
    if (i < lead.length && Number.isNaN(lead[i])) continue;
    const gap = i - last - 1;
    const after = i < lead.length ? lead[i] : (lead[last] ?? 0);
    const before = lead[last] ?? (gap > limit ? 0 : after);
    const line = Math.min(gap, limit);
    filled.fill(before, last + 1, i - line);
    for (let t = 1; t <= line; t++)
      filled[i - line - 1 + t] = before + ((after - before) * t) / (line + 1);
    last = i;
  }
  return filled;
}

/**
 * The window of a lead that ends before the sample `end`. One that would begin before the lead
 * begins with it, or where that is shorter than three seconds, with their mirror image.
 */
export function cut(lead, end, window, fs) {
  const length = Math.min(window, Math.max(end, Math.round(SHORTEST * fs)));
  const first = end - length;
  if (first >= 0) return lead.subarray(first, end);
  const period = 2 * end;
  return Float32Array.from({ length }, (_, i) => {
    const place = (((first + i) % period) + period) % period;
    return lead[place < end ? place : period - 1 - place];
  });
}

/** Samples before which windows end: a window less an overlap apart, the last with the signal. */
export function windowEnds(length, window, overlap) {
  const ends = [];
  for (let end = window; end < length; end += window - overlap) ends.push(end);
  return [...ends, length];
}

/**
 * Puts the windows of a lead back together. Neighbours fade into one another by raised cosines over
 * the middle half of their overlap.
 */
export class OverlapAdd {
  constructor(length, overlap) {
    this.signal = new Float32Array(length);
    this.fade = overlap >> 1;
    this.margin = (overlap - this.fade) >> 1;
    this.done = 0;
  }

  /** Add the next window, which ends before the sample `end`. */
  add(values, end) {
    const first = end - values.length;
    for (let t = this.done; t < end; t++) {
      const place = t - this.done;
      const share = this.done > 0 && place < this.fade ? this.#rise(place) : 1;
      this.signal[t] = (1 - share) * this.signal[t] + share * values[t - first];
    }
    this.done = Math.max(end - this.margin - this.fade, this.done);
  }

  #rise(place) {
    return Math.sin(((Math.PI / 2) * (place + 0.5)) / this.fade) ** 2;
  }
}

function sorted(values) {
  return values.filter((value) => !Number.isNaN(value)).sort();
}

function quantile(ordered, share) {
  const place = (ordered.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (ordered[above] - ordered[below]) * (place - below);
}
