/** ECG paper: 25 mm are one second and 10 mm are one millivolt at full size. */
import type uPlot from "uplot";
import { clock } from "./dom.ts";
import type { Segment } from "./grades.ts";

/** CSS pixels of a millimetre. */
export const MM = 96 / 25.4;
export const MM_PER_S = 25;
export const MM_PER_MV = 10;

const FINEST = 3; // CSS pixels between grid lines
const LABELS = 75; // CSS pixels between times
const STEPS = [0.2, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600];

const colours = new Map<string, string>();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.clear());

/** A colour of the style sheet. */
export function colour(name: string): string {
  const style = () => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  if (!colours.has(name)) colours.set(name, style().trim());
  return colours.get(name)!;
}

/** Draw the paper of a lead below its traces: shaded segments, grid, times. */
export function drawPaper(plot: uPlot, segments: Segment[], duration: number): void {
  const { ctx, width, height } = plot;
  const { min, max } = plot.scales.x as { min: number; max: number };
  const x = (time: number) => ((time - min) / (max - min)) * width;
  ctx.save();
  ctx.scale(ctx.canvas.width / width, ctx.canvas.height / height);
  ctx.fillStyle = colour("paper");
  ctx.fillRect(0, 0, width, height);
  const seen = segments
    .filter(({ start, stop }) => stop > min && start < max)
    .map((each) => ({
      ...each,
      left: Math.max(x(each.start), 0),
      right: Math.min(x(each.stop), width),
    }));
  for (const { grade, left, right } of seen) {
    ctx.fillStyle = colour(`${grade}-shade`);
    ctx.fillRect(left, 0, right - left, height);
  }
  const step = STEPS.find((each) => x(min + each) >= LABELS) ?? 86400;
  if (x(min + 0.04) >= FINEST) drawGrid(plot, 0.04, 0.1, colour("fine"));
  drawGrid(plot, x(min + 0.2) >= FINEST ? 0.2 : step, 0.5, colour("bold"));
  ctx.font = "11px system-ui, sans-serif";
  for (const time of multiples(step, min, Math.min(max, duration)))
    write(ctx, clock(time, duration), x(time) + 3, height - 4);
  for (const { grade, reason, left, right } of seen)
    if (ctx.measureText(`${grade}: ${reason}`).width + 8 < right - left)
      write(ctx, `${grade}: ${reason}`, left + 4, 13);
  ctx.restore();
}

function drawGrid(plot: uPlot, seconds: number, millivolts: number, ink: string): void {
  const { ctx, width, height, scales } = plot;
  const lines = (scale: "x" | "y", step: number) =>
    multiples(step, scales[scale].min!, scales[scale].max!).map(
      (value) => Math.round(plot.valToPos(value, scale)) + 0.5,
    );
  ctx.strokeStyle = ink;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const x of lines("x", seconds)) ctx.rect(x, -1, 0, height + 2);
  for (const y of lines("y", millivolts)) ctx.rect(-1, y, width + 2, 0);
  ctx.stroke();
}

function multiples(step: number, from: number, to: number): number[] {
  const first = Math.ceil(from / step);
  const count = Math.max(Math.floor(to / step) - first + 1, 0);
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

/** Text on a halo of paper, to be read on the grid. */
function write(ctx: CanvasRenderingContext2D, text: string, left: number, bottom: number): void {
  ctx.strokeStyle = colour("paper");
  ctx.lineWidth = 4;
  ctx.strokeText(text, left, bottom);
  ctx.fillStyle = colour("muted");
  ctx.fillText(text, left, bottom);
}
