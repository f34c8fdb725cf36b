/** Detection of powerline interference in a lead's power spectrum; see ipmdae.inspection.spectrum. */
import { powers } from "./fourier.ts";
import { fillGaps } from "./gaps.ts";
import { harmonicsAt } from "./mains.ts";
import { general, median, roundEven, tabulate } from "./numbers.ts";
import type { Tick } from "./tick.ts";

const SEGMENT = 8; // s: a resolution of 0.125 Hz
const MISSING = 0.01; // share of a segment
const LONG = 3600; // s: longer recordings have enough segments without overlap
const CHUNK = 120; // s
const HUM = 10; // smallest ratio of a line's power density to the spectrum around it
const MIN_HUM = 0.005; // mV RMS: detection limit

/** Power density of a lead in mV²/Hz at multiples of `step` Hz; NaN without a complete segment. */
export interface Spectrum {
  step: number;
  density: Float64Array;
}

/**
 * Mean of the spectra of segments of 8 s (Welch's method), each under a Hann window. Those of which
 * more than 1 % is missing are left out; shorter gaps are interpolated.
 */
export async function spectrumOf(lead: Float64Array, fs: number, tick: Tick): Promise<Spectrum> {
  const samples = lead.length;
  const length = Math.max(Math.min(roundEven(SEGMENT * fs), samples), 2);
  const window = tabulate(length, (t) => 0.5 - 0.5 * Math.cos((2 * Math.PI * t) / length));
  const starts = startsOf(samples, length, fs);
  const offset = median(lead.subarray(0, roundEven(CHUNK * fs))) || 0;
  const filled = fillGaps(lead, samples);
  const segmentAt = (start: number) =>
    filled.slice(start, start + length).map((value, t) => (value - offset) * window[t]);
  const density = new Float64Array((length >> 1) + 1);
  const missing = (start: number) => lead.subarray(start, start + length).filter(Number.isNaN);
  const whole = starts.filter((start) => missing(start).length <= MISSING * length);
  for (let i = 0; i < whole.length; i += 2) {
    const other = i + 1 < whole.length ? segmentAt(whole[i + 1]) : new Float64Array(length);
    powers(segmentAt(whole[i]), other).forEach((power, k) => (density[k] += power));
    await tick(i / whole.length);
  }
  const scale = fs * window.reduce((sum, value) => sum + value * value, 0) * whole.length;
  const twice = (length + 1) >> 1; // negative frequencies have the same power
  return {
    step: 1 / (length * (1 / fs)),
    density: density.map((d, k) => (d * (k && k < twice ? 2 : 1)) / scale),
  };
}

/** RMS in mV of the interference at `mains` Hz; 0 if it is not detected. */
export function hum({ step, density }: Spectrum, mains: number): number {
  if (mains + 1 > step * (density.length - 1)) return 0;
  const within = (low: number, high: number) =>
    density.filter((_, k) => {
      const distance = Math.abs(k * step - mains);
      return distance <= high && distance > low;
    });
  const [line, around] = [within(-1, 0.5), within(1, 5)];
  if (!line.length || !around.length) return 0;
  const floor = median(around);
  const power = line.reduce((sum, value) => sum + value - floor, 0) * step;
  const rms = Math.sqrt(Math.max(power, 0));
  return Math.max(...line) > HUM * floor && rms >= MIN_HUM ? rms : 0;
}

/** The mains frequency whose interference is strongest in any lead, if it can be removed. */
export function strongestMains(spectra: readonly Spectrum[], fs: number): 50 | 60 | null {
  const most = (mains: number) => Math.max(0, ...spectra.map((spectrum) => hum(spectrum, mains)));
  const mains = most(60) > most(50) ? 60 : 50;
  return most(mains) && harmonicsAt(fs, mains) ? mains : null;
}

/** Warning of powerline interference in leads, by name. */
export function humWarnings(names: readonly string[], spectra: readonly Spectrum[]): string[] {
  return [50, 60].flatMap((mains) => {
    const affected = names.flatMap((name, i) => {
      const rms = hum(spectra[i], mains);
      return rms ? [`${name} (${general(rms, 2)} mV)`] : [];
    });
    if (!affected.length) return [];
    const more = affected.length > 12 ? ` and ${affected.length - 12} more` : "";
    const leads = affected.slice(0, 12).join(", ") + more;
    return [`${mains} Hz powerline interference in ${leads}: mains ${mains} removes it first`];
  });
}

/** First samples of segments, which overlap by half within chunks of two minutes. */
function startsOf(samples: number, length: number, fs: number): number[] {
  const step = Math.max(samples > LONG * fs ? length : length >> 1, 1);
  const chunks = Math.ceil(Math.max(roundEven(samples / fs), 1) / CHUNK);
  const starts = [];
  for (let i = 0; i < chunks; i++) {
    const stop = i + 1 < chunks ? roundEven((i + 1) * CHUNK * fs) : samples;
    for (let start = roundEven(i * CHUNK * fs); start + length <= stop; start += step)
      starts.push(start);
  }
  return starts;
}
