/** Denoising of a recording: the result of `ipmdae denoise`. */
import type { Options, Progress, Recording, Result } from "../recording.ts";
import { clean, type Cleaned } from "./cleaning.ts";
import type { Denoiser } from "./denoiser.ts";
import { checkRecording, commentsOf } from "./guarantees.ts";
import { removeMains } from "./mains.ts";
import { amplitudeWarnings, gradeOf, judge } from "./quality.ts";
import { checkOptions } from "./safeguards.ts";
import { edgesOf, measure } from "./seconds.ts";
import { humWarnings, spectrumOf, strongestMains } from "./spectrum.ts";
import { type Survey, survey } from "./survey.ts";
import { part, type Tick, ticking } from "./tick.ts";
import { ungraded, verdict } from "./verdict.ts";

/** Options of `ipmdae denoise` where none are given. */
export const DEFAULTS: Options = {
  mode: "monitoring",
  mains: "off",
  unreadable: "classical",
  strength: 1,
};

/** Grade of the seconds of a lead that is not a voltage. */
const UNGRADED = 255;

const FAILED =
  "the network gives no finite number in places; there the signal stays as it is, and counts as " +
  "unreadable";

/**
 * Denoise a recording in mV, at 60 to 4000 Hz; NaN is a missing sample and stays one.
 *
 * `options` replace those of DEFAULTS. `signal` aborts: the promise is rejected with its reason.
 * Throws an Error for a sampling rate, an option or a sample that is out of range.
 */
export async function denoise(
  recording: Recording,
  denoiser: Denoiser,
  options: Partial<Options> = {},
  progress: Progress = () => {},
  signal?: AbortSignal,
): Promise<Result> {
  signal?.throwIfAborted();
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(DEFAULTS, name));
  if (unknown.length)
    throw new TypeError(
      `unknown option ${unknown[0]}; there are: ${Object.keys(DEFAULTS).join(", ")}`,
    );
  const chosen = { ...DEFAULTS, ...options };
  checkOptions(chosen);
  checkRecording(recording);
  const tick = ticking(progress, signal);
  const interference = await mainsOf(recording, chosen, part(tick, 0, 0.04));
  const { mains } = interference;
  const { source, known } = await surveyed(recording, mains, part(tick, 0.04, 0.1));
  const cleaned = await clean(recording, source, known, denoiser, chosen, part(tick, 0.1, 0.95));
  const method = denoiser.name + (mains ? ` after removal of ${mains} Hz interference` : "");
  const comments = commentsOf(recording, known.why, method, chosen.strength);
  const result = await judged(recording, cleaned, known, comments, part(tick, 0.95, 1));
  result.warnings.push(...interference.warnings);
  if (cleaned.failed) result.warnings.push(FAILED);
  progress(1);
  return result;
}

/** Powerline interference to remove, in Hz, and warnings of that which stays. */
async function mainsOf(
  { fs, leads }: Recording,
  { mains }: Options,
  tick: Tick,
): Promise<{ mains: number | null; warnings: string[] }> {
  if (typeof mains === "number") return { mains, warnings: [] };
  const voltages = leads.filter(({ unit }) => unit === "mV");
  const spectra = [];
  for (const [i, lead] of voltages.entries()) {
    const own = part(tick, i / voltages.length, (i + 1) / voltages.length);
    spectra.push(await spectrumOf(lead.samples, fs, own));
  }
  if (mains === "auto") return { mains: strongestMains(spectra, fs), warnings: [] };
  const names = voltages.map(({ name }) => name);
  return { mains: null, warnings: humWarnings(names, spectra) };
}

/** The leads of a recording without powerline interference, and what is known of them. */
async function surveyed(
  recording: Recording,
  mains: number | null,
  tick: Tick,
): Promise<{ source: Float64Array[]; known: Survey }> {
  const voltages = indicesOf(recording.leads, ({ unit }) => unit === "mV");
  let source = await withoutMains(recording, voltages, mains, part(tick, 0, 0.4));
  const known = await survey(recording, source, part(tick, 0.4, 0.6));
  const active = indicesOf(known.why, (why) => !why);
  // The frequency is estimated from all leads together: now from those that are denoised.
  if (active.length < voltages.length)
    source = await withoutMains(recording, active, mains, part(tick, 0.6, 1));
  return { source, known };
}

async function withoutMains(
  recording: Recording,
  columns: readonly number[],
  mains: number | null,
  tick: Tick,
): Promise<Float64Array[]> {
  const leads = recording.leads.map(({ samples }) => samples);
  if (!mains) return leads;
  const own = columns.map((column) => leads[column]);
  const cleaned = await removeMains(own, recording.fs, mains, tick);
  columns.forEach((column, i) => (leads[column] = cleaned[i]));
  return leads;
}

/** The result: the denoised recording, and grades and verdict of each lead. */
async function judged(
  recording: Recording,
  cleaned: Cleaned,
  { why }: Survey,
  comments: string[],
  tick: Tick,
): Promise<Result> {
  const leads = recording.leads.map((lead, i) => ({ ...lead, samples: cleaned.leads[i] }));
  const result: Result = {
    recording: { ...recording, leads, comments },
    grades: [],
    reasons: [],
    verdicts: [],
    warnings: [],
  };
  for (const [i, lead] of recording.leads.entries()) {
    if (lead.unit === "mV") {
      const seconds = measure(lead.samples, cleaned.leads[i], cleaned.trust[i], recording.fs);
      const reasons = judge(seconds);
      result.grades.push(Uint8Array.from(reasons, gradeOf));
      result.reasons.push(reasons);
      result.verdicts.push(verdict(lead.name, why[i], seconds, reasons));
      result.warnings.push(...amplitudeWarnings(lead.name, seconds));
      if (why[i]) result.warnings.push(`lead ${lead.name} is ${why[i]}: left unchanged`);
    } else {
      const count = edgesOf(lead.samples.length, recording.fs).length - 1;
      result.grades.push(new Uint8Array(count).fill(UNGRADED));
      result.reasons.push(new Array<string>(count).fill(""));
      result.verdicts.push(ungraded(lead.name, why[i]));
    }
    await tick((i + 1) / leads.length);
  }
  if (recording.leads.every(({ unit }) => unit !== "mV"))
    result.warnings.push("no lead is a voltage: nothing was cleaned");
  return result;
}

function indicesOf<T>(items: readonly T[], holds: (item: T) => boolean): number[] {
  return items.flatMap((item, i) => (holds(item) ? [i] : []));
}
