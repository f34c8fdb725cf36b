/** Kinds of table columns: times, counters, leads, other measurements; by name, unit and shape. */
import WORDS from "../../../src/ipmdae/formats/words.json";
import { median } from "../core/numbers.ts";
import { localTime } from "./dates.ts";
import { FormatError } from "./errors.ts";
import { millivolts, warn, type Job } from "./job.ts";
import { differences, share } from "./statistics.ts";

export type Kind = "time" | "index" | "lead" | "other" | "empty";

export interface Column {
  /** As it stands in the file. */
  heading: string;
  name: string;
  /** Empty where none is stated. */
  unit: string;
  kind: Kind;
  /** Seconds in one unit of a time column, if that is stated. */
  seconds?: number;
  /** The date and time that a time column counts from. */
  start?: string;
  /** Millivolts in one step of a converter, and the step that stands for zero. */
  scale?: number;
  zero?: number;
}

type Pattern =
  | ("ecg" | "eeg" | "eog or emg" | "electrode beside an eeg" | "rate" | "plain rate")
  | ("interval" | "hertz" | "filter key" | "unit key" | "step key" | "lead key" | "start key")
  | ("no start key" | "personal" | "zero key");

/** A regular expression of the list of words, for Unicode as Python has it. */
export function pattern(key: Pattern, around = (text: string) => text): RegExp {
  return new RegExp(around(WORDS[key].replaceAll("[\\W_]", "[^\\p{L}\\p{N}]")), "iu");
}

const words = (text: string) => new Set(text.split(" "));
export const SECONDS = new Map(Object.entries(WORDS.seconds));
const TIME = words(WORDS.time);
const TIME_ALONE = words(WORDS["time alone"]);
const COUNTER = words(WORDS.counter);
const PERHAPS_SAMPLES = new Set(["sample", "samples", "n", ""]);
const NO_LEAD = words(WORDS["no lead"]);
const SELDOM_LEAD = words(WORDS["seldom lead"]);
const COUNTS = words(WORDS.counts);
const STEP = words(WORDS.step);
const NO_UNIT = new Set(WORDS["no unit"]);
const UNIT_WORDS = new Map(Object.entries(WORDS.unit));
const VOLTS = /^(?:(m|milli|[uµμ]|mc|mi[ck]ro|n|nano)[ -]?)?v(?:olt[\p{L}\p{N}_]*)?$/iu;
const PREFIXES: Record<string, string> = { milli: "m", micro: "u", mikro: "u", nano: "n" };
PREFIXES["µ"] = PREFIXES["μ"] = PREFIXES.mc = "u"; // mcV: as Apple's HealthKit has it
const OTHER_UNIT =
  /^(?:hh?:mm:ss.*|yyyy.*|m?g|m\/\(?s\^?2\)?|bpm|%|k?(?:ohms?|ω)|°?c|deg\/s|dps|mmhg)$/;
const WITH_UNIT = /(?:\(((?:[^()]|\([^()]*\))*)\)|\[([^[\]]*)\])$/;
const AMID = /[([<]([^()[\]<>]*)[)\]>]/g;
const ECG = pattern("ecg", (text) => `^(?:${text})$`);
const [EEG, EOG_OR_EMG, BESIDE_AN_EEG] = (
  ["eeg", "eog or emg", "electrode beside an eeg"] as const
).map((kind) => pattern(kind, (text) => `^(?:${text})$`));

/** True if a signal is called as leads of an ECG are. */
export function isEcg(name: string): boolean {
  return ECG.test(name.trim());
}

/**
 * True for each voltage that is called as an EEG, EOG or EMG is. Names with another meaning, as those
 * of chest leads (`C1`), are of an EEG beside others alone.
 */
export function otherElectrodes(names: readonly string[]): boolean[] {
  const plain = names.map((name) => name.trim());
  const eeg = plain.map((name) => EEG.test(name) && !isEcg(name));
  const further = eeg.includes(true) ? [EOG_OR_EMG, BESIDE_AN_EEG] : [EOG_OR_EMG];
  return plain.map((name, i) => eeg[i] || further.some((kind) => kind.test(name)));
}

