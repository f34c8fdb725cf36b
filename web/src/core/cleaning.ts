/** Denoising of the leads of a surveyed recording; see ipmdae.pipeline.blocks. */
import type { Options, Recording } from "../recording.ts";
import type { Denoiser } from "./denoiser.ts";
import { project } from "./limb_leads.ts";
import { clip } from "./numbers.ts";
import { withoutSpikes } from "./pacing.ts";
import { type Denoised, Pipeline } from "./pipeline.ts";
import { GUARDS } from "./safeguards.ts";
import { Trust } from "./seconds.ts";
import type { Survey } from "./survey.ts";
import { part, type Tick } from "./tick.ts";

/** Limit in mV at which a lead is clipped, so that it stays finite in single precision. */
const LARGEST = 1e30;

/** Denoised leads; those that are left unchanged are as recorded. */
export interface Cleaned {
  leads: Float64Array[];
  /** For each lead a Trust for each sample, if known. */
  trust: (Uint8Array | null)[];
  /** True if the network gave no finite number in places. */
  failed: boolean;
}

/**
 * Denoise a recording: each lead keeps its offset, its missing samples and its pacing spikes, and
 * where limb leads obeyed Einthoven's and Goldberger's equations, they obey them again.
 *
 * `source` are its leads without powerline interference. Throws an Error where the network needs
 * another number of leads.
 */
export async function clean(
  recording: Recording,
  source: readonly Float64Array[],
  known: Survey,
  denoiser: Denoiser,
  options: Options,
  tick: Tick,
): Promise<Cleaned> {
  const { fs } = recording;
  const limits = { guard: GUARDS[options.mode], classical: options.unreadable === "classical" };
  const pipeline = new Pipeline(denoiser, fs, limits);
  const leads = recording.leads.map(({ samples }) => samples.slice());
  const trust: Cleaned["trust"] = leads.map(() => null);
  const errors: Float32Array[] = [];
  const groups = groupsOf(recording, known, denoiser);
  for (const [i, group] of groups.entries()) {
    const centred = group.map((lead) =>
      centre(source[lead], known.offset[lead], known.pacing[lead], fs),
    );
    const denoised = await pipeline.run(
      centred.map(({ smooth }) => smooth),
      part(tick, i / groups.length, (i + 1) / groups.length),
    );
    group.forEach((lead, j) => {
      if (known.why[lead]) return;
      const constant = known.offset[lead];
      finish(leads[lead], denoised[j], constant, centred[j].spikes, source[lead], options);
      trust[lead] = denoised[j].trust;
      errors[lead] = denoised[j].error;
    });
  }
  const { limbs } = known;
  const recorded = recording.leads.map(({ samples }) => samples);
  if (limbs?.consistent && !limbs.columns.some((lead) => known.why[lead]))
    project(limbs, leads, errors, recorded, fs);
  return { leads, trust, failed: pipeline.failed };
}

/** Leads that go through the network together. */
function groupsOf(recording: Recording, { why }: Survey, { name, network }: Denoiser): number[][] {
  const indices = recording.leads.map((_, i) => i);
  const active = indices.filter((i) => !why[i]);
  const width = network.architecture.leads;
  if (width === 1) return active.map((i) => [i]);
  const voltages = indices.filter((i) => recording.leads[i].unit === "mV");
  if (voltages.length !== width) {
    const names = voltages.map((i) => recording.leads[i].name).join(", ");
    throw new Error(
      `${name} cleans ${width} leads at once, the recording has ${voltages.length} (${names}); ` +
        "take a model that works lead by lead, or a recording of the leads that it was trained on",
    );
  }
  return active.length ? [voltages] : [];
}

/** A lead without its offset and pacing spikes, of a median height; and the spikes, if any. */
function centre(
  lead: Float64Array,
  offset: number,
  height: number | null,
  fs: number,
): { smooth: Float32Array; spikes: Float64Array | null } {
  const centred = lead.map((value) => clip(value - offset, -LARGEST, LARGEST));
  if (height === null) return { smooth: new Float32Array(centred), spikes: null };
  const smooth = withoutSpikes(centred, fs, height);
  const spikes = centred.map((value, t) => value - smooth[t]);
  return { smooth: new Float32Array(smooth), spikes };
}

/** Replace the samples of a lead by the denoised ones, where there is one. */
function finish(
  lead: Float64Array,
  { signal, trust }: Denoised,
  offset: number,
  spikes: Float64Array | null,
  source: Float64Array,
  { unreadable, strength }: Options,
): void {
  for (let t = 0; t < lead.length; t++) {
    const noisy = lead[t];
    if (Number.isNaN(noisy)) continue;
    let denoised = signal[t] + offset + (spikes ? spikes[t] : 0);
    if (trust && trust[t] === Trust.UNTRUSTED) {
      if (unreadable === "raw") denoised = source[t];
      if (unreadable === "blank") denoised = NaN;
    }
    lead[t] = strength === 1 ? denoised : noisy + strength * (denoised - noisy);
  }
}
