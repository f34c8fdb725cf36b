/** Layout of a text table: separator, decimal sign, header, headings, first row of data. */
import { median } from "../core/numbers.ts";
import WORDS from "../../../src/ipmdae/formats/words.json";
import {
  byShape,
  column,
  columnsOf,
  isCounts,
  isEven,
  isUnit,
  plainUnit,
  unquoted,
  type Column,
} from "./columns.ts";
import { END_OF_HEADER, headOf, isPair, type Head } from "./heads.ts";
import { millivolts } from "./job.ts";
import { mostCommon, spreadOf } from "./statistics.ts";

/** Blanks in a row, instead of one separator. */
export const BLANKS = " +";

const SEPARATORS = [";", "\t", ",", "|", BLANKS];
const EMPTY = new Set(WORDS.missing);
/** A time of the day, perhaps after a date whose order is not certain, or after days passed. */
const CLOCK =
  /^(?:\d{1,2}[/-]\d{1,2}[/-](?:\d{4}|\d\d)[T, ]+|\d\d\.\d\d\.\d\d[T, ]+|(\d+) days?,? )?\[?(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*|(?<=:\d\d:\d\d):\d{3})?)\]?(?: ?([AP])M)?$/i;
const DATE =
  /^((\d{4}[-/.]\d\d[-/.]\d\d|\d\d\.\d\d\.\d{4}|\d\d?[- ][A-Z][A-Za-z]{2}[- ]\d{4}|[A-Z][a-z]{2} \d\d?,? \d{4})[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?|\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d([.,]\d+)?|\[\d\d:\d\d:\d\d(\.\d+)? \d\d\/\d\d\/\d{4}\]|20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])[T_ ]?([01]\d|2[0-3])([0-5]\d){2}([.,]\d+)?) ?(Z|[A-Z]{3,4}|[+-]\d\d:?\d\d)?(\[[\w/+-]+\])?$/;
