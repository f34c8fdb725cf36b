// Opens models for tools/fuzz: node wasm.mjs FOLDER. Each model on stdin is preceded by its length,
// 4 bytes; the answer is a line: "read", "refused", or what went wrong.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { load } from "../../web/test/core/load.mjs";

const { Network, readModel } = await load("src/core/index.ts");
const module = await WebAssembly.compile(await readFile(join(process.argv[2], "ipmdae.wasm")));

async function* models() {
  let waiting = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32LE()) {
      const stop = 4 + waiting.readUInt32LE();
      yield Uint8Array.from(waiting.subarray(4, stop)).buffer;
      waiting = waiting.subarray(stop);
    }
  }
}

function answer(file) {
  try {
    const { architecture, tensors } = readModel(file);
    new Network(module, architecture, tensors).run(new Float32Array(9 * architecture.leads), 9);
    return "read";
  } catch (error) {
    if (error.constructor === Error && error.message) return "refused";
    return `${error.name}: ${error.message}`.replaceAll("\n", " ");
  }
}

for await (const model of models()) process.stdout.write(`${answer(model)}\n`);
process.exit();
