// Reads files by the readers of the web page, and writes what it read again.
//
// node tests/helpers/web_formats.mjs WEB OUT: the folder web/, and a folder with jobs.json,
// [{"files": [path, ...], "name": "of the first", "member": "of an archive", "fs": 250, ...}, ...].
// OUT gets N.json and N.f64 (lead after lead) for each, N.csv and N.edf of what is short. A unit
// that is asked for is answered by the likely one.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [web, out] = process.argv.slice(2);
const vite = createRequire(join(web, "package.json")).resolve("vite");
const { build } = await import(pathToFileURL(vite));
const lib = { entry: join(web, "src/formats/index.ts"), formats: ["es"], fileName: () => "formats.mjs" };
await build({
  configFile: false,
  root: web,
  logLevel: "error",
  build: { lib, outDir: out, emptyOutDir: false, minify: false, copyPublicDir: false },
});
const { read, recordings, writeCsv, writeEdf, FormatError } = await import(
  pathToFileURL(join(out, "formats.mjs"))
);

for (const [i, job] of JSON.parse(readFileSync(join(out, "jobs.json"), "utf8")).entries()) {
  let result;
  try {
    result = await readJob(job);
    if (result.recording) save(i, result.recording);
    if (result.recording?.leads[0].samples.length < 3000)
      for (const [write, suffix] of [[writeCsv, "csv"], [writeEdf, "edf"]])
        writeFileSync(join(out, `${i}.${suffix}`), new Uint8Array(await write(result.recording).arrayBuffer()));
  } catch (error) {
    const message = error instanceof FormatError ? error.message : `crash: ${error.stack}`;
    result = { ...result, [result ? "unwritten" : "error"]: message };
  }
  const short = (key, value) => (ArrayBuffer.isView(value) ? value.length : value);
  writeFileSync(join(out, `${i}.json`), JSON.stringify(result, short));
}
process.exit();

async function readJob({ files, name, member, fs, unit }) {
  const given = files.map((path, k) => ({
    name: (k === 0 && name) || basename(path),
    bytes: new Uint8Array(readFileSync(path)),
  }));
  const groups = await recordings(given);
  const own = groups.find(([first]) => first.name === (member ?? given[0].name)) ?? given;
  const found = await read(own, { fs, unit });
  if (!found.likelyUnit || found.needs.length > 1) return found;
  return { ...(await read(own, { fs, unit: found.likelyUnit })), asked: found };
}

function save(i, { leads }) {
  const bytes = leads.map(({ samples }) =>
    Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength),
  );
  writeFileSync(join(out, `${i}.f64`), Buffer.concat(bytes));
}
