/** What is known of the leads of a recording before they are denoised; see ipmdae.pipeline.survey. */
import type { Lead, Recording } from "../recording.ts";
import { findLimbLeads, type LimbLeads } from "./limb_leads.ts";
import { roundEven, sortedKnown, quantile } from "./numbers.ts";
import { isOther } from "./other_signals.ts";
import { pacingHeight } from "./pacing.ts";
import type { Tick } from "./tick.ts";
import { MIN_SPREAD } from "./window.ts";

/** Seconds of which a median is taken. */
const PIECE = 10;

export interface Survey {
  /** For each lead the reason why it stays unchanged; empty if it is denoised. */
  why: string[];
  /** Constant (DC) offset of each lead in mV. */
  offset: number[];
  /** Median height in mV of each lead's pacing spikes; null for a lead without. */
  pacing: (number | null)[];
  limbs: LimbLeads | null;
}

/** Survey a recording whose leads, freed from powerline interference, are `leads`. */
export async function survey(
  recording: Recording,
  leads: readonly Float64Array[],
  tick: Tick,
): Promise<Survey> {
  const { fs } = recording;
  const size = Math.max(roundEven(PIECE * fs), 1);
  const names = recording.leads.map(({ name }) => name);
  const voltages = recording.leads.map(({ unit }) => unit === "mV");
  const limbs = findLimbLeads(names, leads, voltages);
  const found: Survey = { why: [], offset: [], pacing: [], limbs };
  for (const [i, lead] of leads.entries()) {
    const pieces = piecesOf(lead, size);
    const { range, offset } = measure(pieces);
    found.why.push(reason(recording.leads[i], range));
    found.offset.push(offset);
    found.pacing.push(pacingHeight(pieces, fs));
    await tick((i + 1) / leads.length);
  }
  return found;
}

/** Reason not to denoise a lead, by name, unit and range; the range is NaN without samples. */
function reason({ name, unit }: Lead, range: number): string {
  if (unit !== "mV") return unit === "NU" || unit === "" ? "not a voltage" : `in ${unit}`;
  if (isOther(name)) return "named as another signal";
  if (Number.isNaN(range)) return "without samples";
  return range <= MIN_SPREAD ? "flat" : "";
}

/** Range of a lead, and its offset: the weighted median of the medians of its pieces. */
function measure(pieces: Float64Array[]): { range: number; offset: number } {
  let [low, high, count] = [Infinity, -Infinity, 0];
  const medians = [];
  for (const piece of pieces) {
    const known = sortedKnown(piece);
    if (!known.length) continue;
    low = Math.min(low, known[0]);
    high = Math.max(high, known[known.length - 1]);
    count += known.length;
    medians.push({ median: quantile(known, 0.5), weight: known.length });
  }
  medians.sort((a, b) => a.median - b.median);
  let share = 0;
  const middle = medians.find(({ weight }) => (share += weight) >= count / 2);
  return { range: middle ? high - low : NaN, offset: middle?.median ?? 0 };
}

function piecesOf(lead: Float64Array, size: number): Float64Array[] {
  const count = Math.ceil(lead.length / size);
  return Array.from({ length: count }, (_, i) => lead.subarray(i * size, (i + 1) * size));
}
