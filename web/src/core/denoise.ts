/** Denoising of a recording: the result of `ipmdae denoise`. */
import type { Options, Progress, Recording, Result } from "../recording.ts";
import type { Denoiser } from "./denoiser.ts";

/** Options of `ipmdae denoise` where none are given. */
export const DEFAULTS: Options = {
  mode: "monitoring",
  mains: "off",
  unreadable: "classical",
  strength: 1,
};

/**
 * Denoise a recording in mV, at 60 to 4000 Hz; NaN is a missing sample and stays one.
 *
 * `options` replace those of DEFAULTS. `signal` aborts: the promise is rejected with its reason.
 * Throws an Error for a sampling rate, strength or sample that is out of range.
 */
export async function denoise(
  recording: Recording,
  denoiser: Denoiser,
  options: Partial<Options> = {},
  progress: Progress = () => {},
  signal?: AbortSignal,
): Promise<Result> {
  void [denoiser, options];
  signal?.throwIfAborted();
  progress(1);
  throw new Error(`${recording.name}: cannot be denoised yet`);
}
