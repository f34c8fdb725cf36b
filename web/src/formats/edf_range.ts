/** Physical and digital ranges of EDF signals, which fix how a value is stored. */
import { roundEven } from "../core/numbers.ts";
import type { Resolution } from "../recording.ts";
import { trimmed } from "./text.ts";

/** Ranges of a signal: `physical` in its unit, `digital` as stored. */
export type Ranges = Required<Pick<Resolution, "physical" | "digital">>;

type Pair = [number, number];

/** Number of digital limits tried for one whose physical value fits 8 characters. */
const TRIED = 4096;
const WRITABLE = [-999_999, 9_999_999];
/** Error of a limit, in steps, that is as good as none. */
const EXACT = 1e-6;
const LIMITS: Pair = [-32768, 32767];

/** A value as it is stored. */
export function toDigital({ physical, digital }: Ranges, value: number): number {
  const scale = (digital[1] - digital[0]) / (physical[1] - physical[0]);
  return roundEven((value - physical[0]) * scale + digital[0]);
}

/**
 * The ranges to store a signal with: those it had, where all values fit them; else the same step on
 * the whole digital range; for a signal that never was digital, or whose values do not fit, the
 * finest step that holds them (`coarser`). `gaps`: whether the lowest digital value is left free.
 */
export function choose(
  had: Resolution | undefined,
  [low, high]: Pair,
  gaps: boolean,
): Ranges & { coarser: boolean } {
  if (had?.physical && had.digital && had.bits <= 16) {
    const ranges = { physical: had.physical, digital: had.digital };
    const ends = [toDigital(ranges, low), toDigital(ranges, high)];
    const lowest = had.digital[0] + Number(gaps);
    if (lowest <= Math.min(...ends) && Math.max(...ends) <= had.digital[1])
      return { ...ranges, coarser: false };
  }
  if (had) {
    const ends = [low, high].map((value) => value * had.gain + had.baseline).sort((a, b) => a - b);
    // Shifted into the range that there is, if it has no place there as it is.
    const outside = ends[0] <= LIMITS[0] + 1 || ends[1] >= LIMITS[1];
    const shift = outside ? roundEven((ends[0] + ends[1]) / 2) : 0;
    const needed: Pair = [ends[0] - shift, ends[1] - shift];
    if (LIMITS[0] + 1 < needed[0] && needed[1] < LIMITS[1])
      return { ...short(had.gain, had.baseline - shift, needed), coarser: false };
  }
  // More digits than 8 characters can hold.
  const margin = Math.max((high - low) * 1e-3, 2e-5 * Math.max(Math.abs(low), Math.abs(high), 1));
  const physical: Pair = [Number(eight(low - margin)), Number(eight(high + margin))];
  return { physical, digital: LIMITS, coarser: had !== undefined };
}

/** A number in at most 8 characters, as exact as they allow. Throws Error where it does not fit. */
export function eight(value: number): string {
  for (let decimals = 7; decimals >= 0; decimals--) {
    const text = trimmed(value.toFixed(decimals)).replace(/^-0$/, "0");
    if (text.length <= 8 && !text.includes("e")) return text;
  }
  throw new Error(`${value} does not fit the 8 characters that EDF has for a number`);
}

/** Ranges of this gain that hold `needed` and can be written as exactly as possible. */
function short(gain: number, baseline: number, needed: Pair): Ranges {
  const writable = WRITABLE.map((value) => value * gain + baseline).sort((a, b) => a - b);
  const limits: Pair = [
    Math.max(LIMITS[0], Math.ceil(writable[0])),
    Math.min(LIMITS[1], Math.floor(writable[1])),
  ];
  const [least, most] = [limitNear(limits[0], needed[0], 1), limitNear(limits[1], needed[1], -1)];
  const physical = (digital: number) => Number(eight((digital - baseline) / gain));
  return { physical: [physical(least), physical(most)], digital: [least, most] };

  function limitNear(limit: number, need: number, step: number): number {
    let [best, bestError] = [limit, Infinity];
    for (let digital = limit; digital !== limit + step * TRIED; digital += step) {
      if ((need - digital) * step <= 1 && digital !== limit) break;
      const value = (digital - baseline) / gain;
      const error = Math.abs(Number(eight(value)) - value) * Math.abs(gain);
      if (error < bestError) [best, bestError] = [digital, error];
      if (error < EXACT) break;
    }
    return best;
  }
}
