/** Dates and times in ISO 8601 without a zone: the local time of a recorder. */

/** Abbreviations of the months, as in EDF. */
export const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");

const DATE =
  /(\d{4})[-/](\d\d)[-/](\d\d)(?:T|\s+)(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([AP])\.?M\b)?/i;
const SLASHED = /\b(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)[T, ]+(?=\d{1,2}:\d\d)/g;

const ISO = /^\d{4}-\d\d-\d\d[T ][\d:.]*$/;
const ENDS = "(?:r?uary|ch|il|e|y|ust|t?(?:ember)?|ober)(?![a-z])";
const MONTH = `(${MONTHS.join("|")})${ENDS}`;
const NAMED = new RegExp(
  "\\b(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]*\\s+)?" +
    `(?:(\\d\\d?)[-.\\s]\\s?${MONTH}[-.,\\s]\\s?(\\d{4}|\\d\\d(?![\\d:.]))` +
    `|${MONTH}\\.?\\s+(\\d\\d?)[.,]?\\s+(\\d{4}))\\b,?`,
  "i",
);
/**
 * Parts of dates that ISO 8601 has otherwise: WFDB's and C's order, a zone's name, points, low
 * lines, no signs at all.
 */
const WRITTEN = [
  [/^\[(\d\d:\d\d:\d\d(?:\.\d+)?) (\d\d)[/-](\d\d)[/-](\d{4})\]$/, "$4-$3-$2 $1"],
  [/\b([A-Z][a-z]{2}) +(\d\d?) (\d\d:\d\d:\d\d)(?: [A-Z]{3,4})? (\d{4})\b/, "$1 $2 $4 $3"],
  [/\[[\w/+-]+\]$/, ""],
  [/\b(\d{4})\.(\d\d)\.(\d\d)\b/g, "$1-$2-$3"],
  [/\b(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)\b/g, "$1 $2:$3:$4"],
  [/^(\d{4})(\d\d)(\d\d)[T_ ]?(\d\d)(\d\d)(\d\d)(?=$|[.,]\d*$)/, "$1-$2-$3 $4:$5:$6"],
] as const;

/**
 * A date with a time as it stands, whatever its time zone: `2026-03-14 09:15:00 -0400`.
 *
 * Of `03/14/2026` the number above 12 is the day; where none is, the date is not known.
 */
export function localTime(text: string): string | undefined {
  const iso = plainDate(text).replace(/\b(\d\d)\.(\d\d)\.(\d{4})\b/, "$3-$2-$1");
  const found = DATE.exec(iso.replace(SLASHED, slashed));
  if (!found) return undefined;
  const parts = found.slice(1, 7).map((part) => Number(part ?? 0));
  if (found[8]) parts[3] = (parts[3] % 12) + (/p/i.test(found[8]) ? 12 : 0);
  return isoTime(parts, found[7]);
}

/** A date and time nearer to ISO 8601, of one such as `14-Mar-2026`, `2026.03.14`. */
export function plainDate(text: string): string {
  if (ISO.test(text)) return text;
  const plain = WRITTEN.reduce((all, [form, iso]) => all.replace(form, iso), text);
  return plain.replace(NAMED, (_, first, name, year, other, second, last) => {
    const month = MONTHS.indexOf((name ?? other).toUpperCase()) + 1;
    const pad = (number: unknown) => String(number).padStart(2, "0");
    return `${(year ?? last).padStart(4, "20")}-${pad(month)}-${pad(first ?? second)}`;
  });
}

/**
 * `3/14/2026` as ISO has it; empty if day and month are ambiguous.
 *
 * In `14/03/26` the year may be the first number; in `03/14/26` it is the last.
 */
function slashed(...found: string[]): string {
  const [, one, two, year] = found;
  const [first, second] = [Number(one), Number(two)];
  const pad = (n: number) => String(n).padStart(2, "0");
  const short = year.length === 2;
  if ((first !== second || short) && first > 12 === second > 12) return "";
  if (short && second < first) return "";
  return `${short ? "20" : ""}${year}-${pad(Math.min(first, second))}-${pad(Math.max(first, second))} `;
}

/**
 * A date and time in ISO 8601 without a zone, to the microsecond; undefined for one that there
 * cannot be. `fraction` are the decimals of the seconds.
 */
export function isoTime(
  [year, month, day, hour, minute, second]: readonly number[],
  fraction = "",
): string | undefined {
  const pad = (value: number, size = 2) => String(value).padStart(size, "0");
  const date = `${pad(year, 4)}-${pad(month)}-${pad(day)}`;
  const time = new Date(`${date}T00:00:00Z`);
  const known = Number.isFinite(time.getTime()) && time.toISOString().startsWith(date);
  if (!known || !year || hour > 23 || minute > 59 || second > 59) return undefined;
  const rest = fraction.slice(0, 6).padEnd(6, "0");
  return `${date}T${pad(hour)}:${pad(minute)}:${pad(second)}${rest === "000000" ? "" : `.${rest}`}`;
}

/** The date and time so many whole seconds and microseconds after the begin of 1970. */
export function sinceEpoch(seconds: number, microseconds = 0): string {
  const carried = seconds + Math.floor(microseconds / 1e6);
  const rest = ((microseconds % 1e6) + 1e6) % 1e6;
  const whole = new Date(carried * 1000).toISOString().slice(0, 19);
  return rest ? `${whole}.${String(rest).padStart(6, "0")}` : whole;
}
