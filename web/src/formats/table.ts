/** CSV and other tables of text, also compressed by gzip: one row a sample, one column a lead. */
import { select, warnSparse, type Column } from "./columns.ts";
import { FormatError, NeedError, reasonOf } from "./errors.ts";
import { checkSamples, warn, type Job, type Parts } from "./job.ts";
import {
  BLANKS,
  cellsOf,
  firstValues,
  isEmpty,
  isNumber,
  isRow,
  isDoubtful,
  layOut,
  split,
  toNumber,
  type Layout,
} from "./layout.ts";
import { headLines, textIn } from "./source.ts";
import { withoutMarkers } from "./markers.ts";
import { enumerated, general, unique } from "./text.ts";
import { chosen, placed, type Stamps } from "./times.ts";
import { unitsOf } from "./units.ts";

/** A list of many numbers in one cell. */
const LIST = /(?:^|[,;\t"' ])\[\s*(?:-?\d+(?:\.\d+)?(?:e-?\d+)?\s*,\s*){50}/im;
/** Letters of Latin-1 as they stand in text of another encoding, and hardly in European names. */
const OTHER_ENCODING = /[\x80-\xff]{3}/;
const LONGEST_LINE = 1 << 26;
/** Columns that few tables have. */
const WIDE = 64;
const EXPONENT = /(?<![\p{L}\p{N}_.,])[-+]?[\d.,]+e[-+]?\d{4}/iu;

/**
 * Read a table; separator, decimal comma, head, headings, kinds and units are found out.
 *
 * The rate is that of the head, or the mean rate of a time column; rows left out become missing
 * samples. Throws NeedError for a table that lacks its rate or unit, FormatError for others.
 */
export async function readTable(job: Job, blob: Blob): Promise<Parts> {
  const text = textIn(job.path, blob);
  const first = (await text.next()).value ?? "";
  const second = (await text.next()).value ?? "";
  const lines = headLines(first, !second);
  if (lines.some((line) => line.includes("\0"))) throw new FormatError(job.path, "is not text");
  if (LIST.test(first))
    throw new FormatError(
      job.path,
      "holds a list in a cell, as Withings and Fitbit export ECGs: write the numbers of one " +
        "recording in lines of their own, below a heading with their unit, such as ecg (uV); " +
        "Fitbit's, divided by scalingFactor, are in mV",
    );
  const layout = sniff(job.path, lines);
  let [start, skip] = [layout.first, layout.head.skip ?? 0];
  for (; skip; start++) if (lines[start].trim()) skip--;
  const rows = new Rows(job, layout, start);
  const offset = lines.slice(0, start).reduce((sum, line) => sum + line.length + 1, 0);
  rows.add(first.slice(offset));
  rows.add(second);
  for await (const piece of text) rows.add(piece);
  return rows.finish();
}

function sniff(path: string, lines: readonly string[]): Layout {
  const name = path.split("/").pop()!.replace(/\.gz$/i, "");
  try {
    const texts = lines.map((line) => line.replace(/^\ufeff+/, "").replace(/^\r+|\r+$/g, ""));
    return layOut(texts, name.replace(/(?<=.)\.[^.]*$/, ""));
  } catch (error) {
    throw new FormatError(path, reasonOf(error));
  }
}

/** The rows of a table, parsed as their text comes. */
class Rows {
  private readonly job: Job;
  private readonly layout: Layout;
  private readonly leads: number[];
  private readonly stamps?: Stamps;
  /** Values of the leads, and times where the table tells them. */
  private columns: Float64Array[];
  private rows = 0;
  private rest = "";
  /** Lines of the file that have come, and whether the last of them has a cell that is wrong. */
  private lines: number;
  private isWrong = false;
  /** A value that cannot be read; whether the rows make sense is asked first. */
  private broken?: FormatError;
  /** Cells of the first row; rows of a wide table that have not as many as the columns. */
  private firstWidth = 0;
  private uneven?: FormatError;

  /** `above` is the number of lines above the data. */
  constructor(job: Job, layout: Layout, above: number) {
    [this.job, this.layout, this.lines] = [job, layout, above];
    const { decimal, thousands } = layout;
    const filled = layout.columns.map((_, i) => layout.rows.map((row) => !isEmpty(row[i])));
    const numeric = filled.map((known, i) => {
      const cells = layout.rows.map((row) => row[i]).filter((_, at) => known[at]);
      const numbers = cells.filter((cell) => isNumber(cell, decimal, thousands)).length;
      return (
        numbers >= 0.9 * cells.length &&
        (numbers > 0 || !layout.rows.some((row) => isDoubtful(row[i])))
      );
    });
    this.leads = select(job, layout.columns, numeric);
    const names = this.leads.map((i) => layout.columns[i].heading);
    const strange = names.find((name) => OTHER_ENCODING.test(name));
    if (strange !== undefined)
      warn(job, `is not UTF-8; names such as '${strange}' may be wrong: save it as UTF-8`);
    warnSparse(
      job,
      this.leads.map((i) => layout.columns[i]),
      this.leads.map((i) => filled[i]),
    );
    const times = [...layout.columns.keys()].filter(
      (i) => layout.columns[i].kind === "time" && (numeric[i] || cellsOf(layout, i) !== "number"),
    );
    this.stamps = chosen(layout, times);
    const count = this.leads.length + Number(this.isTimed);
    this.columns = Array.from({ length: count }, () => new Float64Array(64));
  }

  private get isTimed(): boolean {
    return this.stamps?.scale !== undefined;
  }

  /** Take text in; its last line may go on in the next. */
  add(text: string): void {
    const whole = text.lastIndexOf("\n") + 1;
    if (whole) this.parse(this.rest + text.slice(0, whole));
    this.rest = (whole ? "" : this.rest) + text.slice(whole);
    if (this.rest.length > LONGEST_LINE)
      throw new FormatError(this.job.path, "is not a table: a line of it never ends");
  }

  finish(): Parts {
    const { job, layout } = this;
    if (this.rest.trim()) {
      if (split(this.rest, layout.separator).length < layout.columns.length)
        throw (
          this.stray(this.rest, this.lines + 1) ??
          new FormatError(
            job.path,
            "is cut off in its last row; fetch it again, or delete that row",
          )
        );
      this.parse(this.rest);
    }
    const headed = layout.columns.some(({ heading }) => heading);
    if (!headed && layout.columns.length > WIDE && 8 * this.rows < this.firstWidth)
      throw new FormatError(
        job.path,
        `has ${this.rows} row${this.rows > 1 ? "s" : ""} of ${this.firstWidth} cells: one row per sample is needed; ` +
          "transpose it",
      );
    if (this.uneven) throw this.uneven;
    return this.compose(this.columns.map((column) => column.subarray(0, this.rows)));
  }

  private compose(columns: Float64Array[]): Parts {
    const { job, layout, leads, rows } = this;
    const known = leads.map((i) => layout.columns[i]);
    const needs: NeedError[] = [];
    const lacking = <T>(find: () => T): T | undefined => {
      try {
        return find();
      } catch (error) {
        if (!(error instanceof NeedError)) throw error;
        needs.push(error);
        return undefined;
      }
    };
    checkSamples(job.path, rows, leads.length);
    const heads = leads.map((i) => firstValues(layout, i));
    const units = lacking(() => unitsOf(job, known, heads, layout.head.unit));
    if (units) this.warnSteps(known);
    const times = this.isTimed
      ? { values: this.seconds(columns.pop()!), quantum: this.stamps!.quantum }
      : undefined;
    const place = lacking(() => placed(job, rows, leads.length, times, layout.head.fs));
    if (!units || !place) throw merged(needs);
    const [fs, places, samples] = place;
    checkSamples(job.path, samples, leads.length, rows);
    if (this.broken) throw this.broken;
    withoutMarkers(job, columns);
    const names = known.map((column) => column.name);
    if (layout.head.lead && names.length === 1 && !names[0]) names[0] = layout.head.lead;
    const own = unique(names);
    return {
      fs,
      leads: columns.map((column, i) => {
        const { name: unit, scale, zero } = units[i];
        const values = new Float64Array(samples).fill(NaN);
        for (const [row, count, sample] of places)
          values.set(column.subarray(row, row + count), sample);
        if (scale !== 1 || zero) values.forEach((v, k) => (values[k] = (v - zero) * scale));
        return { name: own[i], unit, samples: values };
      }),
      start: this.stamps?.start ?? layout.head.start,
      comments: layout.head.comments,
    };
  }

  /** Warn of leads that state no unit, to which the steps of the head are applied. */
  private warnSteps(columns: readonly Column[]): void {
    const { scale } = this.layout.head;
    if (!scale || this.job.scale) return;
    const named = columns.flatMap((column, i) =>
      column.scale === scale && !column.unit ? [column.name || `lead ${i + 1}`] : [],
    );
    if (!named.length) return;
    warn(
      this.job,
      `${enumerated(named)}: taken as the steps of ` +
        `${general(1000 * scale)} uV that its head states; --unit overrules it`,
    );
  }

  /** Times in s since the first of them, in place. */
  private seconds(times: Float64Array): Float64Array {
    const first = times.find(Number.isFinite) ?? 0;
    times.forEach((time, i) => (times[i] = (time - first) * this.stamps!.scale!));
    return times;
  }

  /** Parse whole lines. */
  private parse(text: string): void {
    const { job, layout, rows } = this;
    if (/e[-+]?\d{4}/i.test(text)) {
      const found = EXPONENT.exec(text);
      if (found)
        throw new FormatError(
          job.path,
          `holds a number with too large an exponent (${`b'${found[0]}'`.slice(0, 40)})`,
        );
    }
    const plain = text.includes("\u2212") ? text.replaceAll("\u2212", "-") : text;
    const blank = layout.separator === "\t" ? /^ *\r?$/ : /^[ \t]*\r?$/;
    const quoted = plain.includes('"');
    const width = layout.columns.length;
    let even = true;
    for (let at = 0, end; at < plain.length; at = end + 1) {
      end = plain.indexOf("\n", at);
      if (end < 0) end = plain.length;
      const line = plain.slice(at, plain.charCodeAt(end - 1) === 13 ? end - 1 : end);
      this.lines++;
      if (blank.test(line)) continue;
      const cells =
        quoted || layout.separator === BLANKS
          ? split(line, layout.separator)
          : line.split(layout.separator);
      const remark = layout.head.remarks && cells.length === width + 1;
      const fits = cells.length === width || !!remark;
      even &&= fits;
      this.firstWidth ||= cells.length;
      this.isWrong = false;
      const error = this.push(cells);
      const stray = fits && !this.isWrong && !error ? undefined : this.stray(line, this.lines);
      if (stray ?? error) throw stray ?? error;
    }
    if (even || quoted || layout.separator === BLANKS) return;
    this.uneven ??= new FormatError(
      job.path,
      `not all of the rows ${rows + 1} to ${this.rows} have ${width} cells`,
    );
    if (width <= WIDE) throw this.uneven;
  }

  /** The error of a footer or another table below; undefined where a line may be a row. */
  private stray(line: string, number: number): FormatError | undefined {
    const { separator, decimal, thousands } = this.layout;
    if (isRow(split(line, separator), decimal, thousands)) return undefined;
    return new FormatError(
      this.job.path,
      `line ${number} is no row of numbers ('${line.trim().slice(0, 40)}'); ` +
        "keep one table alone in the file, without what is below it",
    );
  }

  /** Take a row in; the error of one without a time. */
  private push(cells: readonly string[]): FormatError | undefined {
    const { columns, leads, stamps, rows } = this;
    if (rows === columns[0].length) {
      const grow = (column: Float64Array) => {
        const larger = new Float64Array(2 * column.length);
        larger.set(column);
        return larger;
      };
      this.columns = columns.map(grow);
      return this.push(cells);
    }
    try {
      if (this.isTimed) {
        const cell = cells[stamps!.index] ?? "";
        const textual = stamps!.cells !== "number";
        columns[leads.length][rows] = textual ? stamps!.seconds(cell) : this.number(cell);
      }
    } catch (error) {
      return new FormatError(this.job.path, `has an invalid time (${reasonOf(error)})`);
    }
    for (let i = 0; i < leads.length; i++) {
      const value = this.number(cells[leads[i]] ?? "");
      if (value === Infinity || value === -Infinity)
        this.broken ??= new FormatError(
          this.job.path,
          "holds infinite values; leave missing cells empty",
        );
      columns[i][rows] = value;
    }
    this.rows++;
    return undefined;
  }

  /** The number in a cell, NaN where it is missing; notes a cell that is neither. */
  private number(text: string): number {
    const { decimal, thousands } = this.layout;
    const value = decimal === "." ? +text : NaN;
    // Number() takes "" for 0 and "0x1" for 1.
    if (value === value && value !== 0 && (text.charCodeAt(1) | 32) < 97) return value;
    const known = toNumber(text, decimal, thousands);
    if (known === known || isEmpty(text.trim())) return known;
    this.isWrong = true;
    this.broken ??= new FormatError(
      this.job.path,
      `is not a table of numbers (could not convert string to float: '${text.trim()}'); ` +
        "choose columns that are (columns=, --columns)",
    );
    return NaN;
  }
}

/** One error of all that is lacking. What cannot be guessed is said first. */
function merged(needs: readonly NeedError[]): NeedError {
  const { path, reason } = needs.find((error) => !error.likely) ?? needs[0];
  const all = [...new Set(needs.flatMap((error) => error.needs))].sort();
  return new NeedError(path, reason, all, needs.map((error) => error.likely).find(Boolean));
}
