/** Time columns of tables: their units, and the sampling rate and the gaps that they tell. */
import { median, roundEven } from "../core/numbers.ts";
import { isoTime, localTime, plainDate, sinceEpoch } from "./dates.ts";
import { FormatError, NeedError } from "./errors.ts";
import { warn, type Job } from "./job.ts";
import {
  cellsOf,
  clockSeconds,
  durationSeconds,
  firstValues,
  isEmpty,
  type Cells,
  type Layout,
} from "./layout.ts";
import { differences, least, share } from "./statistics.ts";
import { general } from "./text.ts";

/** Rates in Hz of common recorders, preferred where stamps are too coarse. */
const COMMON = [100, 125, 128, 130, 200, 250, 256, 300, 360, 400, 500, 512, 600, 1000, 1024, 2000];
const SCALES = [1, 1e-3, 1e-6, 1e-9];
const MAX_GAPS = 100_000;
const ALWAYS_MISSING = 1_000_000;
const MAX_MISSING = 20;
const FEW = 0.01;
/** Share of rows without a time of their own from which on resampling would lose too much. */
const MANY = 0.1;
/** Gap in s from which on a clock may have been set instead. */
const LONG = 3600;
const DAY = 86_400;
/** The first of 1970 in days since 1900, as Excel counts them, and since 0, as MATLAB; ranges. */
const DAYS = [
  [25_569, 20_000, 80_000],
  [719_529, 600_000, 800_000],
];
/** Rate in Hz from which on stamps may count days, and not hours. */
const LEAST_DAYS = 50;
/** Share by which a stated rate may differ from the clock of stamps, and seconds of a packet. */
const DRIFT = 1e-3;
const PACKET = 0.5;

const EVEN = "give the rate (fs=, --fs) to take the rows as even";
const UNEVEN = `${EVEN}, or interpolate them (--resample)`;

/** Seconds in one unit of a time column; undefined if it counts samples instead. */
function scaleOf(stamps: Float64Array, stated?: number): number | undefined {
  if (stated !== undefined || stamps.length < 2) return stated ?? 1;
  const steps = differences(stamps);
  const step = median(steps) || (stamps[stamps.length - 1] - stamps[0]) / steps.length;
  if (step === 1 && share(steps, (s) => s === 1) > 0.9 && !epoch(stamps[0], 1e-3)) return undefined;
  const plausible = (s: number) => step > 0 && 1 / (step * s) >= 8 && 1 / (step * s) < 5000;
  const found = SCALES.find(plausible);
  if (found) return found;
  const days = (stamps[0] >= 0 && stamps[0] < 1) || firstDay(stamps[0]) !== undefined;
  if (step > 0 && 1 / (step * DAY) >= LEAST_DAYS && days) return DAY;
  return SCALES.find((s) => epoch(stamps[0], s)) ?? 1;
}

/** The first of 1970 in the count of days that a stamp is one of. */
function firstDay(stamp: number): number | undefined {
  return DAYS.find(([, low, high]) => low <= stamp && stamp < high)?.[0];
}

/** The date of a stamp that counts from 1970, or in days, if it can be one. */
function epoch(stamp: number, scale: number): string | undefined {
  if (scale === DAY) {
    const first = firstDay(stamp);
    if (first === undefined) return undefined;
    const milliseconds = roundEven((stamp - first) * DAY * 1e3);
    return sinceEpoch(Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1000);
  }
  if (!(1e9 < stamp * scale && stamp * scale < 4.2e9)) return undefined;
  const whole = Math.trunc(stamp * scale);
  return sinceEpoch(whole, Math.round((stamp - whole / scale) * scale * 1e6));
}

/** A time column, whose cells it turns into s since the first of them. */
export class Stamps {
  readonly index: number;
  readonly cells: Cells;
  /** Seconds in one unit of its numbers; undefined if they count samples. */
  readonly scale?: number;
  /** Resolution in s. */
  readonly quantum: number;
  start?: string;
  private clock = 0;
  private days = 0;

  constructor(layout: Layout, index: number) {
    const column = layout.columns[index];
    this.index = index;
    this.cells = cellsOf(layout, index);
    this.start = column.start;
    const grouped = this.cells === "number" ? layout.thousands : "";
    const decimals = layout.rows.reduce(
      (most, row) =>
        Math.max(most, decimalsOf(grouped ? row[index].replaceAll(grouped, "") : row[index])),
      0,
    );
    let [scale, rounded]: [number | undefined, number] = [1, 0];
    if (this.cells === "number") {
      const values = firstValues(layout, index).filter(Number.isFinite);
      scale = scaleOf(values, column.seconds);
      if (values.length && scale) {
        this.start ??= epoch(values[0], scale);
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        rounded = 2 ** (Math.floor(Math.log2(largest || 1)) - 52);
      }
    } else if (layout.rows.length) this.start = localTime(layout.rows[0][index]);
    this.scale = scale;
    this.quantum = Math.max(10 ** -Math.min(decimals, 15), rounded) * (scale ?? 1);
  }

