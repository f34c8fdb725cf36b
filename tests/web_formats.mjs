// Reads files by the readers of the web page, and writes what it read again.
//
// node tests/web_formats.mjs WEB OUT JOBS: the folder web/, a folder for results, and a file of JSON
// [{"files": [path, ...], "name": "of the first", "member": "of an archive", "fs": 250, "unit": "uV", "write": true}, ...].
// OUT gets N.json and N.f64 (lead after lead) for each, N.csv and N.edf if they are written.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [web, out, jobs] = process.argv.slice(2);
const { build } = await import(
  pathToFileURL(createRequire(join(web, "package.json")).resolve("vite"))
);
await build({
  configFile: false,
  root: web,
  logLevel: "error",
  build: {
    lib: { entry: join(web, "src/formats/index.ts"), formats: ["es"], fileName: () => "formats.mjs" },
    outDir: out,
    emptyOutDir: false,
    minify: false,
  },
});
const { read, recordings, writeCsv, writeEdf, FormatError } = await import(
  pathToFileURL(join(out, "formats.mjs"))
);

for (const [i, job] of JSON.parse(readFileSync(jobs, "utf8")).entries()) {
  const { fs, unit } = job;
  const files = job.files.map((path, k) => ({
    name: (k === 0 && job.name) || basename(path),
    bytes: new Uint8Array(readFileSync(path)),
  }));
  let result;
  try {
    const groups = await recordings(files);
    const own = groups.find(([first]) => first.name === (job.member ?? files[0].name));
    result = await read(own ?? files, { fs, unit });
    if (result.recording) {
      const { leads } = result.recording;
      writeFileSync(join(out, `${i}.f64`), Buffer.concat(leads.map((lead) => bytes(lead.samples))));
      for (const [write, suffix] of job.write ? [[writeCsv, "csv"], [writeEdf, "edf"]] : [])
        writeFileSync(
          join(out, `${i}.${suffix}`),
          Buffer.from(await write(result.recording).arrayBuffer()),
        );
    }
  } catch (error) {
    result = { error: error instanceof FormatError ? error.message : `crash: ${error.stack}` };
  }
  const text = (key, value) => (ArrayBuffer.isView(value) ? value.length : value);
  writeFileSync(join(out, `${i}.json`), JSON.stringify(result, text));
}

function bytes(samples) {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
