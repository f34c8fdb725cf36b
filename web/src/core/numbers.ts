/** Rounding, formatting and order statistics as in Python and NumPy. */

/** The nearest whole number; halves go to the even one. */
export function roundEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 ? below + 1 : below;
}

/** A number with up to so many significant digits, in the format g of Python. */
export function general(value: number, digits = 6): string {
  if (!Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < digits) return String(Number(value.toPrecision(digits)));
  const sign = power < 0 ? "-" : "+";
  return `${Number(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `value`, or the nearest end of the range from `low` to `high`. */
export function clip(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** An array of the values of a function at 0, 1, … */
export function tabulate(length: number, value: (i: number) => number): Float64Array {
  const table = new Float64Array(length);
  for (let i = 0; i < length; i++) table[i] = value(i);
  return table;
}

/** The samples that are not missing (NaN), in ascending order. */
export function sortedKnown<T extends Float32Array | Float64Array>(values: T): T {
  const ordered = values.slice().sort(); // NaN last
  let count = ordered.length;
  while (count && Number.isNaN(ordered[count - 1])) count--;
  return ordered.subarray(0, count) as T;
}

/** The value at a share, 0 to 1, of ascending values, interpolated linearly; NaN without any. */
export function quantile(ordered: ArrayLike<number>, share: number): number {
  if (!ordered.length) return NaN;
  const place = (ordered.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (ordered[above] - ordered[below]) * (place - below);
}

/** The median of what is not NaN; NaN without any. */
export function median(values: Float32Array | Float64Array): number {
  return quantile(sortedKnown(values), 0.5);
}

/** Largest value less the smallest; NaN is ignored, and alone gives -Infinity. */
export function spread(values: Float32Array | Float64Array): number {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low;
}
