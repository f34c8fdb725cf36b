// Opens models for tools/fuzz: node wasm.mjs FOLDER. Each model on stdin is preceded by its length,
// 4 bytes; the answer is a line: "read", "refused", or what went wrong.
import { readFile } from "node:fs/promises";
import { readSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { Network } = await import(new URL("ipmdae.mjs", folder));
const { readModel } = await import(new URL("model.mjs", folder));
const module = await WebAssembly.compile(await readFile(new URL("ipmdae.wasm", folder)));

function receive(length) {
  const buffer = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const count = readSync(0, buffer, at, length - at, null);
    if (!count) process.exit(0);
    at += count;
  }
  return buffer;
}

function answer(file) {
  try {
    const { architecture, tensors } = readModel(file.buffer);
    new Network(module, architecture, tensors).run(new Float32Array(9 * architecture.leads), 9);
    return "read";
  } catch (error) {
    if (error.constructor === Error && error.message) return "refused";
    return `${error.name}: ${error.message}`.replaceAll("\n", " ");
  }
}

for (;;) {
  const model = receive(new DataView(receive(4).buffer).getUint32(0, true));
  writeSync(1, `${answer(model)}\n`);
}
