// Runs jobs for test_wasm.py: node run_wasm.mjs FOLDER, jobs as JSON on stdin, answers on stdout.
// A job is {model, samples | fs, x: values}; its answer {y, spread} or {error}. NaN is null.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { Denoiser } = await import(new URL("ipmdae.mjs", folder));
const wasm = await readFile(new URL("ipmdae.wasm", folder));

async function answer({ model, samples, fs, x }) {
  try {
    const denoiser = await Denoiser.open(wasm, await readFile(model));
    const values = Float32Array.from(x, (value) => value ?? NaN);
    if (samples) return { y: [...denoiser.network.run(values, samples)] };
    const { cleaned, spread } = denoiser.clean(values, fs);
    return { y: [...cleaned], spread: spread && [...spread] };
  } catch (error) {
    return { error: error.message };
  }
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
const answers = [];
for (const job of JSON.parse(text)) answers.push(await answer(job));
process.stdout.write(JSON.stringify(answers));
