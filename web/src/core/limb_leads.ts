/** Consistency of limb leads: Einthoven's and Goldberger's equations; see ipmdae.pipeline.limb_leads. */

import { roundEven } from "./numbers.ts";

/** Each limb lead as a combination of I and II. */
const EQUATIONS: Record<string, readonly [number, number]> = {
  I: [1, 0],
  II: [0, 1],
  III: [-1, 1],
  AVR: [-0.5, -0.5],
  AVL: [1, -0.5],
  AVF: [-0.5, 1],
};

/** Largest root mean square in mV with which recorded leads count as consistent. */
const TOLERANCE = 0.01;

/** Deviation in mV of a sample from the equations: an electrode is off, or a lead has own noise. */
const DEVIATION = 5 * TOLERANCE;
/** Least error of a lead in mV. */
const LEAST_ERROR = 0.005;
/** Seconds around a deviation in which the leads do not count as consistent. */
const REACH = 0.2;

const PREFIX = /^(MDC_ECG_LEAD_|ECG[ _-]*|EKG[ _-]*|LEAD[ _-]*|ABL(\.|EITUNG)?[ _-]*|D(?=I))+/;

/** Limb leads of a recording, at least three. */
export interface LimbLeads {
  /** Indices of the leads. */
  columns: number[];
  /** Each lead as a combination of I and II. */
  basis: (readonly [number, number])[];
  /** Projection onto the leads that obey the equations. */
  projection: number[][];
  /** Constant offset of each from the equations, mV. */
  shift: number[];
  /** True if the recorded leads obey the equations. */
  consistent: boolean;
}

/** Find the limb leads among `usable` leads, and check them; null for fewer than three. */
export function findLimbLeads(
  names: readonly string[],
  leads: readonly Float64Array[],
  usable: readonly boolean[],
): LimbLeads | null {
  const found = new Map<string, number>();
  names.forEach((name, column) => {
    const standard = name.trim().toUpperCase().replace(PREFIX, "");
    if (usable[column] && standard in EQUATIONS && !found.has(standard))
      found.set(standard, column);
  });
  if (found.size < 3) return null;
  const columns = [...found.values()];
  const basis = [...found.keys()].map((name) => EQUATIONS[name]);
  const projection = projectionOnto(basis);
  const { shift, rms } = residual(
    columns.map((column) => leads[column]),
    projection,
  );
  return { columns, basis, projection, shift, consistent: rms <= TOLERANCE };
}

/**
 * Replace leads by the nearest that deviate from the equations by a constant, where those recorded
 * do so; NaN changes nothing. Squared distances are weighted by the inverse variance of `errors`.
 */
export function project(
  limbs: LimbLeads,
  leads: readonly Float64Array[],
  errors: readonly Float32Array[],
  recorded: readonly Float64Array[],
  fs: number,
): void {
  const { columns, basis, shift } = limbs;
  const own = columns.map((column) => leads[column]);
  const values = new Float64Array(own.length);
  const apart = nearDeviation(limbs, recorded, roundEven(REACH * fs));
  for (let t = 0; t < own[0].length; t++) {
    if (apart[t]) continue;
    own.forEach((lead, i) => (values[i] = lead[t]));
    if (!values.every(Number.isFinite)) continue;
    let [a, b, d, first, second] = [0, 0, 0, 0, 0];
    basis.forEach(([x, y], i) => {
      const weight = 1 / (errors[columns[i]][t] ** 2 + LEAST_ERROR ** 2);
      const value = values[i] - shift[i];
      a += weight * x * x;
      b += weight * x * y;
      d += weight * y * y;
      first += weight * x * value;
      second += weight * y * value;
    });
    const [I, II] = [d * first - b * second, a * second - b * first];
    basis.forEach(([x, y], i) => (own[i][t] = (x * I + y * II) / (a * d - b * b) + shift[i]));
  }
}

/** Mask of samples with a deviation of the recorded leads from the equations within `reach`. */
function nearDeviation(
  { columns, projection, shift }: LimbLeads,
  recorded: readonly Float64Array[],
  reach: number,
): Uint8Array {
  const own = columns.map((column) => recorded[column]);
  const values = new Float64Array(own.length);
  const near = new Uint8Array(own[0].length);
  let marked = 0; // end of the samples that are marked already
  for (let t = 0; t < near.length; t++) {
    own.forEach((lead, i) => (values[i] = lead[t]));
    const rest = (i: number) => Math.abs(values[i] - dot(projection[i], values) - shift[i]);
    if (!own.some((_, i) => rest(i) > DEVIATION)) continue;
    near.fill(1, Math.max(t - reach, marked), t + reach + 1);
    marked = t + reach + 1;
  }
  return near;
}

/** Mean deviation of leads from the equations, and the largest standard deviation about it. */
function residual(leads: Float64Array[], projection: number[][]): { shift: number[]; rms: number } {
  const sums = leads.map(() => 0);
  const squares = leads.map(() => 0);
  const values = new Float64Array(leads.length);
  let count = 0;
  for (let t = 0; t < leads[0].length; t++) {
    leads.forEach((lead, i) => (values[i] = lead[t]));
    if (!values.every(Number.isFinite)) continue;
    count++;
    for (let i = 0; i < leads.length; i++) {
      const rest = values[i] - dot(projection[i], values);
      sums[i] += rest;
      squares[i] += rest * rest;
    }
  }
  if (!count) return { shift: sums, rms: NaN };
  const shift = sums.map((sum) => sum / count);
  const variances = squares.map((square, i) => square / count - shift[i] ** 2);
  return { shift, rms: Math.sqrt(Math.max(...variances, 0)) };
}

/** B (BᵀB)⁻¹ Bᵀ for the matrix B of the leads' equations. */
function projectionOnto(basis: LimbLeads["basis"]): number[][] {
  const sum = (i: number, j: number) => basis.reduce((total, row) => total + row[i] * row[j], 0);
  const [a, b, d] = [sum(0, 0), sum(0, 1), sum(1, 1)];
  const determinant = a * d - b * b;
  return basis.map(([x, y]) =>
    basis.map(([u, v]) => (x * (d * u - b * v) + y * (a * v - b * u)) / determinant),
  );
}

function dot(a: readonly number[], b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += a[i] * b[i];
  return sum;
}
