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
  const known = colours.get(name);
  if (known) return known;
  const style = getComputedStyle(document.documentElement);
  const found = style.getPropertyValue(`--${name}`).trim();
  colours.set(name, found);
  return found;
}

/** Draw the paper of a lead below its traces: shaded segments, grid, times. */
export function drawPaper(plot: uPlot, segments: Segment[], duration: number): void {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales.x as { min: number; max: number };
  const pixel = pixelOf(plot);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colour("paper");
  ctx.fillRect(bbox.left, bbox.top, bbox.width, bbox.height);
  const seen = segments.filter(({ start, stop }) => stop > min && start < max);
  for (const segment of seen) shade(plot, segment);
  const fine = (bbox.width / (max - min)) * 0.04 >= FINEST * pixel;
  const bold = (bbox.width / (max - min)) * 0.2 >= FINEST * pixel;
  const step = STEPS.find((each) => (bbox.width / (max - min)) * each >= LABELS * pixel) ?? 86400;
  if (fine) lines(plot, 0.04, 0.1, colour("fine"), pixel);
  lines(plot, bold ? 0.2 : step, 0.5, colour("bold"), pixel);
  ctx.fillStyle = colour("muted");
  ctx.font = `${11 * pixel}px system-ui, sans-serif`;
  const bottom = bbox.top + bbox.height - 4 * pixel;
  for (let i = Math.ceil(min / step); i * step <= Math.min(max, duration); i++)
    write(
      plot,
      clock(i * step, duration),
      plot.valToPos(i * step, "x", true) + 3 * pixel,
      bottom,
      pixel,
    );
  for (const segment of seen) label(plot, segment, pixel);
  ctx.restore();
}

/** Canvas pixels of a CSS pixel. */
function pixelOf(plot: uPlot): number {
  return plot.ctx.canvas.width / plot.width;
}

function edges(plot: uPlot, { start, stop }: Segment): [left: number, width: number] {
  const left = Math.max(plot.valToPos(start, "x", true), plot.bbox.left);
  return [left, plot.valToPos(stop, "x", true) - left];
}

function shade(plot: uPlot, segment: Segment): void {
  const [left, width] = edges(plot, segment);
  plot.ctx.fillStyle = colour(`${segment.grade}-shade`);
  plot.ctx.fillRect(left, plot.bbox.top, width, plot.bbox.height);
}

/** State the grade and the reason where there is space. */
function label(plot: uPlot, segment: Segment, pixel: number): void {
  const [left, width] = edges(plot, segment);
  const words = `${segment.grade}: ${segment.reason}`;
  if (plot.ctx.measureText(words).width + 8 * pixel < width)
    write(plot, words, left + 4 * pixel, plot.bbox.top + 13 * pixel, pixel);
}

/** Text on a halo of paper, to be read on the grid. */
function write({ ctx }: uPlot, text: string, left: number, bottom: number, pixel: number): void {
  ctx.strokeStyle = colour("paper");
  ctx.lineWidth = 4 * pixel;
  ctx.strokeText(text, left, bottom);
  ctx.fillText(text, left, bottom);
}

function lines(plot: uPlot, seconds: number, millivolts: number, ink: string, pixel: number): void {
  const { ctx, bbox, scales } = plot;
  ctx.strokeStyle = ink;
  ctx.lineWidth = pixel;
  ctx.beginPath();
  for (const [scale, step] of [
    ["x", seconds],
    ["y", millivolts],
  ] as const) {
    const { min, max } = scales[scale] as { min: number; max: number };
    for (let i = Math.ceil(min / step); i * step <= max; i++) {
      const place = Math.round(plot.valToPos(i * step, scale, true)) + 0.5;
      if (scale === "x") (ctx.moveTo(place, bbox.top), ctx.lineTo(place, bbox.top + bbox.height));
      else (ctx.moveTo(bbox.left, place), ctx.lineTo(bbox.left + bbox.width, place));
    }
  }
  ctx.stroke();
}
