/** Units of the columns of tables: stated, known of the layout, or to be asked for. */
import { isCounts, isEcg, isMeasure, isNoLead, type Column } from "./columns.ts";
import { NeedError } from "./errors.ts";
import { millivolts, NO_UNIT, warn, warnUnit, type Job } from "./job.ts";
import { spreadOf } from "./statistics.ts";
import { enumerated } from "./text.ts";

/** Spread (5th to 95th percentile) of an ECG in mV, with its baseline wander. */
const USUAL = [0.1, 25];
/** Spread of values up to which an ECG may be in µV. */
const MOST_MICROVOLTS = 50_000;

/** Name of a unit, and what makes it of stored values: (value - `zero`) * `scale`. */
export interface Unit {
  name: string;
  scale: number;
  zero: number;
}

/**
 * The units of columns. A voltage that is no ECG (a battery) stays in V, so that nothing takes it
 * for one.
 *
 * `values` are the first rows of each; `unit` is that of the leads that state none, from the head
 * of the table. Throws NeedError where no lead has a unit, with the likely one by their size.
 */
export function unitsOf(
  job: Job,
  columns: readonly Column[],
  values: readonly Float64Array[],
  unit = "",
): Unit[] {
  const lead = columns.map((column) => column.kind === "lead");
  const stated = columns.map((column, i) => column.unit || (lead[i] ? unit : ""));
  const signals = columns.map(({ name }, i) => ({ name, unit: stated[i] }));
  const mayBe = columns.map(
    ({ name, unit }, i) => lead[i] || (!!unit && millivolts(unit) === undefined && isEcg(name)),
  );
  const own = overruled(job, signals, lead, mayBe);
  if (!job.scale) {
    checkCounts(job, columns, stated);
    assume(job, columns, values, stated);
  }
  return columns.map((column, i) => {
    const known = millivolts(stated[i]);
    const zero = own[i] ? 0 : (column.zero ?? 0);
    const scale = own[i] ? job.scale : lead[i] ? column.scale || known : undefined;
    if (scale) return { name: "mV", scale, zero };
    if (known) return { name: "V", scale: known / 1000, zero };
    const rate = /^(hr|heart[ _]?rate)$/i.test(column.name);
    return { name: stated[i] || (rate ? "bpm" : NO_UNIT), scale: 1, zero };
  });
}

/**
 * Signals whose unit is the user's, with a warning where the file states another: voltages, those
 * without a unit that are not called as other measurements are, and, where the unit is unknown,
 * those called as leads of an ECG are. `lead` marks those that are leads whatever they are called.
 */
export function overruled(
  job: Job,
  signals: readonly { name: string; unit: string }[],
  lead: readonly boolean[] = [],
  mayBe?: readonly boolean[],
): boolean[] {
  if (!job.scale) return signals.map(() => false);
  const silent = signals.map(({ unit }) => !unit || unit === NO_UNIT || isCounts(unit));
  const own = signals.map(({ name, unit }, i) => {
    if (mayBe && !mayBe[i]) return false;
    if (millivolts(unit) !== undefined) return true;
    if (silent[i]) return lead[i] || !isNoLead(name);
    return (lead[i] || isEcg(name)) && !isMeasure(unit);
  });
  const stated = signals.filter((_, i) => own[i] && !silent[i]);
  warnUnit(
    job,
    stated.map(({ unit }) => unit),
  );
  return own;
}

function checkCounts(job: Job, columns: readonly Column[], stated: readonly string[]): void {
  const leads = [...columns.keys()].filter((i) => columns[i].kind === "lead");
  const steps = leads.filter((i) => isCounts(stated[i]) && !columns[i].scale);
  if (!steps.length || steps.length < leads.length) return;
  const names = steps.slice(0, 12).map((i) => columns[i].name);
  throw new NeedError(
    job.path,
    `gives ${names.join(", ")} in steps of a converter whose size it does not say; ` +
      "state it, such as --unit 0.3uV (unit=)",
    ["unit"],
  );
}

/**
 * Set the unit of leads that state none where another does: by their size µV, or else mV. It is one
 * for all, that of which their spreads are nearer to those of an ECG.
 */
function assume(
  job: Job,
  columns: readonly Column[],
  values: readonly Float64Array[],
  stated: string[],
): void {
  const leads = [...columns.keys()].filter((i) => columns[i].kind === "lead");
  const anyEcg = leads.some((i) => isEcg(columns[i].name));
  const silent = leads.filter(
    (i) => !stated[i] && columns[i].scale === undefined && (!anyEcg || isEcg(columns[i].name)),
  );
  if (!silent.length) return;
  const spreads = silent.map((i) => spreadOf(values[i]));
  const beyond = spreads.findIndex((spread) => spread > MOST_MICROVOLTS);
  if (beyond >= 0)
    throw new NeedError(
      job.path,
      `says no unit of ${columns[silent[beyond]].name || "its lead"}, whose values are too large ` +
        "for mV and uV; state it, such as --unit nV, or the size of a converter's step, " +
        "--unit 0.3uV (unit=)",
      ["unit"],
    );
  const moving = spreads.filter((spread) => spread > 0);
  const sum = (factor: number) => moving.reduce((all, one) => all + misfit(one * factor), 0);
  const large = sum(1e-3) < sum(1);
  const likely = large ? "uV" : "mV";
  const names = enumerated(silent.map((i) => columns[i].name || `lead ${i + 1}`));
  const what = `says no unit of ${names}; `;
  if (leads.every((i) => silent.includes(i) || !stated[i]))
    throw new NeedError(
      job.path,
      `${what}by their size the values are in ${likely}; state it (unit=, --unit)`,
      ["unit"],
      likely,
    );
  const steps = "if they are steps of a converter, state it (unit=, --unit)";
  warn(job, what + (large ? `by their size the values are taken as uV; ${steps}` : "taken as mV"));
  for (const i of silent) stated[i] = likely;
}

/**
 * The factor, as a logarithm, by which a spread in mV lies beyond those of an ECG; half of it below
 * them, since a lead without an electrode has a smaller one.
 */
function misfit(spread: number): number {
  return Math.max(Math.log(USUAL[0] / spread) / 2, Math.log(spread / USUAL[1]), 0);
}
