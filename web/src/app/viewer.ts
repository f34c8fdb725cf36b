/** All leads on ECG paper, one below the other, with zoom and scroll. */
import type { Remote } from "comlink";
import type { Engine, Info, LeadInfo, Trace } from "../worker.ts";
import { at, clock } from "./dom.ts";
import type { Segment } from "./grades.ts";
import { MM, MM_PER_MV, MM_PER_S } from "./paper.ts";
import { drawSheet } from "./picture.ts";
import { Strip } from "./strip.ts";

const LEAST = 0.5; // s in view
const BUDGET = 10; // ms of drawing at once
export const ZOOM = 1.5;

export class Viewer {
  readonly #engine: Remote<Engine>;
  readonly #root = at("strips");
  readonly #position = at<HTMLInputElement>("position");
  readonly #pointers = new Map<number, number>();
  #info?: Info;
  #strips: Strip[] = [];
  #visible = new Set<number>();
  #start = 0;
  #span = 10;
  #width = 0;
  #gain = 1;
  #traces: Trace[] = ["before", "after"];
  #drawing = false;
  #changed = false;
  readonly #seen = new IntersectionObserver((entries) => this.#note(entries), {
    rootMargin: "200px",
  });

  constructor(engine: Remote<Engine>) {
    this.#engine = engine;
    new ResizeObserver(() => this.#resize()).observe(this.#root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.#strips.forEach((strip) => strip.redraw()),
    );
    this.#position.addEventListener("input", () => this.move(Number(this.#position.value)));
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    this.#root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.#root.addEventListener("pointerdown", ({ pointerId, clientX }) => {
      this.#root.setPointerCapture(pointerId);
      this.#pointers.set(pointerId, clientX);
    });
    this.#root.addEventListener("pointermove", (event) => this.#drag(event));
    this.#root.addEventListener("lostpointercapture", ({ pointerId }) =>
      this.#pointers.delete(pointerId),
    );
  }

  /** Show nothing. */
  clear(): void {
    this.#strips.forEach((strip) => strip.destroy());
    this.#strips = [];
    this.#seen.disconnect();
    this.#visible.clear();
  }

  /** Show another recording. */
  open(info: Info): void {
    this.clear();
    this.#info = info;
    this.#width = this.#root.clientWidth;
    this.#strips = info.leads.map((lead) => new Strip(lead, this.duration, this.#width));
    this.#root.replaceChildren(...this.#strips.map((strip) => strip.element));
    this.#strips.forEach((strip) => this.#seen.observe(strip.element));
    this.paperSpeed();
    this.move(0);
  }

  /** Show the denoised leads, and the segments of each that are not good; or what is recorded. */
  result(leads?: LeadInfo[], segments: Segment[][] = []): void {
    this.#strips.forEach((strip, i) => (strip.segments = segments[i] ?? []));
    this.#info!.leads = leads ?? this.#info!.leads.map((lead) => ({ ...lead, grade: "" }));
    this.#fit();
  }

  set traces(traces: Trace[]) {
    this.#traces = traces;
    void this.#draw();
  }

  /** Height of the traces, relative to 10 mm/mV. */
  set gain(gain: number) {
    this.#gain = gain;
    this.#fit();
  }

  get duration(): number {
    return this.#info ? this.#info.samples / this.#info.fs : 0;
  }

  /** Show the recording from `start` s. */
  move(start: number): void {
    this.#start = Math.min(Math.max(start, 0), Math.max(this.duration - this.#span, 0));
    this.#update();
  }

  /** Show `factor` times as much, around the time at `share` of the width. */
  zoom(factor: number, share = 0.5): void {
    const span = Math.min(Math.max(this.#span * factor, LEAST), Math.max(this.duration, LEAST));
    const start = this.#start + share * (this.#span - span);
    this.#span = span;
    this.move(start);
  }

  /** Show 25 mm/s. */
  paperSpeed(): void {
    this.zoom(this.#width / (MM * MM_PER_S) / this.#span, 0);
  }

  /** Bring a second of a lead into view. */
  reveal(lead: number, second: number): void {
    this.move(second - this.#span / 4);
    this.#strips[lead].element.scrollIntoView({ block: "center" });
  }

  /** What is in view as a picture. */
  async picture(title: string, method: string): Promise<Blob> {
    await this.#drawLeads([...this.#strips.keys()]);
    const speed = this.#width / (MM * this.#span);
    const scale = `${+speed.toPrecision(3)} mm/s, ${this.#gain * MM_PER_MV} mm/mV`;
    const texts = [title, `${at("range").textContent}; ${scale} at 96 dots per inch`, method];
    const leads = this.#info!.leads.map(({ name, grade }) => (grade ? `${name}: ${grade}` : name));
    return drawSheet(texts, leads, this.#strips, this.#traces);
  }

  #note(entries: IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const lead = this.#strips.findIndex((strip) => strip.element === entry.target);
      if (lead < 0) continue;
      if (entry.isIntersecting) this.#visible.add(lead);
      else this.#visible.delete(lead);
    }
    this.#update();
  }

  #resize(): void {
    const [before, width] = [this.#width, this.#root.clientWidth];
    if (!width || width === before || !this.#info) return;
    this.#width = width;
    this.#fit();
    this.zoom(width / before, 0);
  }

  #fit(): void {
    this.#strips.forEach((strip, i) => strip.fit(this.#info!.leads[i], this.#width, this.#gain));
    this.#update();
  }

  #update(): void {
    const stop = Math.min(this.#start + this.#span, this.duration);
    const [from, to] = [this.#start, stop].map((time) => clock(time, this.duration));
    const text = `${from} to ${to}`;
    at("range").textContent = text;
    const last = Math.max(this.duration - this.#span, 0);
    this.#position.max = String(last);
    this.#position.step = String(last / Math.ceil((10 * last) / this.#span) || 1); // reaches the end
    this.#position.value = String(this.#start);
    this.#position.setAttribute("aria-valuetext", text);
    void this.#draw();
  }

  /** Draw the leads on the screen; what changes meanwhile is drawn next. */
  async #draw(): Promise<void> {
    this.#changed = true;
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      while (this.#changed && this.#info) {
        this.#changed = false;
        await this.#drawLeads([...this.#visible]);
      }
    } finally {
      this.#drawing = false;
    }
  }

  /** Ask the worker for what is in view, and draw it strip by strip. */
  async #drawLeads(columns: number[]): Promise<void> {
    const [strips, start, stop] = [this.#strips, this.#start, this.#start + this.#span];
    const { fs, samples } = this.#info!;
    const range = [Math.floor(start * fs), Math.min(Math.ceil(stop * fs) + 1, samples)] as const;
    const view = await this.#engine.view(...range, 2 * this.#width, columns, this.#traces);
    const times = view.places.map((place) => place / fs);
    let begin = performance.now();
    for (const [i, column] of columns.entries()) {
      if (strips !== this.#strips) return;
      strips[column].show(start, stop, { times, traces: view.leads[i] });
      if (performance.now() - begin < BUDGET) continue;
      await new Promise(requestAnimationFrame);
      begin = performance.now();
    }
  }

  #key(event: KeyboardEvent): void {
    const far = event.shiftKey ? 1 : 0.2;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.move(this.#start - far * this.#span),
      ArrowRight: () => this.move(this.#start + far * this.#span),
      Home: () => this.move(0),
      End: () => this.move(this.duration),
      "+": () => this.zoom(1 / ZOOM),
      "-": () => this.zoom(ZOOM),
    };
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #wheel(event: WheelEvent): void {
    const share = (event.clientX - this.#root.getBoundingClientRect().left) / this.#width;
    const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.zoom(1.005 ** event.deltaY, share);
    else if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY))
      this.move(this.#start + (across / this.#width) * this.#span);
    else return;
    event.preventDefault();
  }

  /** Scroll with one pointer, zoom with two. */
  #drag(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    this.#pointers.set(event.pointerId, event.clientX);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined)
      return this.move(this.#start + ((before - event.clientX) / this.#width) * this.#span);
    const apart = Math.max(Math.abs(event.clientX - other), 10);
    const share = (other - this.#root.getBoundingClientRect().left) / this.#width;
    this.zoom(Math.abs(before - other) / apart || 1, share);
  }
}
