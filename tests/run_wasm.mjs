// Runs jobs for test_wasm.py: node run_wasm.mjs FOLDER, jobs as JSON on stdin, answers on stdout.
// A job is {model, samples | fs, x: values}; its answer {y, spread} or {error}. NaN is null, and
// infinity a text. With `lengths` the tensors are cut or filled up to other lengths.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { Denoiser, Network } = await import(new URL("ipmdae.mjs", folder));
const { readModel } = await import(new URL("model.mjs", folder));
const wasm = await readFile(new URL("ipmdae.wasm", folder));

const text = (value) => (value === Infinity ? "Infinity" : value);

async function answer({ model, samples, fs, x, lengths }) {
  try {
    if (lengths) {
      const { architecture, tensors } = readModel(await bytesOf(model));
      const others = tensors.map((tensor, i) => new Float32Array(lengths[i] ?? tensor.length));
      new Network(await WebAssembly.compile(wasm), architecture, others);
      return { y: [] };
    }
    const denoiser = await Denoiser.open(wasm, await readFile(model));
    const values = Float32Array.from(x, (value) => value ?? NaN);
    if (samples) return { y: [...denoiser.network.run(values, samples)] };
    const { cleaned, spread } = denoiser.clean(values, fs);
    return { y: [...cleaned], spread: spread && [...spread].map(text) };
  } catch (error) {
    return { error: error.message };
  }
}

async function bytesOf(file) {
  const { buffer, byteOffset, byteLength } = await readFile(file);
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const answers = [];
for (const job of JSON.parse(input)) answers.push(await answer(job));
process.stdout.write(JSON.stringify(answers));