/** A time in s that says its unit, as MATLAB writes it. */
const DURATION = /^([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?) ?s(?:ec)?$/;
const STAMPS = [
  ["date", DATE],
  ["clock", CLOCK],
  ["duration", DURATION],
] as const;
const SEP_LINE = /^"?sep=(.)"?$/i;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const COMMA = /^[+-]?\d+,\d+([eE][+-]?\d+)?$/;
const POINT = /^[+-]?\d*\.\d+([eE][+-]?\d+)?$/;
const WHOLE = /^[+-]?\d+$/;
const SMALL = /^[+-]?\d{1,3}$/;
const PADDED = /^[+-]?0\d+$/;
const MARKED = /^[+-]?[\d.,]*[.,][\d.,]*(?:[eE][+-]?\d+)?$/;
const GROUPED = /^[+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*$/;
const GROUPED_DECIMAL = /^[+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d*)?$/;
/** Rows by which columns are judged. */
const ROWS = 2000;
/** Decimals of which some begin with a zero. */
const MANY = 40;
/** Spreads of an ECG in mV. */
const PLAUSIBLE_MV = [0.05, 20] as const;

export type Cells = "number" | "clock" | "date" | "duration";

export interface Layout {
  separator: string;
  decimal: string;
  /** Sign that groups the thousands of numbers; empty where none does. */
  thousands: string;
  /** Line where the data begin. */
  first: number;
  /** One a column, empty ones too. */
  columns: Column[];
  head: Head;
  /** The cells of the first rows. */
  rows: string[][];
}

/** Find the table in the lines that a text begins with. Throws Error where none is. */
export function layOut(texts: readonly string[], stem: string): Layout {
  let filled = [...texts.keys()].filter((i) => texts[i].trim() && !/^\s*[#%]/.test(texts[i]));
  const stated = filled.length ? SEP_LINE.exec(texts[filled[0]]) : null;
  if (stated) filled = filled.slice(1);
  if (!filled.length) throw new Error("holds no table");
  let separator = stated ? stated[1] : separatorOf(filled.map((i) => texts[i]));
  const cells = new Map(filled.map((i) => [i, split(texts[i], separator)]));
  let signs = signsOf([...cells.values()]);
  if (separator === "," && isSingle([...cells.values()])) {
    separator = ";";
    signs = [",", signs[1]];
    for (const i of filled) if (cells.get(i)!.every(isWhole)) cells.set(i, [texts[i].trim()]);
  }
  const layout = laidOut(texts, cells, separator, signs, stem);
  const other = isPlausible(layout) ? undefined : otherSigns([...cells.values()], signs);
  if (!other) return layout;
  const alternative = laidOut(texts, cells, separator, other, stem);
  return isPlausible(alternative) ? alternative : layout;
}

/** The decimal sign, and that which groups thousands. */
type Signs = readonly [decimal: string, thousands: string];

/** The table in lines whose cells are known, of those that are neither blank nor comments. */
function laidOut(
  texts: readonly string[],
  cells: ReadonlyMap<number, string[]>,
  separator: string,
  [decimal, thousands]: Signs,
  stem: string,
): Layout {
  const filled = [...cells.keys()];
  const ends = filled.filter((i) => texts[i].startsWith(END_OF_HEADER)).slice(0, 2);
  const above = ends.pop() ?? -1;
  const first = filled.find((i) => i > above && isData(cells.get(i)!, decimal, thousands));
  if (first === undefined) throw new Error("holds no row of numbers");
  const data = filled.filter((i) => i >= first).slice(0, ROWS).map((i) => cells.get(i)!); // prettier-ignore
  const [width] = mostCommon(data.map((row) => row.length));
  const rows = data.filter((row) => row.length === width && isRow(row, decimal, thousands));
  const trailing = rows.every((row) => !row[width - 1]);
  const { names, units, taken } = headings(
    texts.slice(0, first),
    cells,
    separator,
    width,
    trailing,
  );
  const rest = texts.slice(0, first).filter((text, i) => text.trim() && !taken.has(i));
  const head = headOf({
    above: rest.filter((text) => !SEP_LINE.test(text)),
    names,
    separator,
    values: rows.map((row) => row.map((cell) => toNumber(cell, decimal, thousands))),
    width,
    stem,
  });
  const blank = Array<string>(width).fill("");
  const columns = head.columns?.length
    ? head.columns
    : columnsOf(names.length ? names : blank, units.length ? units : blank);
  const kept = rows.slice(head.skip ?? 0);
  const layout = { separator, decimal, thousands, first, columns, head, rows: kept };
  const corrected = byShape(
    columns,
    columns.map((_, i) => firstValues(layout, i)),
  );
  layout.columns = corrected.map((found, i) => {
    if (found.kind === "time") return found;
    if (!found.heading && kept.every((row) => !row[i]))
      return { heading: "", name: "", unit: "", kind: "empty" };
    if (found.kind === "empty" || cellsOf(layout, i) === "number") return found;
    return { heading: found.heading, name: found.name, unit: found.unit, kind: "time" };
  });
  layout.columns = layout.columns.map((found, i) => inSteps(found, firstValues(layout, i), head));
  return layout;
}

/** A lead of whole numbers without a unit, in the steps of a converter that the head states. */
function inSteps(column: Column, cells: Float64Array, { scale, zero }: Head): Column {
  const own = column.unit && !isCounts(column.unit);
  const whole = cells.every((value) => Number.isInteger(value) || Number.isNaN(value));
  if (!scale || column.kind !== "lead" || own || column.scale || !whole) return column;
  return { ...column, scale, zero };
}

/** The numbers in the first cells of a column, NaN where there is none. */
export function firstValues(layout: Layout, index: number): Float64Array {
  const { rows, decimal, thousands } = layout;
  return Float64Array.from(rows, (row) => toNumber(row[index], decimal, thousands));
}

/** Type of a column's cells: numbers, times of the day, dates with times, or durations. */
export function cellsOf({ rows }: Layout, index: number): Cells {
  const cells = rows.map((row) => row[index]).filter((cell) => !isEmpty(cell));
  const kinds = cells.length ? STAMPS : [];
  return kinds.find(([, form]) => cells.every((cell) => form.test(cell)))?.[0] ?? "number";
}

/** The cells of a row, without quotes and blanks around them. */
export function split(line: string, separator: string): string[] {
  const text = line.replaceAll("\u2212", "-");
  if (separator === BLANKS) return text.trim().split(/\s+/).map(unquoted);
  const quotes = text.split('"').length - 1;
  const parts = quotes && quotes % 2 === 0 ? splitQuoted(text, separator) : text.split(separator);
  return parts.map(unquoted);
}

/** The cells of a row of which some are in quotes; doubled quotes within them are one. */
function splitQuoted(text: string, separator: string): string[] {
  const cells: string[] = [];
  let [cell, quoted, empty] = ["", false, true];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === separator) {
      cells.push(cell);
      [cell, empty] = ["", true];
    } else if (c === '"' && empty) [quoted, empty] = [true, false];
    else if (!(c === " " && empty)) {
      cell += c;
      empty = false;
    }
  }
  return [...cells, cell];
}

/** The number in a cell; NaN where it is empty or none. */
export function toNumber(cell: string, decimal: string, thousands = ""): number {
  if (thousands && cell.includes(thousands)) {
    if (GROUPED_DECIMAL.exec(cell.trim())?.[1] !== thousands) return NaN;
    return toNumber(cell.replaceAll(thousands, ""), decimal);
  }
  const text = decimal === "," && cell.includes(".") ? "?" : cell.trim().replaceAll(decimal, ".");
  if (NUMBER.test(text)) return Number(text);
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  return infinite ? (infinite[1] === "-" ? -Infinity : Infinity) : NaN;
}

/** True if a cell marks a missing number. */
export function isEmpty(cell: string): boolean {
  return EMPTY.has(cell.toLowerCase());
}

/** True if a mark of a missing number may be a setting, or a line below headings, too. */
export function isDoubtful(cell: string): boolean {
  return ["off", "--", "---"].includes(cell.toLowerCase());
}

/** True if a cell is a number or marks a missing one. */
export function isNumber(cell: string, decimal: string, thousands = ""): boolean {
  return isEmpty(cell) || !Number.isNaN(toNumber(cell, decimal, thousands));
}

/** True if some number or stamp is among cells, or all are empty, and the first is no key. */
export function isRow(cells: readonly string[], decimal: string, thousands: string): boolean {
  const filled = cells.filter(Boolean);
  const known = (cell: string) =>
    isNumber(cell, decimal, thousands) || STAMPS.some(([, form]) => form.test(cell));
  return !isKeyed(cells) && (!filled.length || filled.some(known));
}

/** `12:34:56.7`, `34:56.7` or `03/14/2026 12:34:56.7 PM` in s since midnight; NaN for others. */
export function clockSeconds(cell: string): number {
  const found = CLOCK.exec(cell.trim().replace(/^['"]+|['"]+$/g, ""));
  if (!found) return NaN;
  const [, days, hours, minutes, seconds, half] = found;
  const twelve = half ? (Number(hours ?? 0) % 12) + (/p/i.test(half) ? 12 : 0) : Number(hours ?? 0);
  const whole = Number(days ?? 0) * 86_400 + twelve * 3600 + Number(minutes) * 60;
  return whole + Number(seconds.replace(/[,:]/, "."));
}

/** `0.004 sec` in s; NaN for others. */
export function durationSeconds(cell: string): number {
  return Number(DURATION.exec(cell.trim())?.[1].replace(",", ".") ?? NaN);
}

/** The separator by which the last lines, which are data, have equally many cells of data. */
function separatorOf(texts: readonly string[]): string {
  const data = texts.slice(-Math.min(40, Math.max(texts.length - 1, 1)));
  for (const separator of SEPARATORS) {
    const rows = data.map((text) => split(text, separator));
    const [width, times] = mostCommon(rows.map((row) => row.length));
    const good = rows.filter((row) => row.length === width && isData(row, ".,"));
    if (width > 1 && times >= 0.8 * rows.length && good.length >= 0.5 * rows.length)
      return separator;
  }
  return SEPARATORS.slice(0, 4).find((s) => data.some((text) => text.includes(s))) ?? ",";
}

/**
 * The decimal sign of a table, and that which groups thousands; empty where none does. A sign that
 * may do either groups thousands beside a column with the other decimal sign.
 *
 * Throws Error where one sign is both.
 */
function signsOf(rows: readonly string[][]): Signs {
  const [width] = mostCommon(rows.map((row) => row.length));
  const even = rows.filter((row) => row.length === width);
  for (let i = 0; i < width; i++) {
    const thousands = grouping(even.map((row) => row[i]));
    if (!thousands) continue;
    const [decimal, form] = thousands === "," ? [".", COMMA] : [",", POINT];
    if (even.some((row) => row.some((cell) => form.test(cell) && !GROUPED.test(cell))))
      throw new Error(
        `has columns whose thousands are grouped by '${thousands}', which is the decimal sign of ` +
          "others; write one of them otherwise",
      );
    return [decimal, thousands];
  }
  const cells = rows.flat();
  const commas = cells.filter((cell) => COMMA.test(cell));
  const points = cells.filter((cell) => POINT.test(cell));
  const grouped = (found: string[]) => found.length > 0 && found.every((c) => GROUPED.test(c));
  if (grouped(commas) && hasDecimals(even, width, POINT)) return [".", ","];
  if (grouped(points) && hasDecimals(even, width, COMMA)) return [",", "."];
  return [commas.length > points.length ? "," : ".", ""];
}

/** True if most cells of a column are numbers with a decimal sign that groups no thousands. */
function hasDecimals(rows: readonly string[][], width: number, form: RegExp): boolean {
  const isDecimal = (cell: string) => form.test(cell) && !GROUPED.test(cell);
  const many = (i: number) => 2 * rows.filter((row) => isDecimal(row[i])).length > rows.length;
  return [...Array(width).keys()].some(many);
}

/**
 * The sign that groups the thousands of a column, as `-2,762` beside `-998` and `17`.
 *
 * A sign after which not always three digits follow is a decimal one, and so is one after a zero,
 * or in a column of fewer than three different whole numbers, which may be marks such as `-1`.
 */
function grouping(cells: readonly string[]): string {
  const signs = new Set(
    cells.filter((cell) => MARKED.test(cell)).map((cell) => GROUPED.exec(cell)?.[1] ?? ""),
  );
  const whole = cells.filter(isWhole);
  const several = new Set(whole.filter((cell) => /[1-9]/.test(cell))).size > 2;
  const small = several && whole.every((cell) => SMALL.test(cell));
  return signs.size === 1 && small ? [...signs][0] : "";
}

/** Signs by which the numbers can be read too: three digits follow each sign in them. */
function otherSigns(rows: readonly string[][], [decimal, thousands]: Signs): Signs | undefined {
  const sign = thousands || decimal;
  const marked = rows.flat().filter((cell) => cell.includes(sign) && MARKED.test(cell));
  if (!marked.length || !marked.every((cell) => GROUPED.test(cell))) return undefined;
  return thousands ? [sign, ""] : [decimal === "," ? "." : ",", decimal];
}

/** True if leads in a stated unit of voltage have the spread of an ECG, or none has a unit. */
function isPlausible(layout: Layout): boolean {
  const spreads = layout.columns.flatMap(({ kind, unit }, i) => {
    const size = kind === "lead" ? millivolts(unit || (layout.head.unit ?? "")) : undefined;
    return size ? [spreadOf(firstValues(layout, i)) * size] : [];
  });
  if (!spreads.length) return true;
  const middle = median(Float64Array.from(spreads));
  return middle >= PLAUSIBLE_MV[0] && middle <= PLAUSIBLE_MV[1];
}

const isWhole = (cell: string) => WHOLE.test(cell);

/**
 * True if rows of two cells, split by commas, are one column of numbers with decimal commas.
 *
 * Two names above say that they are not, a single one that they are. Otherwise the numbers do.
 */
function isSingle(rows: readonly string[][]): boolean {
  const judged = rows.slice(-ROWS);
  const last = judged.filter((row) => row.length <= 2 && row.every(isWhole));
  const pairs = last.filter((row) => row.length === 2);
  if (last.length < 0.8 * judged.length - 12 || pairs.length < 2) return false;
  const above = rows.slice(
    0,
    rows.findIndex((row) => row.every(isWhole)),
  );
  const heading = above.filter((row) => row.length > 1 || !isStatement(row)).pop();
  if (heading?.length === 2 && !isKeyedUnit(heading)) return false;
  return areDecimals(pairs, heading?.length === 1);
}

/** True if two cells are a key and a unit of voltage, and not names: `Unit,µV`, `ms,uV`. */
function isKeyedUnit([key, value]: readonly string[]): boolean {
  const voltage = millivolts(plainUnit(value)) !== undefined;
  return voltage && ["lead", "other"].includes(column(key).kind);
}

/**
 * True if whole numbers before and after commas are parts of one number each.
 *
 * No whole number begins with a zero, but some of many decimals do (`0,012`). Where none does,
 * small numbers before equally many digits are decimal ones, unless they rise as times do.
 * `headed` says whether one name stands above them.
 */
function areDecimals(pairs: readonly string[][], headed: boolean): boolean {
  if (pairs.some(([whole, decimals]) => !/^\d+$/.test(decimals) || PADDED.test(whole)))
    return false;
  if (pairs.some(([whole, decimals]) => whole === "-0" || PADDED.test(decimals))) return true;
  const values = Float64Array.from(pairs, ([whole]) => Number(whole));
  const small = values.every((value) => Math.abs(value) < 10);
  const digits = pairs.map(([, decimals]) => decimals.length);
  if (headed) return small || digits.filter((n) => n > 1).length < MANY;
  const equal = digits[0] > 1 && digits.every((n) => n === digits[0]);
  return small && equal && digits.length > 2 && !isEven(values);
}

/**
 * True if a row is data: numbers, stamps, perhaps a word, but not words only.
 *
 * A row that begins with a key, such as LabChart's `TopValue=`, is not data.
 */
function isData(cells: readonly string[], decimals: string, thousands = ""): boolean {
  if (isKeyed(cells)) return false;
  let [numbers, stamps, empty] = [0, 0, 0];
  for (const cell of cells) {
    if (!cell) empty++;
    else if (!isDoubtful(cell) && [...decimals].some((sign) => isNumber(cell, sign, thousands)))
      numbers++;
    if (STAMPS.some(([, form]) => form.test(cell))) stamps++;
  }
  return numbers > 0 && numbers + stamps > cells.length - numbers - stamps - empty;
}

/** True if the first cell of a row is a key such as LabChart's `ChannelTitle=`. */
function isKeyed(cells: readonly string[]): boolean {
  return cells[0].endsWith("=");
}

/** Names and units of the columns from rows of cells above the data, and the lines of these. */
function headings(
  texts: readonly string[],
  known: ReadonlyMap<number, string[]>,
  separator: string,
  width: number,
  trailing: boolean,
): { names: string[]; units: string[]; taken: Set<number> } {
  type Row = [line: number, row: string[]];
  let rows = [...texts.keys()].flatMap((i): Row[] => (known.has(i) ? [[i, known.get(i)!]] : []));
  const last = texts[texts.length - 1];
  if (!rows.length && last && /^\s*[#%]/.test(last))
    rows = [[texts.length - 1, split(last.trimStart().replace(/^[#% ]+/, ""), separator)]];
  if (width === 1) {
    // any line is a row of one cell
    rows = rows.slice(-4).filter(([, row]) => row.length === 1);
    rows = rows.slice(rows.length && areUnits(rows[rows.length - 1][1]) ? -2 : -1);
  }
  rows = rows.filter(([, row]) => !isStatement(row));
  const shorter = rows.slice(-2).filter(([, row]) => row.length === width - 1);
  rows = rows.slice(-4).filter(([, row]) => row.length === width);
  if (!rows.length) rows = shorter.map(([i, row]) => [i, trailing ? [...row, ""] : ["", ...row]]);
  // A row that says the same of all columns (the device, CAL) is not that of their names.
  let named = rows.filter(([, row]) => new Set(row.filter(Boolean)).size > 1 || areUnits(row));
  if (width === 1 || !named.length) named = [...rows];
  const united = named.length > 1 && areUnits(named[named.length - 1][1]);
  const units = united ? named.pop()![1] : [];
  const [at, names] = named[named.length - 1] ?? [texts.length, []];
  const taken = new Set(rows.map(([line]) => line).filter((line) => line >= at));
  return { names, units, taken };
}

/** True if a row above the data is a key and a value, and no heading of columns. */
function isStatement(row: readonly string[]): boolean {
  const alone = row.length === 1 && /[:=;,]/.test(row[0]);
  const filled = row.filter(Boolean);
  // Record Length,2500,points,,
  const short = [2, 3].includes(filled.length) && row.length - filled.length > 1;
  const stated = short && !Number.isNaN(toNumber(filled[1], "."));
  return alone || stated || isKeyed(row) || isPair(row);
}

function areUnits(row: readonly string[]): boolean {
  const words = row.filter(Boolean).map((cell) => cell.toLowerCase());
  const said = words.some((word) => word !== "raw" && word !== "cal");
  return said && row.filter(isUnit).length > row.length / 2;
}