  /** The time in a text cell in s; NaN for an empty one. Throws Error for another that is none. */
  seconds(cell: string): number {
    const time = readerOf(this.cells)(cell);
    const missing = this.cells !== "clock" && isEmpty(cell.trim());
    if (Number.isNaN(time) && !missing) throw new Error(`'${cell}' is not a time`);
    if (this.cells !== "clock") return time;
    if (time - this.clock < -DAY / 2) this.days++;
    this.clock = time;
    return time + DAY * this.days;
  }
}

/**
 * The time column with the best estimate of the rate: rising, even, finely rounded.
 *
 * A telephone's clock, for one, often has the same time for all samples of a packet. The start is
 * taken from another column where only that has a date.
 */
export function chosen(layout: Layout, candidates: readonly number[]): Stamps | undefined {
  const judged = candidates.map((index) => new Stamps(layout, index));
  const best = least(judged, (stamps) => faults(layout, stamps));
  if (!best) return undefined;
  const dated = [...judged].sort((a, b) => Number(b.cells === "date") - Number(a.cells === "date"));
  best.start = dated.find((stamps) => stamps.start)?.start ?? dateBeside(layout, best);
  return best;
}

/** The date of a clock's first time, where a column beside it holds that alone. */
function dateBeside({ rows, columns }: Layout, clock: Stamps): string | undefined {
  if (clock.cells !== "clock" || !rows.length) return undefined;
  const dates = rows[0].filter((_, i) => columns[i].kind === "time");
  return dates.map((date) => localTime(`${date} ${rows[0][clock.index]}`)).find(Boolean);
}

/** Penalty of a time column: stamps that do not rise, unevenness, rounding. */
function faults(layout: Layout, stamps: Stamps): number[] {
  const read = readerOf(stamps.cells);
  const times =
    stamps.cells === "number"
      ? firstValues(layout, stamps.index).map((value) => value * (stamps.scale ?? 1))
      : Float64Array.from(layout.rows, (row) => read(row[stamps.index]));
  const steps = differences(times);
  if (!steps.length) return [0, 0, 0];
  const step = steps.some(Number.isNaN) ? NaN : median(steps);
  const spread = step > 0 ? median(steps.map((s) => Math.abs(s - step))) / step : 1;
  const still = Math.round(share(steps, (s) => !(s > 0)) * 100) / 100;
  const counting = stamps.scale === undefined ? 1 : 0;
  return [counting + still, Math.round(spread * 10) / 10, stamps.quantum];
}

/** How the cells of a type become seconds. */
function readerOf(cells: Cells): (cell: string) => number {
  if (cells === "duration") return durationSeconds;
  return cells === "date" ? dateSeconds : clockSeconds;
}