const partsOf = (name: string) => name.split(/[^\p{L}\p{N}]+|(?<=[a-z])(?=[A-Z])/u).filter(Boolean);
const wordsOf = (parts: readonly string[]) =>
  new Set(parts.map((part) => part.toLowerCase().replace(/\d+$/, "") || part));

/** True if a signal is called as other measurements are (`HR`, `acc x`), and as no ECG. */
export function isNoLead(name: string): boolean {
  const known = wordsOf(partsOf(name));
  const among = (list: Set<string>) => [...known].some((word) => list.has(word));
  const heart = known.has("heart") && known.has("rate");
  return among(NO_LEAD) || heart || (among(SELDOM_LEAD) && !isEcg(name));
}

/** The column of a heading: `II (mV)`, `ECG [uV]`, `time_ms`, `seconds since 2024-…`. */
export function column(text: string, below = ""): Column {
  const heading = unquoted(text);
  let [name, unit] = bracketed(heading) ?? [heading, plainUnit(below)];
  const parts = partsOf(name);
  const known = wordsOf(parts);
  const among = (list: Set<string>) => [...known].some((word) => list.has(word));
  const since = /^([\p{L}\p{N}_]+) since (\d{4}-\d\d-\d\d[T ][\d:.]+)$/u.exec(unit);
  if (since && SECONDS.has(since[1])) {
    const seconds = SECONDS.get(since[1]);
    return { heading, name, unit: since[1], kind: "time", seconds, start: localTime(since[2]) };
  }
  const voltage = millivolts(unit) !== undefined;
  const alone = parts.length === 1 && [...known].every((word) => TIME_ALONE.has(word));
  if ((among(TIME) || alone) && !voltage) {
    const stated = parts.length > 1 || unit ? [unit, ...[...parts].reverse()] : parts;
    const seconds = stated.map((word) => SECONDS.get(word.toLowerCase())).find(Boolean);
    return { heading, name, unit, kind: "time", seconds };
  }
  if ([...known].every((word) => /^\p{Nd}+$/u.test(word) || COUNTER.has(word)) && !voltage)
    return { heading, name, unit, kind: "index" };
  const suffixed = /^(.*[^\s_:/,-])[\s_:/,-]+(\S+)$/.exec(name);
  if (suffixed && !unit && voltageIn(suffixed[2]))
    [name, unit] = [suffixed[1], voltageIn(suffixed[2])]; // prettier-ignore
  else if (!unit && name.toLowerCase() !== "v") unit = voltageIn(name); // V is a lead, too
  const lead = !isNoLead(name) && (!unit || millivolts(unit) !== undefined || isCounts(unit));
  return { heading, name, unit, kind: lead ? "lead" : "other" };
}

/** The unit of voltage that a word in a heading is; `Voltage` is none. */
function voltageIn(word: string): string {
  const unit = symbol(word);
  return millivolts(unit) !== undefined && !/ge$/i.test(word) ? unit : "";
}

/**
 * The columns of a row of headings, and of a row of units below it (empty for none).
 *
 * In a table whose columns all state their unit in brackets, after `time (s)`, as this package
 * writes them, names do not matter: a voltage is a lead whatever it is called.
 */
export function columnsOf(headings: readonly string[], units: readonly string[]): Column[] {
  const found = headings.map((heading, i) => column(heading, units[i]));
  const own = headings.map((heading) => bracketed(heading.trim()));
  if (!own.every(Boolean) || found[0]?.kind !== "time" || found[0].name !== "time") return found;
  return found.map((known, i) => {
    if (i === 0) return known;
    const [name, unit] = own[i]!;
    const voltage = millivolts(unit) !== undefined || isCounts(unit);
    const lead = voltage && !(known.kind === "other" && unit === "V");
    return { heading: known.heading, name, unit, kind: lead ? "lead" : "other" };
  });
}

