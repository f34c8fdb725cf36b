/** The page: files in, a denoised recording on ECG paper out. */
import * as Comlink from "comlink";
import type { Options } from "../recording.ts";
import type { Engine, Info, Outcome, Question, Trace } from "../worker.ts";
import { at, make } from "./dom.ts";
import { segmentsOf } from "./grades.ts";
import { showUnreadable, showVerdicts } from "./verdicts.ts";
import { Viewer, ZOOM } from "./viewer.ts";

const EXAMPLE = ["118e24_excerpt.hea", "118e24_excerpt.dat"];

const engine = Comlink.wrap<Engine>(
  new Worker(new URL("../worker.ts", import.meta.url), { type: "module" }),
);
const viewer = new Viewer(engine);
let info: Info | undefined;
let turns = 0;

function say(text: string): void {
  at("status").textContent = text;
}

function show(...ids: string[]): void {
  for (const id of ids) at(id).hidden = false;
}

function hide(...ids: string[]): void {
  for (const id of ids) at(id).hidden = true;
}

/** Run a step of the user's; its error is shown in one line, unless another step has begun. */
async function attempt(step: () => Promise<void>): Promise<void> {
  const turn = ++turns;
  hide("error");
  try {
    await step();
  } catch (error) {
    if (turn !== turns) return;
    if (error instanceof Error && error.name === "AbortError") return say("Cancelled.");
    say("");
    at("error").textContent = error instanceof Error ? error.message : String(error);
    show("error");
  }
}

async function openFiles(files: File[]): Promise<void> {
  if (!files.length) return;
  close();
  hide("about", "recording");
  say(`Reading ${files.map(({ name }) => name).join(", ")} …`);
  const names = await engine.open(files);
  const options = names.map((name, i) => make("option", { value: `${i}` }, name));
  at("recordings").replaceChildren(...options);
  at("choice").hidden = names.length < 2;
  at<HTMLFormElement>("question").reset();
  await readRecording();
}

function close(): void {
  viewer.clear();
  hide("settings", "save", "result", "viewer", "warnings");
  at("facts").textContent = "";
}

async function openExample(): Promise<void> {
  say("Reading the example …");
  const files = EXAMPLE.map(async (name) => {
    const response = await fetch(`example/${name}`);
    if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
    return new File([await response.blob()], name);
  });
  await openFiles(await Promise.all(files));
}

/** Read the chosen recording, with what the form states about it. */
async function readRecording(): Promise<void> {
  close();
  const [fs, unit] = [at<HTMLInputElement>("fs").value, at<HTMLInputElement>("unit").value.trim()];
  const options = { ...(fs && { fs: Number(fs) }), ...(unit && { unit }) };
  const chosen = at<HTMLSelectElement>("recordings").selectedOptions[0];
  const opened = await engine.read(Number(chosen.value), options);
  at("name").textContent = chosen.text;
  show("recording");
  const needs = "needs" in opened;
  at<HTMLDetailsElement>("statements").open = needs;
  at("needed").textContent = "";
  if (needs) return ask(opened);
  info = opened.info;
  at("facts").textContent = facts(info);
  at("warnings").replaceChildren(...opened.warnings.map((warning) => make("li", {}, warning)));
  at("warnings").hidden = !opened.warnings.length;
  show("settings", "viewer");
  viewer.open(info);
  at("name").focus({ preventScroll: true });
  await denoiseRecording();
}

function ask({ needs, message, likelyUnit }: Question): void {
  say("");
  const guess = likelyUnit ? `; by their size the values are in ${likelyUnit}` : "";
  at("needed").textContent = message + guess;
  at<HTMLInputElement>("unit").value ||= likelyUnit ?? "";
  at(needs.includes("fs") ? "fs" : "unit").focus();
}

function facts({ samples, fs, leads, start, comments }: Info): string {
  const count = `${leads.length} lead${leads.length === 1 ? "" : "s"}`;
  const from = start ? `, from ${start.replace("T", " ")}` : "";
  const header = `${(samples / fs).toFixed(1)} s at ${+fs.toPrecision(6)} Hz, ${count}${from}`;
  return [header, ...comments].join("; ");
}

