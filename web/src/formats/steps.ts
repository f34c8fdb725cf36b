/** Sizes of a converter's step that lines above a table state, in many spellings. */
import WORDS from "../../../src/ipmdae/formats/words.json";
import { isStep, pattern, plainUnit } from "./columns.ts";
import { millivolts } from "./job.ts";

const STEP_KEY = pattern("step key");
export const UNIT_KEY = pattern("unit key");

const NUMBER = "\\d+(?:[.,]\\d+)?(?:e[+-]?\\d+)?";
const WORD = "[\\p{L}_]+";
const PER = " ?(?:\\/|\\bper\\b) ?(?:1 ?)?";
const BARE = new RegExp(`^${NUMBER}$`, "iu");
const AMOUNT = new RegExp(`^(${NUMBER}) ?(${WORD})$`, "iu");
const RATIO = new RegExp(
  `(?<![\\p{L}\\p{N}_.,])(${NUMBER}) ?((?:${WORD})?)${PER}(${WORD})(?![\\p{L}\\p{N}_])`,
  "iu",
);
const KEY_WITH_UNIT = new RegExp(
  `^(?:(.*?) ?[([](.+)[)\\]]|(?:(.*) )?(${WORD}${PER}${WORD}))$`,
  "iu",
);
const ONE = new RegExp(`^(1 ?|one )?(${WORD})$`, "iu");
/** A size of a step without its unit; whole numbers from 8 on are bits. */
const FRACTION = /^(?:\d+[.,]\d+|[1-7])$/;
/** Millivolts in a step of an ECG recorder: others are of something else. */
const PLAUSIBLE = [1e-6, 0.1];
/** Digits that may be thousands, or decimals. */
const THOUSANDS = /(?<![\d.,])[1-9]\d{0,2},\d{3}(?!\d)/;
const STEP = new Set(WORDS.step.split(" "));

/**
 * Millivolts in a step of a converter, if a line of a key and a value states them.
 *
 * Stated are a voltage a step (`Resolution: 4.88 uV/LSB`, `uV per bit: 4.88`), steps a voltage
 * (`Gain (LSB/mV): 205`), what one of them is (`LSB = 4.88 uV`, `1 mV = 205 LSB`), or a voltage by
 * a key that means a step (`Scale factor: 0.00488 mV`, `Unit: 10uV`). Where another line states a
 * unit of voltage, only a number that lacks one is a step.
 */
export function stepOf(key: string, value: string, unit = ""): number | undefined {
  const text = value.trim().split(/\s+/).join(" ");
  const step = THOUSANDS.test(text) ? undefined : sizeOf(key, text, unit);
  return step && step >= PLAUSIBLE[0] && step <= PLAUSIBLE[1] ? step : undefined;
}

function sizeOf(key: string, text: string, unit: string): number | undefined {
  if (unit)
    return FRACTION.test(text) && STEP_KEY.test(key) ? ofAmount(key, `${text} ${unit}`) : undefined;
  const found = BARE.test(text) ? KEY_WITH_UNIT.exec(key) : null;
  if (!found) return ofRatio(text) ?? ofAmount(key, text);
  const stated = `${text} ${found[2] ?? found[4]}`;
  return ofRatio(stated) ?? ofAmount(found[1] ?? found[3] ?? "", stated);
}

/** Millivolts in a step by a voltage a step, or by steps a voltage. */
function ofRatio(value: string): number | undefined {
  const [whole, size, first, second] = RATIO.exec(value) ?? [];
  const number = size ? float(size) : 0;
  if (!number || !(first || whole === value)) return undefined;
  const [above, below] = [first, second].map((unit) => millivolts(plainUnit(unit)));
  if (above && isStep(second)) return number * above;
  return below && (!first || isStep(first)) ? below / number : undefined;
}

/** Millivolts in a step by the voltage of one, by a key that means one, or by steps in one. */
function ofAmount(key: string, value: string): number | undefined {
  const [, size, unit] = AMOUNT.exec(value) ?? [];
  const [, counted, named] = ONE.exec(key) ?? [];
  const number = size ? float(size) : 0;
  if (!number) return undefined;
  const voltage = millivolts(plainUnit(unit));
  if (!voltage) {
    const whole = counted ? millivolts(plainUnit(named)) : undefined;
    return whole && isStep(unit) ? whole / number : undefined;
  }
  const one = named && (counted ? isStep(named) : STEP.has(named.toLowerCase()));
  const multiple = number !== 1 && UNIT_KEY.test(key);
  return one || multiple || STEP_KEY.test(key) ? number * voltage : undefined;
}

function float(text: string): number {
  return Number(text.replace(",", "."));
}
