// Tables of text: leads, their names, and the rate that a time column states.

const TIME = /^\s*"?(t|time|timestamp|elapsed time|seconds|ms)\b/i;
const SECONDS = { s: 1, sec: 1, seconds: 1, ms: 1e-3, us: 1e-6, "µs": 1e-6, ns: 1e-9 };
const MILLIVOLTS = { nv: 1e-6, uv: 1e-3, "µv": 1e-3, mv: 1, v: 1e3 };

const isWord = (cell) => cell.trim() !== "" && Number.isNaN(Number(cell));
const unit = (name) => (name.match(/[([]\s*([^)\]]*?)\s*[)\]]\s*"?\s*$/)?.[1] ?? "").toLowerCase();

/**
 * Read a table: a column for each lead, a row for each sample, perhaps with names above.
 *
 * A column called time, in s unless its heading states another unit, is no lead: it gives the rate,
 * the mean of the whole table. Voltages in a stated unit become mV.
 *
 * @param {string} text cells separated by commas, semicolons or tabs; empty ones are missing
 * @returns {{names: string[], columns: Float32Array[], fs: number|null}} leads in mV, and the rate
 *     in Hz, null where there is no time column
 * @throws {Error} a cell of a lead is no number, or the times do not rise
 */
export function parse(text) {
  const rows = text.replace(/^\ufeff/, "").trim().split(/\r?\n/).map((line) => line.split(/[,;\t]/));
  const names = rows[0].some(isWord) ? rows.shift() : rows[0].map((_, i) => `lead ${i + 1}`);
  const time = names.findIndex((name) => TIME.test(name) && !(unit(name) in MILLIVOLTS));
  const leads = names.map((_, i) => i).filter((i) => i !== time);
  if (!leads.length) throw new Error("the table has no column of samples");
  return {
    names: leads.map((i) => inMillivolts(names[i])),
    columns: leads.map((i) => column(rows, i, names[i], MILLIVOLTS[unit(names[i])] ?? 1)),
    fs: time < 0 ? null : rate(rows.map((row) => Number(row[time])), names[time]),
  };
}

const inMillivolts = (name) =>
  unit(name) in MILLIVOLTS ? name.replace(/[([][^)\]]*[)\]](\s*"?\s*)$/, "(mV)$1") : name;

function column(rows, i, name, scale) {
  return Float32Array.from(rows, (row, t) => {
    const cell = (row[i] ?? "").trim();
    if (isWord(cell) && cell.toLowerCase() !== "nan")
      throw new Error(`row ${t + 1} of ${name} holds “${cell}”, which is no number`);
    return cell === "" ? NaN : Number(cell) * scale;
  });
}

/** The mean rate in Hz of rising times; a whole number where their rounding allows it. */
function rate(times, name) {
  const seconds = (times.at(-1) - times[0]) * (SECONDS[unit(name)] ?? (/^\s*ms\b/i.test(name) ? 1e-3 : 1));
  const fs = (times.length - 1) / seconds;
  if (!(fs > 0 && Number.isFinite(fs))) throw new Error(`the column ${name} tells no rate`);
  return Math.abs(fs - Math.round(fs)) < 1e-3 * fs ? Math.round(fs) : fs;
}
