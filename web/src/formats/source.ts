/** Files as they are given: in a browser, in memory, in archives; their bytes, and their text. */
import { unzip } from "unzipit";
import { FormatError, reasonOf } from "./errors.ts";
import { checkExpansion } from "./job.ts";
import { latin1 } from "./text.ts";

/** A file in an archive, which is expanded when it is read. */
export interface Entry {
  name: string;
  blob(): Promise<Blob>;
}

/** A file: from a browser, in memory, or in an archive. */
export type Given = File | { name: string; bytes: Uint8Array<ArrayBuffer> } | Entry;

/** Bytes that are looked at to find what a file holds. */
const HEAD = 1 << 16;
const PIECE = 1 << 23;
const TABLES = /\.(csv|tsv|txt)$/i;

export async function blobOf(file: Given): Promise<Blob> {
  if (file instanceof Blob) return file;
  return "bytes" in file ? new Blob([file.bytes]) : file.blob();
}

export async function bytesOf(blob: Blob, first = 0, stop = blob.size): Promise<Uint8Array> {
  return new Uint8Array(await blob.slice(first, stop).arrayBuffer());
}

/** The tables in a zip archive; those of Apple Health's ECGs alone where there are some. */
export async function tablesIn(name: string, archive: Blob): Promise<Entry[]> {
  try {
    const { entries } = await unzip(archive);
    const tables = Object.keys(entries)
      .filter((entry) => TABLES.test(entry) && !entry.split("/").includes(".."))
      .sort();
    const ecgs = tables.filter((entry) => entry.includes("electrocardiograms/"));
    return (ecgs.length ? ecgs : tables).map((entry) => {
      const path = `${name}/${entry}`;
      return { name: path, blob: () => expanded(path, entries[entry]) };
    });
  } catch (error) {
    throw new FormatError(name, `cannot be expanded (${reasonOf(error)})`);
  }
}

async function expanded(
  path: string,
  entry: { size: number; compressedSize: number; blob(): Promise<Blob> },
): Promise<Blob> {
  checkExpansion(path, entry.compressedSize, entry.size);
  try {
    return await entry.blob();
  } catch (error) {
    throw new FormatError(path, `cannot be expanded (${reasonOf(error)})`);
  }
}

/** The bytes of a file in pieces of one size, expanded if they are compressed by gzip. */
async function* pieces(path: string, blob: Blob): AsyncGenerator<Uint8Array> {
  const [a, b] = await bytesOf(blob, 0, 2);
  if (a !== 0x1f || b !== 0x8b) {
    for (let at = 0; at < blob.size; at += PIECE) yield bytesOf(blob, at, at + PIECE);
    return;
  }
  const reader = blob.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  let [piece, filled, total] = [new Uint8Array(PIECE), 0, 0];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new FormatError(path, `cannot be expanded (${reasonOf(error)})`);
      });
      if (done) break;
      checkExpansion(path, blob.size, (total += value.length));
      for (let at = 0; at < value.length;) {
        const part = value.subarray(at, at + PIECE - filled);
        piece.set(part, filled);
        [at, filled] = [at + part.length, filled + part.length];
        if (filled < PIECE) continue;
        yield piece;
        [piece, filled] = [new Uint8Array(PIECE), 0];
      }
    }
    if (filled) yield piece.subarray(0, filled);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * The text of a file in pieces whose lines end in `\n`, in UTF-8, UTF-16, UTF-32 or Latin-1.
 *
 * Throws FormatError where it is not text, or broken.
 */
export async function* textIn(path: string, blob: Blob): AsyncGenerator<string> {
  let decode: ((bytes: Uint8Array) => string) | undefined;
  let universal = false;
  for await (const piece of pieces(path, blob)) {
    if (!decode) {
      const head = piece.subarray(0, HEAD);
      const wide = wideDecoder(head);
      universal = wide !== undefined || (!head.includes(10) && head.includes(13));
      decode = wide ?? narrowDecoder(head);
    }
    const text = decode(piece);
    yield universal ? text.replace(/\r\n?/g, "\n") : text;
  }
}

/** The beginning of a text, as whole lines unless it is one line. */
export function headLines(text: string, complete: boolean): string[] {
  const lines = text.slice(0, HEAD).split("\n");
  if (!(complete && text.length <= HEAD) && lines.length > 1) lines.pop();
  return lines;
}

/** The decoder of wide text, which has a mark at its beginning or zeros in between. */
function wideDecoder(head: Uint8Array): ((bytes: Uint8Array) => string) | undefined {
  const mark = head.subarray(0, 4).join();
  if (mark === "255,254,0,0" || mark === "0,0,254,255") return utf32(mark.startsWith("255"));
  const half = head.length >> 1;
  const zeros = [0, 0];
  head.subarray(0, 2 * half).forEach((byte, i) => (zeros[i % 2] += Number(byte === 0)));
  const little = mark.startsWith("255,254") || (half > 3 && zeros[1] > 0.9 * half && !zeros[0]);
  const big = mark.startsWith("254,255") || (half > 3 && zeros[0] > 0.9 * half && !zeros[1]);
  return little ? streaming("utf-16le") : big ? streaming("utf-16be") : undefined;
}

function narrowDecoder(head: Uint8Array): (bytes: Uint8Array) => string {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true }); // may end in a character
    return streaming("utf-8");
  } catch {
    return latin1;
  }
}

function streaming(encoding: string): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder(encoding);
  return (bytes) => decoder.decode(bytes, { stream: true });
}

/** Pieces are of whole characters. */
function utf32(little: boolean): (bytes: Uint8Array) => string {
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const characters: string[] = [];
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const code = view.getUint32(at, little);
      characters.push(String.fromCodePoint(code < 0x110000 ? code : 0xfffd));
    }
    return characters.join("").replace(/^\ufeff/, "");
  };
}
