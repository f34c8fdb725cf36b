// Runs jobs for test_wasm.py: node run_wasm.mjs FOLDER, with FOLDER/jobs.json and the signals of all
// jobs in FOLDER/signals.f64, lead by lead. Writes FOLDER/answers.json and FOLDER/cleaned.f64.
//
// A job is a recording of `samples` samples to denoise with `options`, or `values` of windows of
// `samples` samples to run through the network alone. With `lengths` the network's tensors are cut or
// filled up to other lengths.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { load } from "../../web/test/core/load.mjs";

const folder = (name) => new URL(name, pathToFileURL(`${process.argv[2]}/`));
const { Denoiser, denoise, Network, readModel } = await load("src/core/index.ts");
const wasm = await readFile(folder("ipmdae.wasm"));
const signals = new Float64Array(bufferOf(await readFile(folder("signals.f64"))));
const cleaned = [];
let taken = 0;

function bufferOf({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

function take(count) {
  return signals.slice(taken, (taken += count));
}

async function answer({ model, recording, samples, values, lengths, options }) {
  const leads = recording?.leads.map((lead) => ({ ...lead, samples: take(samples) }));
  const windows = Float32Array.from(take(values ?? 0));
  try {
    const file = await readFile(model);
    if (lengths) return await open(bufferOf(file), lengths);
    const denoiser = await Denoiser.open(wasm, file);
    if (values) return { y: [...denoiser.network.run(windows, samples)] };
    const result = await denoise({ ...recording, leads }, denoiser, options);
    cleaned.push(...result.recording.leads.map((lead) => lead.samples));
    const grades = result.grades.map((lead) => [...lead]);
    return { ...result, grades, recording: null, comments: result.recording.comments };
  } catch (error) {
    return { error: error.message };
  }
}

async function open(file, lengths) {
  const { architecture, tensors } = readModel(file);
  const others = tensors.map((tensor, i) => new Float32Array(lengths[i] ?? tensor.length));
  new Network(await WebAssembly.compile(wasm), architecture, others);
  return { y: [] };
}

const answers = [];
for (const job of JSON.parse(await readFile(folder("jobs.json")))) answers.push(await answer(job));
await writeFile(folder("answers.json"), JSON.stringify(answers));
await writeFile(folder("cleaned.f64"), Buffer.concat(cleaned.map(({ buffer }) => Buffer.from(buffer))));
process.exit();