/** A date with a time in s since 1970, in UTC where it has a time zone; NaN for an empty cell. */
function dateSeconds(cell: string): number {
  const bare = cell.trim().replace(/^['"]+|['"]+$/g, "");
  const text = plainDate(bare).replace(/^(\d\d)\.(\d\d)\.(\d{4})/, "$3-$2-$1");
  const found =
    /^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)? ?(?:Z|[A-Z]{3,4}|([+-]\d\d):?(\d\d))?$/.exec(text); // prettier-ignore
  if (!found) return NaN;
  const parts = found.slice(1, 7).map((part) => Number(part ?? 0));
  if (!isoTime(parts)) throw new Error(`'${cell}' is not a date`);
  const [year, month, day, hour, minute, second] = parts;
  const whole = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  const zone = Number(found[8] ?? 0) * 60;
  const ahead = zone + (found[8]?.startsWith("-") ? -1 : 1) * Number(found[9] ?? 0);
  const nanoseconds = Number((found[7] ?? "").slice(0, 9).padEnd(9, "0"));
  return ((whole - ahead * 60) * 1e9 + nanoseconds) / 1e9;
}

/** Number of decimals of a number, or of the seconds of a time. */
function decimalsOf(cell: string): number {
  const seconds = /:\d\d(?:[.,](\d+)|:(\d{3})$)/.exec(cell);
  if (seconds) return (seconds[1] ?? seconds[2]).length;
  const number = /^[+-]?\d*(?:[.,](\d*))?(?:e([+-]?\d+))?(?: ?s(?:ec)?)?$/i.exec(cell);
  return number ? (number[1] ?? "").length - Number(number[2] ?? 0) : 0;
}

/** Rows without a gap: the first and the number of them, and their first and last time in s. */
interface Run {
  row: number;
  rows: number;
  begin: number;
  end: number;
}

/** First row, number of rows and first sample of a run. */
export type Place = [row: number, rows: number, sample: number];

/** The times of all rows, parted at gaps. */
class Timeline {
  readonly runs: Run[] = [];
  /** Number of stamps that do not rise or are not numbers, and the first row of them, from 1. */
  wrong = 0;
  firstWrong = 0;
  /** Number of steps that are too short. */
  short = 0;
  /** First row, from 1, of a packet that is repeated or belongs before others, or 0. */
  private back = 0;
  private steps = 0;
  private time = 0;
  private readonly job: Job;
  private readonly rows: number;
  private readonly quantum: number;

  /** `times` in s, NaN where there is none; the array is used up. Throws FormatError. */
  constructor(job: Job, times: Float64Array, quantum: number) {
    [this.job, this.rows, this.quantum] = [job, times.length, quantum];
    const given = times.slice();
    const good = this.mend(times);
    if (!this.rows || this.wrong === this.rows) return;
    const usual = this.usualStep(times, good);
    const longest = 1.5 * usual + quantum;
    const inStep = (i: number) => given[i] > given[i - 1] && given[i] - given[i - 1] <= longest;
    for (let i = this.rows - 1; i > 0; i--)
      if (!good[i] && !good[i - 1] && inStep(i)) this.back = i;
    let run: Run = { row: 0, rows: 1, begin: times[0], end: times[0] };
    for (let i = 1; i < this.rows; i++) {
      const step = times[i] - times[i - 1];
      // A step next to an interpolated stamp carries no information.
      const known = good[i] && good[i - 1];
      const short = step < 0.5 * usual - quantum;
      if (known && short) this.short++;
      if (known && !short && step <= longest) {
        this.steps++;
        this.time += step;
      }
      if (usual && step > longest) {
        this.runs.push(run);
        if (this.runs.length >= MAX_GAPS)
          throw new FormatError(job.path, `has more than ${MAX_GAPS} gaps in its time column`);
        run = { row: i, rows: 0, begin: times[i], end: times[i] };
      }
      run.rows++;
      run.end = times[i];
    }
    this.runs.push(run);
  }

  /** Interpolate stamps that do not rise; which were good. */
  private mend(times: Float64Array): Uint8Array {
    const good = new Uint8Array(times.length);
    let [highest, last] = [-Infinity, -1];
    for (let i = 0; i < times.length; i++) {
      if (!(times[i] > highest)) {
        if (!this.wrong++) this.firstWrong = i + 1;
        continue;
      }
      const [from, step] = last < 0 ? [times[i], 0] : [highest, (times[i] - highest) / (i - last)];
      for (let k = last + 1; k < i; k++) times[k] = from + step * (k - last);
      [highest, last] = [times[i], i];
      good[i] = 1;
    }
    // Beyond the last good one there is nothing to interpolate to.
    if (last >= 0) times.fill(highest, last + 1);
    return good;
  }

  /** The lower of the two steps in the middle: a gap is longer than what is usual. */
  private usualStep(times: Float64Array, good: Uint8Array): number {
    const kept = differences(times)
      .filter((_, i) => good[i + 1])
      .sort();
    return kept.length ? kept[(kept.length - 1) >> 1] : 0;
  }

  /** True if a packet is out of order, or more than a handful of stamps out of step. */
  get isUneven(): boolean {
    const few = Math.max(this.rows >= 20 ? 1 : 0, FEW * this.rows);
    return this.back > 0 || this.wrong > few || this.short > few || !this.steps;
  }

  /** The rate in Hz; a common one, or else a whole number, where the stamps allow it. */
  rate(): number {
    const { job, rows, wrong, short } = this;
    if (rows < 2)
      throw new NeedError(job.path, "has too few rows to give a rate; give it (fs=, --fs)", ["fs"]);
    if (this.isUneven) {
      const time = this.runs.length ? this.runs[this.runs.length - 1].end - this.runs[0].begin : 0;
      const mean = time > 0 ? ` (${general((rows - 1) / time, 4)} rows a second)` : "";
      const what = this.back
        ? `a packet from row ${this.back} on is repeated or out of order`
        : wrong > short
          ? `${wrong} of ${rows} are missing or do not rise, the first in row ${this.firstWrong}`
          : `${short} of ${rows} steps are less than half of the usual one`;
      const advice = wrong > MANY * rows && !this.back ? EVEN : UNEVEN;
      throw new NeedError(job.path, `its times are uneven: ${what}${mean}; ${advice}`, ["fs"]);
    }
    if (wrong || short)
      warn(
        job,
        `${wrong + short} of ${rows} time stamps are doubled or out of step; ` +
          "the rows are taken as even",
      );
    const fs = this.steps / this.time;
    const doubt = fs * ((this.quantum * this.runs.length) / this.time + 1e-9);
    const nearest = least(COMMON, (rate) => [Math.abs(rate - fs)])!;
    const near = (whole: number) => whole && Math.abs(fs - whole) <= Math.max(doubt, fs * 1e-7);
    return [nearest, roundEven(fs)].find(near) ?? fs;
  }

  /** True if the stamps, of packets perhaps, span so many samples as there are rows. */
  fits(fs: number): boolean {
    const [first, last] = [this.runs[0], this.runs[this.runs.length - 1]];
    const lacking = first ? (last.end - first.begin) * fs - this.rows : Infinity;
    return !this.back && Math.abs(lacking) <= DRIFT * this.rows + PACKET * fs;
  }

  /** Warn of the longest gap if it is of hours, as a clock makes one that is set. */
  warnGap(): void {
    let [longest, row] = [0, 0];
    this.runs.slice(1).forEach((after, i) => {
      const gap = after.begin - this.runs[i].end;
      if (gap >= longest) [longest, row] = [gap, after.row];
    });
    if (longest >= LONG)
      warn(
        this.job,
        `its times have a gap of ${general(longest / 3600, 3)} h before row ` +
          `${row + 1}, which becomes missing samples; correct them if a clock was set there`,
      );
  }

  /** The places of the rows in time at a rate, and the samples in all. Throws FormatError. */
  places(fs: number, leads: number): [places: Place[], samples: number] {
    const { job, runs, rows } = this;
    let [stop, missing] = [0, 0];
    const places = runs.map((run): Place => {
      let first = roundEven((run.begin - runs[0].begin) * fs);
      if (first < stop - (2 + this.wrong + this.short))
        throw new NeedError(job.path, `its times are uneven around row ${run.row + 1}; ${UNEVEN}`, [
          "fs",
        ]);
      first = Math.max(first, stop);
      missing += first - stop;
      if (missing > Math.floor(ALWAYS_MISSING / leads) + MAX_MISSING * rows)
        throw new NeedError(
          job.path,
          `has ${general(rows / fs, 4)} s of signal and gaps of ${general(missing / fs, 4)} s; ` +
            "split the file where a gap is, or take the rows as even (fs=, --fs)",
          ["fs"],
        );
      stop = first + run.rows;
      return [run.row, run.rows, first];
    });
    return [places, stop];
  }
}

/**
 * The rate of a table, where its rows belong, and the samples in all.
 *
 * `times` are those of its rows in s, if it has some; `stated` is the rate that its head says.
 * Throws NeedError where there is no rate, or the times are uneven.
 */
export function placed(
  job: Job,
  rows: number,
  leads: number,
  times: { values: Float64Array; quantum: number } | undefined,
  stated: number | undefined,
): [fs: number, places: Place[], samples: number] {
  const fs = job.fs || stated;
  const even: Place[] = [[0, rows, 0]];
  if (!times) {
    if (!fs) throw new NeedError(job.path, "says no sampling rate; give it (fs=, --fs)", ["fs"]);
    warnOverruled(job, stated);
    return [fs, even, rows];
  }
  const timeline = new Timeline(job, times.values, times.quantum);
  let [rate, places, samples]: [number, Place[], number] = [0, even, rows];
  try {
    rate = timeline.rate();
    [places, samples] = timeline.places(rate, leads);
  } catch (error) {
    if (!fs || !(error instanceof FormatError)) throw error;
    if (job.fs || !timeline.fits(fs))
      warn(job, `${error.reason.split("; ")[0]}; taken as even at ${general(fs)} Hz`);
    return [fs, even, rows];
  }
  if (fs) warnOverruled(job, stated || rate);
  if (fs && Math.abs(fs - rate) > (job.fs ? 1e-3 : 1e-2) * rate) {
    if (!job.fs)
      warn(
        job,
        `states ${general(fs)} Hz, but its times say ${general(rate)} Hz; the statement is ` +
          "believed, --fs overrules it",
      );
    return [fs, even, rows];
  }
  timeline.warnGap();
  return fs && places.length === 1 ? [fs, places, samples] : [rate, places, samples];
}

function warnOverruled(job: Job, said: number | undefined): void {
  if (job.fs && said && Math.abs(job.fs - said) > 1e-3 * said)
    warn(job, `says ${general(said)} Hz; fs=${general(job.fs)} overrules it`);
}