/** Name and unit of a heading that ends in a unit in brackets, or has a voltage in them. */
function bracketed(heading: string): [string, string] | undefined {
  const voltage = aroundVoltage(heading);
  if (voltage) return voltage;
  const found = WITH_UNIT.exec(heading);
  return found
    ? [heading.slice(0, found.index).trim(), plainUnit(found[1] || found[2] || "")]
    : undefined;
}

/** Name and unit of a heading with a voltage in brackets, whatever follows it. */
function aroundVoltage(heading: string): [string, string] | undefined {
  const known = [...heading.matchAll(AMID)]
    .map((found): [RegExpExecArray, string] => [found, plainUnit(found[1])])
    .filter(([, unit]) => millivolts(unit) !== undefined);
  if (!known.length) return undefined;
  const [found, unit] = known[known.length - 1];
  const before = heading.slice(0, found.index).trimEnd();
  const after = heading.slice(found.index + found[0].length).trim();
  return [`${before}${/^[,;:]/.test(after) ? "" : " "}${after}`.trim(), unit];
}

/** The symbol of a unit of voltage (`microvolts`, `µV` are `uV`), or the unit. */
export function symbol(unit: string): string {
  const volts = VOLTS.exec(unit.trim());
  const prefix = volts?.[1]?.toLowerCase() ?? "";
  return volts ? `${PREFIXES[prefix] ?? prefix}V` : unit.trim();
}

/** True if a unit is known to be that of something else than a voltage. */
export function isMeasure(unit: string): boolean {
  return OTHER_UNIT.test(unit.toLowerCase());
}

export function isCounts(unit: string): boolean {
  return COUNTS.has(unit.toLowerCase());
}

/** True if a unit is the step of a converter where a voltage is stated for it. */
export function isStep(unit: string): boolean {
  return isCounts(unit) || STEP.has(unit.toLowerCase());
}

/** A unit in the spelling of this package; empty for words that mean no unit. */
export function plainUnit(text: string): string {
  let unit = unquoted(text);
  for (let inner; (inner = /^(?:\((.*)\)|\[(.*)\])$/.exec(unit));)
    unit = unquoted(inner[1] ?? inner[2]);
  unit = symbol(unit);
  return NO_UNIT.has(unit.toLowerCase()) ? "" : (UNIT_WORDS.get(unit.toLowerCase()) ?? unit);
}

/** True if a cell of a row below the headings is a unit of a signal or a time. */
export function isUnit(text: string): boolean {
  const unit = plainUnit(text).toLowerCase();
  const known = SECONDS.has(unit) || COUNTS.has(unit) || NO_UNIT.has(unit);
  return known || millivolts(unit) !== undefined || isMeasure(unit);
}

/** Correct the kinds that headings give, or do not give, by the first values of the columns. */
export function byShape(columns: readonly Column[], values: readonly Float64Array[]): Column[] {
  const names = new Set(columns.map((column) => column.name.toLowerCase()));
  const axes = ["x", "y", "z"].every((axis) => names.has(axis));
  const begin = Math.max(
    values.findIndex((cells) => cells.some(Number.isFinite)),
    0,
  );
  return columns.map((column, i) => {
    const kind = kindByShape(column, values[i], axes, i === begin && begin < columns.length - 1);
    if (kind === column.kind) return column;
    const seconds = kind === "time" ? SECONDS.get(column.unit.toLowerCase()) : column.seconds;
    return { ...column, kind, seconds };
  });
}

function kindByShape(column: Column, cells: Float64Array, axes: boolean, first: boolean): Kind {
  const { name } = column;
  const lower = name.toLowerCase();
  const axis = ["x", "y", "z"].includes(lower) && !axes;
  const unnamed = PERHAPS_SAMPLES.has(lower);
  const values = unnamed && (cells.length > 1 || !name) && !counts(cells);
  let kind = column.kind;
  if (tellsTime(column, cells)) kind = "time";
  else if ((kind === "index" && values) || (kind === "other" && axis)) kind = "lead";
  else if (kind === "lead" && !isEcg(name) && millivolts(column.unit) === undefined) {
    if (counts(cells)) kind = "index";
    else if (name && isFlag(cells)) kind = "other";
  }
  const even = first && !column.heading && isEven(cells);
  return kind === "lead" && unnamed && (even || isEpoch(cells)) ? "time" : kind;
}

