/** Limits on the changes of a network, by mode. */
import type { Options } from "../recording.ts";

/**
 * Noise above 0.7 Hz, relative to the height of the QRS complex (root mean square), below which
 * nothing above 0.7 Hz is removed; the removal sets in gradually from a third of it on.
 */
export const GUARDS: Record<Options["mode"], number> = {
  diagnostic: 0.04,
  monitoring: 0.02,
  beats: 0,
  gentle: Infinity,
};

const UNREADABLE: Options["unreadable"][] = ["classical", "network", "raw", "blank"];

/** Throw an Error for options that are unknown or out of range. */
export function checkOptions({ mode, mains, unreadable, strength }: Options): void {
  if (!Object.hasOwn(GUARDS, mode))
    throw new Error(`unknown mode '${mode}'; there are: ${Object.keys(GUARDS).join(", ")}`);
  if (!UNREADABLE.includes(unreadable))
    throw new Error(`unreadable must be ${UNREADABLE.join(", ")}, got '${unreadable}'`);
  if (!["off", "auto", 50, 60].includes(mains))
    throw new Error(`mains must be 50 or 60 Hz, got ${mains}`);
  if (!(strength >= 0 && strength <= 1))
    throw new Error(`strength must be 0 (nothing) to 1 (all noise removed), got ${strength}`);
}
