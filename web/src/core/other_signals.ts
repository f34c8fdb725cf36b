/** Signals that are no ECG by name; see ipmdae.pipeline.other_signals. */
import WORDS from "../../../src/ipmdae/pipeline/other_signals.json";

const [ECG, OTHER] = [WORDS.ecg, WORDS.other].map((words) => new Set(words.split(" ")));

/** True if a signal's name says that it is no ECG. */
export function isOther(name: string): boolean {
  const words = name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").match(/\p{L}+/gu) ?? [];
  const known = words.map((word) => word.toLowerCase());
  return known.some((word) => OTHER.has(word)) && !known.some((word) => ECG.has(word));
}
