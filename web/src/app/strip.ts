/** One lead on ECG paper. */
import uPlot from "uplot";
import type { LeadInfo, Trace } from "../worker.ts";
import { clock, make } from "./dom.ts";
import { type Segment, describe } from "./grades.ts";
import { MM, MM_PER_MV, colour, drawPaper } from "./paper.ts";

const TRACES: Trace[] = ["before", "after", "removed"];
const LEAST = 2; // mV that a strip spans
const MOST = 6;

/** Values in view: times in s, and values of each trace. */
export interface Values {
  times: Float64Array;
  traces: Partial<Record<Trace, Float32Array>>;
}

export class Strip {
  readonly element = make("figure", { class: "strip" });
  readonly lead: LeadInfo;
  segments: Segment[] = [];
  readonly #plot: uPlot;
  readonly #picture = make("div", { role: "img" });
  readonly #badge = make("span");
  readonly #readout = make("span", { class: "readout" });
  readonly #duration: number;
  #frame = { width: 0, height: 0, bottom: -1, top: 1 };

  constructor(lead: LeadInfo, duration: number, width: number) {
    this.lead = lead;
    this.#duration = duration;
    this.#picture.ariaLabel = `Lead ${lead.name}`;
    const name = make("strong", {}, lead.name);
    const unit = lead.unit === "mV" ? "" : lead.unit === "NU" ? " (no unit)" : ` (${lead.unit})`;
    const caption = make("figcaption", {}, name, unit, this.#badge, this.#readout);
    this.element.append(caption, this.#picture);
    const series = (trace: Trace, width: number) => ({
      stroke: () => colour(trace),
      width,
      points: { show: false },
    });
    this.#plot = new uPlot(
      {
        width,
        height: 100,
        padding: [0, 0, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: { x: { time: false, auto: false }, y: { auto: false } },
        axes: [{ show: false }, { show: false }],
        series: [{}, series("before", 1), series("after", 1.25), series("removed", 1)],
        hooks: {
          drawClear: [(plot) => drawPaper(plot, this.segments, duration)],
          setCursor: [() => this.#read()],
        },
      },
      [[], [], [], []],
      this.#picture,
    );
    this.fit(lead, width, 1);
  }

  /** State the grade, and take the height that the lead needs at `gain` times 10 mm/mV. */
  fit({ unit, grade, middle, low, high }: LeadInfo, width: number, gain: number): void {
    this.#badge.className = grade ? `grade ${grade}` : "";
    this.#badge.textContent = grade ?? "";
    const margin = 0.15 * (high - low);
    let [bottom, top] = [low - middle - margin, high - middle + margin];
    let perUnit = gain * MM_PER_MV * MM;
    if (unit === "mV") {
      const lacking = Math.max(0, LEAST - (top - bottom));
      [bottom, top] = [
        Math.max(bottom - lacking / 3, -MOST / 2),
        Math.min(top + (2 * lacking) / 3, MOST / 2),
      ];
    } else perUnit = (LEAST * MM_PER_MV * MM) / (top - bottom || 1);
    if (!(top > bottom)) [bottom, top] = [-1, 1];
    const height = Math.round((top - bottom) * perUnit);
    this.#picture.style.height = `${height}px`;
    this.#frame = { width, height, bottom, top };
  }

  /** Show values, on paper of the times `start` to `stop` in s. */
  show(start: number, stop: number, values: Values): void {
    this.#plot.batch(() => {
      const { width, height, bottom, top } = this.#frame;
      if (this.#plot.width !== width || this.#plot.height !== height)
        this.#plot.setSize({ width, height });
      this.#plot.setScale("y", { min: bottom, max: top });
      const lines = TRACES.map((trace) => drawable(values, trace));
      this.#plot.setData([values.times, ...lines], false);
      this.#plot.setScale("x", { min: start, max: stop });
    });
    const seen = this.segments.filter((segment) => segment.stop > start && segment.start < stop);
    const parts = seen.slice(0, 5).map((segment) => describe(segment, this.#duration));
    const when = `${clock(start, this.#duration)} to ${clock(stop, this.#duration)}`;
    this.#picture.ariaLabel = [`Lead ${this.lead.name}, ${when}`, ...parts].join("; ");
  }

  redraw(): void {
    this.#plot.redraw(false);
  }

  get canvas(): HTMLCanvasElement {
    return this.#plot.ctx.canvas;
  }

  destroy(): void {
    this.#plot.destroy();
  }

  /** State the values at the cursor. */
  #read(): void {
    const { idx } = this.#plot.cursor;
    if (idx === null || idx === undefined) return this.#readout.replaceChildren();
    const values = TRACES.map((trace, i) => [trace, this.#plot.data[i + 1]?.[idx]] as const)
      .filter(([, value]) => typeof value === "number")
      .map(([trace, value]) => `${trace} ${value!.toFixed(3)}`);
    const { unit } = this.lead;
    this.#readout.textContent = [
      `${this.#plot.data[0][idx].toFixed(3)} s`,
      ...values,
      unit === "NU" ? "" : unit,
    ].join("  ");
  }
}

/** Values of a trace for uPlot, in which null is a gap. */
function drawable({ times, traces }: Values, trace: Trace): (number | null)[] | Float32Array {
  const values = traces[trace];
  if (!values) return new Array<null>(times.length).fill(null);
  return values.some(Number.isNaN)
    ? Array.from(values, (value) => (value === value ? value : null))
    : values;
}
