/** Labels, units and notes of EDF signals, by which names of any text come back. */
import { isEcg, otherElectrodes } from "./columns.ts";
import { millivolts, NO_UNIT } from "./job.ts";

/** Beginning of texts about the whole recording, at time 0. */
export const COMMENT = "# ";
/** Beginning of marks on missing samples; the signal's number in the file and its label follow. */
export const MISSING = "missing: ";
/** Where the last data record, filled up, has no samples any more. */
export const ENDS = "Recording ends";
export const RESERVED = ["EDF Annotations", "BDF Annotations"];

export interface Named {
  label: string;
  unit: string;
  fs: number;
}

/** `text` in printable ASCII, without accents, cut to `size` characters. */
export function plain(text: string, size: number): string {
  const bare = text
    .replace(/[µμ]/g, "u")
    .normalize("NFKD")
    .replace(/\p{Mn}/gu, "");
  return bare
    .replace(/[^ -~]/gu, "?")
    .slice(0, size)
    .trim();
}

/** Label of a signal; the label of annotations is reserved. */
export function label(name: string): string {
  const text = plain(name, 16);
  return RESERVED.includes(text) ? `?${text.slice(1)}` : text;
}

/** Unit of a signal in the header; blank if there is none. */
export function unit(name: string): string {
  return name === NO_UNIT ? "" : plain(name, 8);
}

/**
 * Indices of the signals that are leads where the file does not say it: voltages named as ECGs
 * are, or, where none is, all voltages but those named as an EEG, EOG or EMG, or, without voltages,
 * all; of these, those of the highest rate. Signals of the same rate that are not voltages
 * (respiration) are leads too. C1 to C6 are no ECG beside other electrodes of an EEG. There is none
 * if all voltages are of an EEG, EOG or EMG.
 */
export function leadsByRule(signals: readonly Named[]): number[] {
  const every = [...signals.keys()];
  const voltages = every.filter((i) => millivolts(signals[i].unit) !== undefined);
  const others = otherElectrodes(voltages.map((i) => signals[i].label));
  const maybe = voltages.filter((_, k) => !others[k]);
  const ecgs = maybe.filter((i) => isEcg(signals[i].label));
  const chosen = ecgs.length ? ecgs : voltages.length ? maybe : every;
  const fs = Math.max(...chosen.map((i) => signals[i].fs));
  return every.filter((i) => signals[i].fs === fs && (chosen.includes(i) || !voltages.includes(i)));
}

/** Comments with what the header cannot hold of leads. */
export function labelComments(leads: readonly Named[]): string[] {
  const lines = leads.flatMap((lead, i) => [
    ...(label(lead.label) === lead.label ? [] : [`label ${i + 1}: ${lead.label}`]),
    ...(unit(lead.unit) === lead.unit.replace(NO_UNIT, "") ? [] : [`unit ${i + 1}: ${lead.unit}`]),
  ]);
  const all = [...leads.keys()];
  if (leadsByRule(leads).join() !== all.join())
    lines.push(`leads are signals ${all.map((i) => i + 1).join(" ")}`);
  return lines;
}

/**
 * Give signals their full names and units by the comments; the indices of the leads if these are
 * stated, and the other comments.
 */
export function restore<T extends Named & { place: number }>(
  signals: readonly T[],
  texts: readonly string[],
): { leads?: number[]; comments: string[] } {
  const found = new Map(signals.map((signal) => [signal.place, signal]));
  const comments: string[] = [];
  let leads: number[] | undefined;
  for (const text of texts) {
    const [, key, number, value] = /^(label|unit) (\d{1,4}): (.*)$/.exec(text) ?? [];
    const listed = /^leads are signals (\d{1,4}(?: \d{1,4})*)$/.exec(text);
    const places = listed ? listed[1].split(" ").map((n) => Number(n) - 1) : [];
    const signal = found.get(Number(number) - 1);
    const rates = new Set(places.map((place) => found.get(place)?.fs));
    if (signal && key === "label" && label(value) === signal.label) signal.label = value;
    else if (signal && key === "unit" && unit(value) === signal.unit) signal.unit = value;
    else if (listed && rates.size === 1 && !rates.has(undefined))
      leads = places.map((place) => [...found.keys()].indexOf(place));
    else comments.push(text);
  }
  return { leads, comments };
}
