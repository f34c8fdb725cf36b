/** From the samples of leads to those of the network, and back; see ipmdae.pipeline.blocks. */
import type { Denoiser } from "./denoiser.ts";
import { fillGaps, LONGEST_LINE } from "./gaps.ts";
import { LIMITED, Guard, type Guarded, type Limits } from "./guard.ts";
import { roundEven, spread } from "./numbers.ts";
import { nearest, Resampler } from "./resample.ts";
import { Trust } from "./seconds.ts";
import type { Tick } from "./tick.ts";
import { cut, MIN_SPREAD, OverlapAdd, robustScale, windowEnds, windowLength } from "./window.ts";

/** Normalised uncertainty where the network gives no finite value. */
const FAILED = 10;
/** Least length of a window in s; a shorter signal is extended by reflection. */
const SHORTEST = 3;
/** Windows that the network takes at once. */
const BATCH = 4;

/** A denoised lead. */
export interface Denoised {
  /** In mV; gaps are filled. */
  signal: Float32Array;
  /** A Trust for each sample. */
  trust: Uint8Array;
  /** Predicted error in mV, averaged over about a second. */
  error: Float32Array;
}

/** Denoises leads at one sampling rate. */
export class Pipeline {
  /** True if the network gave no finite number in places. */
  failed = false;
  readonly #denoiser: Denoiser;
  readonly #fs: number;
  readonly #limits: Limits;
  readonly #there: Resampler;
  readonly #back: Resampler;

  constructor(denoiser: Denoiser, fs: number, limits: Limits) {
    this.#denoiser = denoiser;
    this.#fs = fs;
    this.#limits = limits;
    this.#there = new Resampler(fs, denoiser.settings.fs);
    this.#back = new Resampler(denoiser.settings.fs, fs);
  }

