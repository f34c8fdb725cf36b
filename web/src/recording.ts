/** How samples were stored: a digital value d stands for (d - baseline) / gain in `unit`. */
export interface Resolution {
  gain: number;
  baseline: number;
  unit: string;
  bits: number;
  /** Lowest and highest value in an EDF file, in `unit` and as stored. */
  physical?: [number, number];
  digital?: [number, number];
}

/** One lead: samples in its unit; NaN is a missing sample. */
export interface Lead {
  name: string;
  /** "mV" for voltages; only those are denoised. */
  unit: string;
  samples: Float64Array;
  /** Resolution that the samples had in their file, which writers keep. */
  resolution?: Resolution;
}

/** Leads recorded at the same time, all at the same sampling rate and of the same length. */
export interface Recording {
  name: string;
  /** Sampling rate in Hz. */
  fs: number;
  leads: Lead[];
  /** Start of the recording as local time, ISO 8601 without zone, if the file states it. */
  start?: string;
  comments: string[];
}

/** What to change, in the words of `ipmdae denoise`. */
export interface Options {
  mode: "diagnostic" | "monitoring" | "beats" | "gentle";
  /** Powerline interference to remove first. */
  mains: "off" | "auto" | 50 | 60;
  unreadable: "classical" | "network" | "raw" | "blank";
  strength: number;
}

/** Verdict on one lead. */
export interface Verdict {
  lead: string;
  /** Reason why the lead was left unchanged; empty if it was denoised. */
  why: string;
  /** One of "good", "limited", "unusable"; empty if it is not graded. */
  grade: string;
  /** Shares of the seconds with each grade, 0 to 1; NaN if the lead is not graded. */
  good: number;
  limited: number;
  unusable: number;
  /** Seconds that are not good, by reason. */
  reasons: Record<string, number>;
  /** RMS of the removed noise but for a constant offset, in mV; NaN if the lead is not graded. */
  removed: number;
}

/** A denoised recording. */
export interface Result {
  recording: Recording;
  /** For each lead and second: 0 good, 1 limited, 2 unusable; 255 for leads that are not graded. */
  grades: Uint8Array[];
  /**
   * For each lead and second the reason of its grade, in the words of the command: "readable" if it
   * is good; empty for leads that are not graded.
   */
  reasons: string[][];
  verdicts: Verdict[];
  /** What the user should know: leads left unchanged, odd amplitudes, interference that stays. */
  warnings: string[];
}

/** Called with the finished share, 0 to 1. */
export type Progress = (share: number) => void;
