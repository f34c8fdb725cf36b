/** Verdict on each lead: shares of the grades, and the removed noise; see ipmdae.inspection.verdict. */
import type { Verdict } from "../recording.ts";
import { GRADES, gradeOf, type Reason, REASONS } from "./quality.ts";
import type { Second } from "./seconds.ts";

/** Share of good seconds of a good lead; of good or limited seconds of a limited one. */
const GOOD = 0.9;
const USABLE = 0.5;

/** Verdict on a lead, left unchanged for the reason `why`, if any. */
export function verdict(
  lead: string,
  why: string,
  seconds: readonly Second[],
  reasons: readonly Reason[],
): Verdict {
  const share = (grade: number) =>
    reasons.filter((reason) => gradeOf(reason) === grade).length / reasons.length;
  const [good, limited, unusable] = [share(0), share(1), share(2)];
  const grade = good >= GOOD ? 0 : good + limited >= USABLE ? 1 : 2;
  const power = meanOfKnown(seconds.map(({ removed }) => removed ** 2));
  const offset = meanOfKnown(seconds.map(({ removedMean }) => removedMean));
  const counts = REASONS.filter((reason) => gradeOf(reason)).map(
    (reason) => [reason, reasons.filter((each) => each === reason).length] as const,
  );
  return {
    lead,
    why: words(why),
    grade: GRADES[grade],
    good,
    limited,
    unusable,
    reasons: Object.fromEntries(counts.filter(([, count]) => count)),
    // A constant offset is no noise.
    removed: Math.sqrt(Math.max(power - offset ** 2, 0)),
  };
}

function meanOfKnown(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Verdict on a lead that is not a voltage, so that its seconds have no grades. */
export function ungraded(lead: string, why: string): Verdict {
  const [good, limited, unusable, removed] = [NaN, NaN, NaN, NaN];
  return { lead, why: words(why), grade: "", good, limited, unusable, reasons: {}, removed };
}

/** Reason why a lead is unchanged, understandable without knowledge of units. */
function words(why: string): string {
  return why.startsWith("in ") ? `not a voltage: ${why}` : why;
}
