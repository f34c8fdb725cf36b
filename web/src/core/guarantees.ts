/** Rules that every recording is denoised by; see ipmdae.pipeline.guarantees. */
import type { Recording } from "../recording.ts";
import { general } from "./numbers.ts";

/** Sampling rates in Hz that make sense for an ECG. */
const MIN_FS = 60;
const MAX_FS = 4000;

/** Voltages that have to be converted first. */
const OTHER_VOLTS = /^[unµμ]?V$/;

/** Throw a TypeError for a recording whose parts are of another type than stated. */
function checkTypes({ leads, comments }: Recording): void {
  if (!Array.isArray(leads)) throw new TypeError("a recording needs leads: an array of them");
  if (!Array.isArray(comments))
    throw new TypeError("a recording needs comments: an array of texts, [] if there are none");
  for (const { name, unit, samples } of leads) {
    if (typeof name !== "string" || typeof unit !== "string")
      throw new TypeError('each lead needs a name and a unit, such as "II" and "mV"');
    if (!(samples instanceof Float64Array))
      throw new TypeError(
        `the samples of lead ${name} must be a Float64Array, as by Float64Array.from`,
      );
  }
}

/** Throw an Error for a recording that cannot be denoised. */
export function checkRecording(recording: Recording): void {
  checkTypes(recording);
  const { fs, leads } = recording;
  if (!(fs >= MIN_FS))
    throw new Error(
      `a rate of ${general(fs)} Hz is too low for an ECG: below ${MIN_FS} Hz it does not hold the ` +
        "QRS complex; check the rate",
    );
  if (fs > MAX_FS)
    throw new Error(
      `a rate of ${general(fs)} Hz is too high for an ECG (up to ${MAX_FS} Hz); check the rate, ` +
        "or resample the recording first",
    );
  const samples = leads[0]?.samples.length ?? 0;
  if (!samples)
    throw new Error(`a recording needs samples and leads, got ${samples} of ${leads.length} leads`);
  for (const lead of leads) {
    if (OTHER_VOLTS.test(lead.unit))
      throw new RangeError(`lead ${lead.name} is in ${lead.unit}: convert it to mV, and say so`);
    if (lead.samples.length !== samples)
      throw new Error(
        `all leads need as many samples: ${lead.name} has ${lead.samples.length}, ` +
          `${leads[0].name} ${samples}`,
      );
    if (lead.samples.some((value) => Math.abs(value) === Infinity))
      throw new Error("the signal holds infinite values; mark missing samples by NaN");
  }
}

/** Comments of a denoised recording: its own, and what was done to which lead. */
export function commentsOf(
  recording: Recording,
  why: readonly string[],
  method: string,
  strength: number,
): string[] {
  const names = recording.leads.map((lead) => lead.name);
  const cleaned = names.filter((_, i) => !why[i]).join(", ");
  const weakly = strength === 1 ? "" : `, strength ${general(strength)}`;
  const unchanged = names.flatMap((name, i) => (why[i] ? [`Unchanged, ${why[i]}: ${name}`] : []));
  return [
    ...recording.comments,
    ...(cleaned ? [`Cleaned by ${method}${weakly}: ${cleaned}`] : []),
    ...unchanged,
  ];
}
