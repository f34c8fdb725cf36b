/** Dates and times in ISO 8601 without a zone: the local time of a recorder. */

const DATE = /(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?/;
const SLASHED =
  /\b(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)[T, ]+(\d{1,2})(:\d\d(?::\d\d(?:[.,]\d+)?)?)(?: ?([AP])M)?/gi;

const ISO = /^\d{4}-\d\d-\d\d[T ][\d:.]*$/;
const NAMED = /\b(?:(\d\d)-([A-Z][a-z]{2})-|([A-Z][a-z]{2}) (\d\d?),? )(\d{4})\b/;
/** Parts of dates that ISO 8601 has otherwise: a zone's name, points, low lines, no signs at all. */
const WRITTEN = [
  [/\[[\w/+-]+\]$/, ""],
  [/\b(\d{4})\.(\d\d)\.(\d\d)\b/g, "$1-$2-$3"],
  [/\b(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)\b/g, "$1 $2:$3:$4"],
  [/^(\d{4})(\d\d)(\d\d)[T_ ]?(\d\d)(\d\d)(\d\d)(?=$|[.,]\d*$)/, "$1-$2-$3 $4:$5:$6"],
] as const;
/** Abbreviations of the months, as in EDF. */
export const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");

/**
 * A date with a time as it stands, whatever its time zone: `2026-03-14 09:15:00 -0400`.
 *
 * Of `03/14/2026` the number above 12 is the day; where none is, the date is not known.
 */
export function localTime(text: string): string | undefined {
  const iso = plainDate(text).replace(/\b(\d\d)\.(\d\d)\.(\d{4})\b/, "$3-$2-$1");
  const found = DATE.exec(iso.replace(SLASHED, slashed));
  return found
    ? isoTime(
        found.slice(1, 7).map((part) => Number(part ?? 0)),
        found[7],
      )
    : undefined;
}

/** A date and time nearer to ISO 8601, of one such as `14-Mar-2026`, `2026.03.14`. */
export function plainDate(text: string): string {
  if (ISO.test(text)) return text;
  const plain = WRITTEN.reduce((all, [form, iso]) => all.replace(form, iso), text);
  return plain.replace(NAMED, (date, day, name, first, second, year) => {
    const month = MONTHS.indexOf((name ?? first).toUpperCase()) + 1;
    const pad = (number: unknown) => String(number).padStart(2, "0");
    return month ? `${year}-${pad(month)}-${pad(day ?? second)}` : date;
  });
}

/**
 * `3/14/2026 9:15:00 PM` as ISO has it; empty if day and month are ambiguous.
 *
 * In `14/03/26` the year may be the first number; in `03/14/26` it is the last.
 */
function slashed(...found: string[]): string {
  const [, one, two, year, clock, rest, half] = found;
  const [first, second, pad] = [
    Number(one),
    Number(two),
    (n: number) => String(n).padStart(2, "0"),
  ];
  const short = year.length === 2;
  if ((first !== second || short) && first > 12 === second > 12) return "";
  if (short && second < first) return "";
  const hour = half ? (Number(clock) % 12) + (/p/i.test(half) ? 12 : 0) : Number(clock);
  return `${short ? "20" : ""}${year}-${pad(Math.min(first, second))}-${pad(Math.max(first, second))} ${pad(hour)}${rest}`;
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