async function denoiseRecording(): Promise<void> {
  const value = (id: string) => at<HTMLSelectElement>(id).value;
  const mains = value("mains");
  const options = {
    mode: value("mode"),
    mains: mains === "50" || mains === "60" ? Number(mains) : mains,
    unreadable: value("unreadable"),
    strength: 1,
  } as Options;
  const model = value("model");
  const bar = at<HTMLProgressElement>("progress");
  const turn = turns;
  say(`Denoising ${at("name").textContent} …`);
  hide("denoise", "save", "result");
  show("cancel", "progress");
  bar.value = 0;
  viewer.result();
  try {
    const progress = Comlink.proxy((share: number) => void (bar.value = share));
    finish(await engine.denoise(model, options, progress), model);
  } finally {
    if (turn === turns) {
      hide("cancel", "progress");
      show("denoise");
    }
  }
}

function finish(outcome: Outcome, model: string): void {
  const cleaned = outcome.verdicts.filter(({ why }) => !why).length;
  const segments = segmentsOf(outcome, viewer.duration);
  viewer.result(outcome.leads, segments);
  showVerdicts(outcome.verdicts);
  showUnreadable(outcome.leads, segments, viewer);
  show("save", "result");
  const count = `${cleaned} of ${outcome.verdicts.length} leads`;
  say(`${count} cleaned by ${model} in ${outcome.seconds.toFixed(2)} s.`);
}

async function save(format: string): Promise<void> {
  const stem = at("name").textContent.replace(/\.[^.]*$/, "");
  const blob =
    format === "png"
      ? await viewer.picture(`${stem}, ${facts(info!)}`)
      : await engine.write(format as "csv" | "edf");
  const link = make("a", {
    href: URL.createObjectURL(blob),
    download: `${stem}_cleaned.${format}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function listen(): void {
  const files = at<HTMLInputElement>("files");
  files.addEventListener("change", () => {
    void attempt(() => openFiles([...(files.files ?? [])])).then(() => (files.value = ""));
  });
  for (const kind of ["dragover", "dragleave", "drop"] as const)
    addEventListener(kind, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") void attempt(() => openFiles([...(event.dataTransfer?.files ?? [])]));
    });
  at("example").addEventListener("click", () => void attempt(openExample));
  at("cancel").addEventListener("click", () => void engine.cancel());
  const onSubmit = (id: string, act: () => Promise<void>) =>
    at(id).addEventListener("submit", (event) => {
      event.preventDefault();
      void attempt(act);
    });
  onSubmit("settings", denoiseRecording);
  onSubmit("question", readRecording);
  at("recordings").addEventListener("change", () => {
    at<HTMLFormElement>("question").reset();
    void attempt(readRecording);
  });
  const onValue = (id: string, act: (value: string) => void) =>
    at(id).addEventListener("click", ({ target }) => {
      if (target instanceof HTMLButtonElement) act(target.value);
    });
  onValue("save", (format) => void attempt(() => save(format)));
  onValue("zoom", (value) => {
    const zooms: Record<string, () => void> = {
      in: () => viewer.zoom(1 / ZOOM),
      out: () => viewer.zoom(ZOOM),
      paper: () => viewer.paperSpeed(),
      whole: () => viewer.zoom(Infinity, 0),
    };
    zooms[value]();
  });
  at("traces").addEventListener("change", () => {
    const boxes = at("traces").querySelectorAll<HTMLInputElement>("input:checked");
    viewer.traces = Array.from(boxes, ({ value }) => value as Trace);
  });
  at("gain").addEventListener(
    "change",
    () => (viewer.gain = Number(at<HTMLSelectElement>("gain").value)),
  );
}

listen();
if (import.meta.env.PROD && "serviceWorker" in navigator)
  void navigator.serviceWorker.register("service_worker.js");
