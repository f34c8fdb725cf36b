/** The worker of the page: it holds the recordings, so that the page itself never waits. */
import * as Comlink from "comlink";
import { Envelope, placesOf, stepOf } from "./app/envelope.ts";
import { Denoiser, denoise } from "./core/index.ts";
import {
  type Given,
  type ReadOptions,
  type ReadResult,
  read,
  recordings,
  writeCsv,
  writeEdf,
} from "./formats/index.ts";
import type { Options, Progress, Recording, Result } from "./recording.ts";

/** Lines that the page can draw. */
export type Trace = "before" | "after" | "removed";

/** A lead without its samples; `middle`, `low` and `high` are where it is drawn. */
export interface LeadInfo {
  name: string;
  unit: string;
  /** Of the verdict, if there is one. */
  grade?: string;
  middle: number;
  low: number;
  high: number;
}

/** A recording without its samples. */
export interface Info extends Omit<Recording, "leads"> {
  samples: number;
  leads: LeadInfo[];
}

/** What the user has to state before a file can be read. */
export type Question = Extract<ReadResult, { needs: unknown }>;

export type Opened = { info: Info; warnings: string[] } | Question;

/** The result without its samples, and the seconds that it took. */
export type Outcome = Omit<Result, "recording"> & { leads: LeadInfo[]; seconds: number };

/** Values of some leads in view, each less its lead's `middle`, at `places` in samples. */
export interface View {
  places: Float64Array;
  leads: Partial<Record<Trace, Float32Array>>[];
}

const SITE = new URL("../", self.location.href);

class Engine {
  #groups: Given[][] = [];
  #recording?: Recording;
  #result?: Result;
  #leads: LeadInfo[] = [];
  #envelopes = new Map<string, Envelope>();
  #models = new Map<string, Promise<Denoiser>>();
  #running = new AbortController();

  /** Take files, and return the names of the recordings in them. */
  async open(files: Given[]): Promise<string[]> {
    const signal = this.#begin();
    const groups = await recordings(files);
    signal.throwIfAborted();
    this.#groups = groups;
    return groups.map(([file]) => file.name);
  }

  /** Read one of the recordings, which replaces the one before. */
  async read(index: number, options: ReadOptions): Promise<Opened> {
    const signal = this.#begin();
    const found = await read(this.#groups[index], options);
    signal.throwIfAborted();
    if ("needs" in found) return found;
    this.#recording = found.recording;
    this.#result = undefined;
    this.#envelopes.clear();
    this.#leads = this.#measure("before");
    const { leads, ...rest } = found.recording;
    const info = { ...rest, samples: leads[0].samples.length, leads: this.#leads };
    return { info, warnings: found.warnings };
  }

  /** Denoise the recording. */
  async denoise(model: string, options: Options, progress: Progress): Promise<Outcome> {
    const signal = this.#begin();
    this.#result = undefined;
    for (const key of this.#envelopes.keys())
      if (!key.startsWith("before")) this.#envelopes.delete(key);
    const denoiser = await this.#model(model);
    const begin = performance.now();
    const result = await denoise(this.#recording!, denoiser, options, progress, signal);
    signal.throwIfAborted();
    this.#result = result;
    this.#leads = this.#measure("after");
    const { recording: _, ...outcome } = result;
    return { ...outcome, leads: this.#leads, seconds: (performance.now() - begin) / 1000 };
  }

  /** Reject what is being opened, read or denoised with an AbortError. */
  cancel(): void {
    this.#running.abort();
  }

  /** The leads `columns` from `first` to `stop`, in about as many points as given. */
  view(first: number, stop: number, points: number, columns: number[], traces: Trace[]): View {
    const step = stepOf(stop - first, points);
    const leads = columns.map((column) => {
      const { middle } = this.#leads[column];
      const lead: View["leads"][number] = {};
      for (const trace of traces) {
        const values = this.#envelope(trace, column)?.view(first, stop, step);
        if (values && trace !== "removed") values.forEach((_, i) => (values[i] -= middle));
        lead[trace] = values;
      }
      return lead;
    });
    return { places: placesOf(first, stop, step), leads };
  }

  /** The denoised recording as a file. */
  write(format: "csv" | "edf"): Blob {
    return (format === "csv" ? writeCsv : writeEdf)(this.#result!.recording);
  }

  #begin(): AbortSignal {
    this.cancel();
    return (this.#running = new AbortController()).signal;
  }

  #model(name: string): Promise<Denoiser> {
    const load = (path: string) => fetch(new URL(path, SITE));
    const open = () => Denoiser.open(load("ipmdae.wasm"), load(`models/${name}.safetensors`));
    const opened = this.#models.get(name) ?? open();
    this.#models.set(name, opened);
    opened.catch(() => this.#models.delete(name));
    return opened;
  }

  #measure(trace: Trace): LeadInfo[] {
    return this.#recording!.leads.map(({ name, unit }, column) => ({
      name,
      unit,
      grade: this.#result?.verdicts[column].grade,
      ...this.#envelope(trace, column)!.extent(),
    }));
  }

  #envelope(trace: Trace, column: number): Envelope | undefined {
    const key = `${trace} ${column}`;
    if (!this.#envelopes.has(key)) {
      const samples = this.#samples(trace, column);
      if (samples) this.#envelopes.set(key, new Envelope(samples));
    }
    return this.#envelopes.get(key);
  }

  #samples(trace: Trace, column: number): Float32Array | Float64Array | undefined {
    const before = this.#recording!.leads[column].samples;
    const after = this.#result?.recording.leads[column].samples;
    if (trace === "before") return before;
    if (trace === "after") return after;
    return after && Float32Array.from(before, (value, i) => value - after[i]);
  }
}

export type { Engine };
Comlink.expose(new Engine());
