/** Lowest and highest values of a long signal in view, so that drawing takes the time of a screen. */

const LEVELS = [5, 10]; // binary logarithms of the block sizes that are computed in advance

/** Samples of each point of a view: a power of two, so that points stay where they are in a scroll. */
export function stepOf(samples: number, points: number): number {
  return samples <= points ? 1 : 2 ** Math.ceil(Math.log2((2 * samples) / points));
}

/** Times of the values that `Envelope.view` gives, in samples. */
export function placesOf(first: number, stop: number, step: number): Float64Array {
  if (step === 1) return Float64Array.from({ length: stop - first }, (_, i) => first + i);
  const blocks = Math.ceil(stop / step) - Math.floor(first / step);
  const begin = Math.floor(first / step) * step;
  return Float64Array.from({ length: 2 * blocks }, (_, i) => begin + ((i >> 1) + 0.5) * step);
}

interface Level {
  size: number;
  low: Float32Array;
  high: Float32Array;
}

export class Envelope {
  readonly #samples: Float32Array | Float64Array;
  readonly #levels: Level[] = [];

  /** NaN is a missing sample. */
  constructor(samples: Float32Array | Float64Array) {
    this.#samples = samples;
    for (const exponent of LEVELS) this.#levels.push(this.#level(2 ** exponent));
  }

  /**
   * Samples `first` to `stop` where `step` is 1, else the lowest and the highest value of each
   * `step` samples in turn.
   */
  view(first: number, stop: number, step: number): Float32Array {
    if (step === 1) return Float32Array.from(this.#samples.subarray(first, stop));
    const level = this.#level(step, Math.floor(first / step), Math.ceil(stop / step));
    const values = new Float32Array(2 * level.low.length);
    level.low.forEach((low, i) => {
      values[2 * i] = low;
      values[2 * i + 1] = level.high[i];
    });
    return values;
  }

  /** Median of all samples, and bounds that nearly all of them keep; zeros where all are missing. */
  extent(): { middle: number; low: number; high: number } {
    const every = Math.max(1, Math.floor(this.#samples.length / 20000));
    const some = this.#samples.filter((value, i) => i % every === 0 && value === value).sort();
    const [first] = this.#levels;
    const low = first.low.filter((value) => value === value).sort();
    const high = first.high.filter((value) => value === value).sort();
    const share = (values: typeof some, part: number) =>
      values.length ? values[Math.round(part * (values.length - 1))] : 0;
    return { middle: share(some, 0.5), low: share(low, 0.005), high: share(high, 0.995) };
  }

  /** Blocks `first` to `stop` of `size` samples, from the largest blocks known that divide them. */
  #level(size: number, first = 0, stop = Math.ceil(this.#samples.length / size)): Level {
    const known = this.#levels.findLast((level) => level.size <= size);
    const [lows, highs, each] = known
      ? [known.low, known.high, known.size]
      : [this.#samples, this.#samples, 1];
    const low = new Float32Array(stop - first).fill(NaN);
    const high = low.slice();
    const ratio = size / each;
    for (let block = first; block < stop; block++) {
      const end = Math.min((block + 1) * ratio, lows.length);
      let [least, most] = [Infinity, -Infinity];
      for (let i = block * ratio; i < end; i++) {
        if (lows[i] < least) least = lows[i];
        if (highs[i] > most) most = highs[i];
      }
      if (least <= most) {
        low[block - first] = least;
        high[block - first] = most;
      }
    }
    return { size, low, high };
  }
}
