/** Signal quality: a reason, and by it a grade, for each second of a lead; see ipmdae.quality. */
import { general, median } from "./numbers.ts";
import { type Second, Trust } from "./seconds.ts";
import { MIN_SPREAD } from "./window.ts";

/** Peak-to-peak amplitudes in mV that an ECG on the skin can have. */
const AMPLITUDES = [0.05, 20] as const;
/** Seconds without a beat from which on an electrode is taken to be off. */
const NO_BEAT = 6;
/** Share of a second that may be missing. */
const MISSING = 0.25;
/** Least distance of a value at which a lead is saturated from its median, by its amplitude. */
const CLEAR = 0.2;

/** Time in s at the extreme value of a lead after which it is saturated. */
const HELD = 0.04;
/** The same where as many seconds reach the value. */
const [HELD_OFTEN, OFTEN] = [0.012, 5];

/** Share of seconds with a flat part from which on the lead is not judged off. */
const FLAT_SHARE = 0.5;

export const GRADES = ["good", "limited", "unusable"] as const;

/** Reasons and their grades; the first that applies counts. */
const GRADE_OF = {
  missing: 2,
  saturated: 2,
  "lead off or asystole": 2,
  "amplitude impossible": 2,
  motion: 2,
  "altered rhythm": 1,
  noisy: 1,
  readable: 0,
} as const;

export type Reason = keyof typeof GRADE_OF;

/** Reasons in the order in which the command lists them. */
export const REASONS = Object.keys(GRADE_OF) as Reason[];

/** Grade of a second by its reason: 0 good, 1 limited, 2 unusable. */
export function gradeOf(reason: Reason): number {
  return GRADE_OF[reason];
}

/** Judge each second of a lead. */
export function judge(seconds: readonly Second[]): Reason[] {
  const over = (value: (second: Second) => number) => Float64Array.from(seconds, value);
  // Comparisons with NaN, of a second without samples, are false: it is missing anyway.
  const bottom = over(({ low }) => low).reduce((a, b) => (b < a || Number.isNaN(a) ? b : a), NaN);
  const top = over(({ high }) => high).reduce((a, b) => (b > a || Number.isNaN(a) ? b : a), NaN);
  const middle = median(over((second) => second.middle));
  const clear = CLEAR * median(over(spanOf));
  // A simulated lead without noise is flat between all of its beats.
  const atTimes = seconds.filter(({ flat }) => flat).length < FLAT_SHARE * seconds.length;
  const withoutBeats = beatless(seconds);
  const atTop = clipped(seconds, ({ high, highHeld }) =>
    high >= top && top - middle > clear ? highHeld : 0,
  );
  const atBottom = clipped(seconds, ({ low, lowHeld }) =>
    low <= bottom && middle - bottom > clear ? lowHeld : 0,
  );
  const rules: [Reason, (second: Second, i: number) => boolean][] = [
    ["missing", ({ missing }) => missing > MISSING],
    ["saturated", (_, i) => atTop[i] || atBottom[i]],
    [
      "lead off or asystole",
      ({ low, high, flat }, i) => high - low <= MIN_SPREAD || (flat && atTimes) || withoutBeats[i],
    ],
    ["amplitude impossible", (second) => spanOf(second) > AMPLITUDES[1]],
    ["motion", ({ trust }) => trust === Trust.UNTRUSTED],
    ["altered rhythm", ({ trust }) => trust === Trust.ALTERED],
    ["noisy", ({ trust }) => trust === Trust.LIMITED],
  ];
  return seconds.map((second, i) => rules.find(([, holds]) => holds(second, i))?.[0] ?? "readable");
}

/** For each second whether it stays at the end of a recorder's range; `held` is for how long. */
function clipped(seconds: readonly Second[], held: (second: Second) => number): boolean[] {
  const times = seconds.map(held);
  const often = times.filter((time) => time >= HELD_OFTEN).length >= OFTEN;
  return times.map((time) => time >= (often ? HELD_OFTEN : HELD));
}

/** Warnings of leads whose amplitude no ECG has, as in a wrong unit. */
export function amplitudeWarnings(lead: string, seconds: readonly Second[]): string[] {
  const amplitude = median(Float64Array.from(seconds, ({ low, high }) => high - low));
  const [least, most] = AMPLITUDES;
  const value = general(amplitude, 3);
  if (amplitude > most)
    return [
      `lead ${lead} has an amplitude of ${value} mV, an ECG up to ${most} mV: ` +
        "are its values microvolts?",
    ];
  if (amplitude > MIN_SPREAD && amplitude < least)
    return [
      `lead ${lead} has an amplitude of ${value} mV, an ECG at least ${least} mV: ` +
        "are its values volts?",
    ];
  return [];
}

/** Peak-to-peak amplitude of a second, denoised if there is such a sample. */
function spanOf({ low, high, cleanedLow, cleanedHigh }: Second): number {
  const span = cleanedHigh - cleanedLow;
  return Number.isNaN(span) ? high - low : span;
}

/** For each second whether the denoised lead is smaller than any ECG for many seconds. */
function beatless(seconds: readonly Second[]): boolean[] {
  const found = seconds.map(() => false);
  let start = 0;
  for (let i = 0; i <= seconds.length; i++) {
    const calm =
      i < seconds.length && seconds[i].cleanedHigh - seconds[i].cleanedLow < AMPLITUDES[0];
    if (calm) continue;
    if (i - start >= NO_BEAT) found.fill(true, start, i);
    start = i + 1;
  }
  return found;
}
