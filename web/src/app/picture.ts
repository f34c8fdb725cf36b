/** A picture of what is in view. */
import type { Trace } from "../worker.ts";
import { colour } from "./paper.ts";
import type { Strip } from "./strip.ts";

const LINE = 24; // CSS pixels of a line of text
const MARGIN = 12;
const NOTICE = "For research and engineering, not a medical device; not to be used to diagnose.";

const LEGEND: Record<Trace, string> = {
  before: "as recorded",
  after: "denoised",
  removed: "removed",
};

/** The strips below each other as PNG: below `texts` and a legend, each with a heading. */
export async function drawSheet(
  texts: string[],
  headings: string[],
  strips: Strip[],
  traces: Trace[],
): Promise<Blob> {
  const pixel = devicePixelRatio;
  const canvases = strips.map((strip) => strip.canvas);
  const heights = canvases.map((canvas) => canvas.height / pixel + LINE);
  const canvas = document.createElement("canvas");
  const width = canvases[0].width / pixel + 2 * MARGIN;
  canvas.width = width * pixel;
  canvas.height =
    (heights.reduce((sum, height) => sum + height, (texts.length + 2) * LINE) + MARGIN) * pixel;
  const pen = canvas.getContext("2d")!;
  pen.scale(pixel, pixel);
  pen.fillStyle = colour("page");
  pen.fillRect(0, 0, width, canvas.height);
  pen.fillStyle = colour("ink");
  const write = (text: string, top: number, font: string) => {
    pen.font = `${font} system-ui, sans-serif`;
    pen.fillText(text, MARGIN, top + 0.7 * LINE, width - 2 * MARGIN);
  };
  let top = MARGIN / 2;
  texts.forEach((text, i) => write(text, top + i * LINE, i ? "12px" : "bold 15px"));
  top += texts.length * LINE;
  let left = MARGIN;
  for (const trace of traces) {
    pen.fillStyle = colour(trace);
    pen.fillRect(left, top + LINE / 2 - 1, LINE, 3);
    pen.fillStyle = colour("ink");
    pen.fillText(LEGEND[trace], left + LINE + 6, top + 0.7 * LINE);
    left += 2 * LINE + 6 + pen.measureText(LEGEND[trace]).width;
  }
  top += LINE;
  strips.forEach((_, i) => {
    write(headings[i], top, "bold 13px");
    pen.drawImage(
      canvases[i],
      MARGIN,
      top + LINE,
      canvases[i].width / pixel,
      canvases[i].height / pixel,
    );
    top += heights[i];
  });
  write(NOTICE, top, "12px");
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("the picture is too large for this browser")),
    ),
  );
}