  /** Denoise as many leads as the network takes at once, in mV without offset; NaN is missing. */
  async run(leads: readonly Float32Array[], tick: Tick): Promise<Denoised[]> {
    const filled = leads.map((lead) => fillGaps(lead, roundEven(LONGEST_LINE * this.#fs)));
    const narrow = filled.map((lead) => this.#there.resample(lead));
    const absent = leads.map((lead) => this.#absent(lead, narrow[0].length));
    const windows = await this.#windows(narrow, absent, tick);
    return windows.map((lead, i) => {
      const { length } = filled[i];
      return {
        signal: this.#returned(lead, narrow[i], filled[i]),
        trust: this.#slow(lead.trust, length),
        error: this.#slow(lead.error, length),
      };
    });
  }

  /** Mask of the missing samples at the network's rate; null if there is none. */
  #absent(lead: Float32Array, length: number): Uint8Array | null {
    if (!lead.some(Number.isNaN)) return null;
    const { up, down } = this.#there;
    const absent = new Uint8Array(length);
    for (let i = 0; i < length; i++)
      absent[i] = Number(Number.isNaN(lead[nearest(i, up, down, lead.length)]));
    return absent;
  }

  /** Values at the network's rate, each taken by the samples nearest to it. */
  #slow<T extends Uint8Array | Float32Array>(values: T, length: number): T {
    const { up, down } = this.#back;
    const result = new (values.constructor as new (length: number) => T)(length);
    for (let t = 0; t < length; t++) result[t] = values[nearest(t, up, down, values.length)];
    return result;
  }

  /**
   * Resample a lead back. Where nothing above 15 Hz was removed, the band above the network's is
   * kept: only the output less the restored share of the input is resampled.
   */
  #returned({ signal, gain }: Columns, narrow: Float32Array, filled: Float32Array): Float32Array {
    if (this.#back.up === this.#back.down) return signal.signal;
    const removed = signal.signal.map((value, t) => value - gain.signal[t] * narrow[t]);
    const back = this.#back.resample(removed, filled.length);
    const restored = this.#slow(gain.signal, filled.length);
    return back.map((value, t) => value + restored[t] * filled[t]);
  }

  /** Run all windows of leads, and blend them. */
  async #windows(
    leads: readonly Float32Array[],
    absent: readonly (Uint8Array | null)[],
    tick: Tick,
  ): Promise<Columns[]> {
    const { settings, network } = this.#denoiser;
    const { fs, window, overlap } = settings;
    const samples = leads[0].length;
    const shortest = Math.min(roundEven(SHORTEST * fs), window);
    const adders = leads.map(() => new Adders(samples, overlap));
    const ends = windowEnds(samples, window, overlap);
    const length = windowLength(samples, window, shortest, network.architecture.channels.length);
    const guard = new Guard(length, fs, this.#limits);
    for (let i = 0; i < ends.length; i += BATCH) {
      const batch = ends.slice(i, i + BATCH);
      const inputs = batch.map((end) =>
        leads.map((lead, j) => inputOf(lead, absent[j], end, length)),
      );
      const outputs = this.#network(inputs, length);
      batch.forEach((end, b) =>
        adders.forEach((adder, j) =>
          adder.add(this.#guarded(guard, inputs[b][j], outputs[b][j]), end),
        ),
      );
      await tick((i + batch.length) / ends.length);
    }
    return adders.map((adder) => adder.columns());
  }

  /** Output channels of the network for each window and lead; those of flat windows are 0. */
  #network(windows: Input[][], length: number): Output[][] {
    const { network } = this.#denoiser;
    const width = network.architecture.leads;
    const active = windows.filter((leads) => leads.some(({ flat }) => !flat));
    const scaled = new Float32Array(active.length * length * width);
    active.forEach((leads, b) =>
      leads.forEach(({ values, offset, scale }, j) => {
        for (let t = 0; t < length; t++)
          scaled[(b * length + t) * width + j] = Math.fround(values[t] - offset) / scale;
      }),
    );
    const results = active.length ? network.run(scaled, length) : scaled;
    const channel = (b: number, k: number) => {
      const values = new Float32Array(length);
      const { outputs } = network;
      for (let t = 0; t < length; t++) values[t] = results[(b * length + t) * outputs + k];
      return values;
    };
    return windows.map((leads) => {
      const b = active.indexOf(leads);
      const nothing = () => new Float32Array(length);
      return leads.map((_, j) => ({
        signal: b < 0 ? nothing() : channel(b, j),
        logSd: network.outputs === width ? null : b < 0 ? nothing() : channel(b, width + j),
      }));
    });
  }

  /** The guarded output for a window of a lead. Where the network failed the input is kept. */
  #guarded(guard: Guard, { values, scale, flat }: Input, { signal, logSd }: Output): Guarded {
    const sd = logSd && logSd.map((value) => Math.exp(value) * scale);
    const lost = new Uint8Array(values.length);
    for (let t = 0; t < values.length; t++) {
      signal[t] *= scale;
      lost[t] = Number(!Number.isFinite(signal[t]));
      if (flat || lost[t]) signal[t] = values[t];
      if (!sd) continue;
      if (!Number.isFinite(sd[t])) lost[t] = 1;
      if (flat || lost[t]) sd[t] = 0;
    }
    const guarded = guard.run(values, signal, sd);
    if (lost.includes(1)) this.#distrust(guarded, lost);
    return guarded;
  }

  #distrust({ doubt, gain, error }: Guarded, lost: Uint8Array): void {
    this.failed = true;
    for (let t = 0; t < lost.length; t++)
      if (lost[t]) [doubt[t], gain[t], error[t]] = [FAILED, 1, FAILED];
  }
}

/** A window of a lead, with the offset and the scale of its measured samples. */
interface Input {
  values: Float32Array;
  offset: number;
  scale: number;
  flat: boolean;
}

/** The network's output for it: the denoised lead, and the logarithm of its standard deviation. */
interface Output {
  signal: Float32Array;
  logSd: Float32Array | null;
}

function inputOf(
  lead: Float32Array,
  absent: Uint8Array | null,
  end: number,
  length: number,
): Input {
  const values = cut(lead, end, length);
  const missing = absent && cut(absent, end, length);
  const known = missing ? values.map((value, t) => (missing[t] ? NaN : value)) : values;
  return { values, ...robustScale(known), flat: spread(values) <= Math.fround(MIN_SPREAD) };
}

/** The blended windows of a lead. */
interface Columns {
  signal: OverlapAdd;
  gain: OverlapAdd;
  trust: Uint8Array;
  error: Float32Array;
}

class Adders {
  readonly #signal: OverlapAdd;
  readonly #gain: OverlapAdd;
  readonly #doubt: OverlapAdd;
  readonly #altered: OverlapAdd;
  readonly #error: OverlapAdd;

  constructor(samples: number, overlap: number) {
    this.#signal = new OverlapAdd(samples, overlap);
    this.#gain = new OverlapAdd(samples, overlap);
    this.#doubt = new OverlapAdd(samples, overlap);
    this.#altered = new OverlapAdd(samples, overlap);
    this.#error = new OverlapAdd(samples, overlap);
  }

  add(window: Guarded, end: number): void {
    this.#signal.add(window.signal, end);
    this.#gain.add(window.gain, end);
    this.#doubt.add(window.doubt, end);
    this.#altered.add(window.altered, end);
    this.#error.add(window.error, end);
  }

  columns(): Columns {
    const [doubt, altered] = [this.#doubt.signal, this.#altered.signal];
    const trust = Uint8Array.from(doubt, (value, t) => trustOf(value, altered[t]));
    return { signal: this.#signal, gain: this.#gain, trust, error: this.#error.signal };
  }
}

function trustOf(doubt: number, altered: number): number {
  if (doubt >= 1) return Trust.UNTRUSTED;
  if (altered > 0.5) return Trust.ALTERED;
  return doubt >= LIMITED ? Trust.LIMITED : Trust.GOOD;
}