/** Indices of the leads and auxiliary columns that hold numbers. Throws FormatError for none. */
export function select(
  job: Job,
  columns: readonly Column[],
  numeric: readonly boolean[],
): number[] {
  const kept = [...columns.keys()].filter((i) => ["lead", "other"].includes(columns[i].kind));
  const texts = kept.filter((i) => !numeric[i]);
  if (texts.length) {
    const names = texts.map((i) => columns[i].name || `column ${i + 1}`);
    warn(job, `${names.slice(0, 12).join(", ")} holds no numbers and is left out`);
  }
  const found = kept.filter((i) => numeric[i]);
  if (!found.length) throw new FormatError(job.path, "has no column of samples");
  return found;
}

/** Warn of leads that have values in every second, third, ... row only. */
export function warnSparse(
  job: Job,
  columns: readonly Column[],
  filled: readonly (readonly boolean[])[],
): void {
  columns.forEach(({ kind, name }, i) => {
    const rows = [...filled[i].keys()].filter((row) => filled[i][row]);
    const steps = differences(rows);
    if (kind !== "lead" || steps.length < 2 || steps[0] < 2) return;
    if (steps.some((step) => step !== steps[0])) return;
    warn(
      job,
      `${name || `lead ${i + 1}`} has a value in one of ${steps[0]} rows only; ` +
        "keep those rows alone, in a file of their own",
    );
  });
}

/** True if a column counts up by one, perhaps beginning anew at times (0 to 255). */
export function counts(cells: Float64Array): boolean {
  if (cells.length < 2 || !cells.every(Number.isInteger)) return false;
  return share(differences(cells), (step) => step === 1) > 0.95;
}

/** True if a column rises and holds s, ms, µs or ns since 1970 (2001 to 2100). */
export function isEpoch(cells: Float64Array): boolean {
  if (cells.length < 2 || !cells.every(Number.isFinite)) return false;
  if (differences(cells).some((step) => step < 0)) return false;
  return [1, 1e-3, 1e-6, 1e-9].some((s) => 1e9 < cells[0] * s && cells[0] * s < 4.2e9);
}

/** Text without blanks and a pair of quotes around it. */
export function unquoted(text: string): string {
  const found = /^(['"])(.*)\1$/su.exec(text.trim());
  return found ? found[2].trim() : text.trim();
}

/** True if a column rises evenly, as times do. */
export function isEven(cells: Float64Array): boolean {
  const steps = differences(cells).sort();
  return steps.length > 1 && steps[0] > 0 && steps[steps.length - 1] < 3 * steps[0];
}

/** True if a column rises as a clock does, counts no samples, and is no measurement by its name. */
function tellsTime(column: Column, cells: Float64Array): boolean {
  const measured = column.kind === "other" && !SECONDS.has(column.unit.toLowerCase());
  const voltage = millivolts(column.unit) !== undefined || isEcg(column.name);
  if (measured || voltage || !isClock(cells)) return false;
  return isEpoch(cells) || !(column.kind === "index" || counts(cells));
}

/** True if a column of many rows never falls and mostly rises by its usual step; no ECG does. */
function isClock(cells: Float64Array): boolean {
  const known = cells.filter(Number.isFinite);
  const steps = differences(known);
  if (steps.length < 50 || known.length < 0.9 * cells.length) return false;
  const sum = known[known.length - 1] - known[0];
  return steps.every((step) => step >= 0) && sum < 3 * steps.length * median(steps);
}

/** True if a column has no more than three whole values, one of them zero, as marks have. */
function isFlag(cells: Float64Array): boolean {
  const known = new Set(cells.filter(Number.isFinite));
  const whole = [...known].every(Number.isInteger);
  return cells.length >= 50 && known.size <= 3 && whole && known.has(0);
}
