/** A picture of what is in view. */
import { colour } from "./paper.ts";
import type { Strip } from "./strip.ts";

const LINE = 24; // CSS pixels of a line of text
const MARGIN = 12;
const NOTICE = "For research and engineering, not a medical device; not to be used to diagnose.";

/** The strips below each other as PNG, with a title, the names of the leads, and the scale. */
export async function drawSheet(title: string, scale: string, strips: Strip[]): Promise<Blob> {
  const pixel = devicePixelRatio;
  const canvases = strips.map((strip) => strip.canvas);
  const heights = canvases.map((canvas) => canvas.height / pixel + LINE);
  const canvas = document.createElement("canvas");
  const width = canvases[0].width / pixel + 2 * MARGIN;
  canvas.width = width * pixel;
  canvas.height = (heights.reduce((sum, height) => sum + height, 3 * LINE) + MARGIN) * pixel;
  const pen = canvas.getContext("2d")!;
  pen.scale(pixel, pixel);
  pen.fillStyle = colour("page");
  pen.fillRect(0, 0, width, canvas.height);
  pen.fillStyle = colour("ink");
  const write = (text: string, top: number, font: string) => {
    pen.font = `${font} system-ui, sans-serif`;
    pen.fillText(text, MARGIN, top + 0.7 * LINE, width - 2 * MARGIN);
  };
  write(title, MARGIN / 2, "bold 15px");
  write(scale, MARGIN / 2 + LINE, "12px");
  let top = 2 * LINE + MARGIN / 2;
  strips.forEach((strip, i) => {
    write(strip.lead.name, top, "bold 13px");
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
