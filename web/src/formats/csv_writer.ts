/** Writing tables of text: a time column, and one a lead with its unit in the heading. */
import type { Lead, Recording } from "../recording.ts";
import { columnsOf } from "./columns.ts";
import { FormatError } from "./errors.ts";
import { millivolts, NO_UNIT } from "./job.ts";
import { split } from "./layout.ts";

/** Rows that become text at once. */
const ROWS = 1 << 16;

/**
 * A recording as a table: `time (s)`, or `time (seconds since 2024-01-02T10:11:12)`, and the leads.
 *
 * Values have as many decimals as it takes to find the digital ones again. A missing sample is
 * `nan`. Throws FormatError where a name would come back as another.
 */
export function writeCsv(recording: Recording): Blob {
  const { leads, fs, start } = recording;
  const headings = leads.map(({ name, unit }) => cell(`${name} (${unit})`));
  const first = [`time (${start ? `seconds since ${start}` : "s"})`, ...headings].join(",");
  check(recording, first);
  const seconds = timeDecimals(fs);
  const decimals = leads.map(decimalsOf);
  const samples = leads[0].samples.length;
  const parts = [new Blob([`${first}\n`])];
  for (let begin = 0; begin < samples; begin += ROWS) {
    let text = "";
    for (let i = begin; i < Math.min(begin + ROWS, samples); i++) {
      text += (i / fs).toFixed(seconds);
      for (let k = 0; k < leads.length; k++) {
        const value = leads[k].samples[i];
        text += value === value ? `,${value.toFixed(decimals[k])}` : ",nan";
      }
      text += "\n";
    }
    parts.push(new Blob([text]));
  }
  return new Blob(parts, { type: "text/csv" });
}

/** Read the headings as a reader would. */
function check({ name, leads }: Recording, first: string): void {
  const cells = split(first, ",");
  const found = columnsOf(
    cells,
    cells.map(() => ""),
  ).slice(1);
  for (const [i, lead] of leads.entries()) {
    const differs = (what: string, before: string, after = "nothing") => {
      const text = `not written, as the ${what} ${before} would come back as ${after}`;
      if (before !== after) throw new FormatError(`${name}.csv`, text);
    };
    differs("lead", lead.name, found[i]?.name);
    const unit = found[i].unit || NO_UNIT;
    differs("unit", lead.unit, found[i].kind === "lead" && millivolts(unit) ? "mV" : unit);
  }
}

/** A heading, in quotes where it would be ambiguous. */
function cell(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Decimals by which a value lies within a quarter of a step of itself. */
function decimalsOf({ resolution }: Lead): number {
  if (!resolution) return 6;
  const step = (millivolts(resolution.unit) ?? 1) / Math.abs(resolution.gain);
  return Math.min(Math.max(Math.ceil(Math.log10(2 / step)), 0), 15);
}

/** Decimals that the sampling interval has, up to 9. */
function timeDecimals(fs: number): number {
  return [1, 2, 3, 4, 5, 6, 7, 8].find((n) => Number.isInteger(10 ** n / fs)) ?? 9;
}
