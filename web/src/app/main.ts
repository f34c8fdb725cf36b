/** The page: files in, a denoised recording on ECG paper out. */
import * as Comlink from "comlink";
import type { Options } from "../recording.ts";
import type { Engine, Info, Outcome, Question, Trace } from "../worker.ts";
import { at, make } from "./dom.ts";
import { GRADES, cleanedBefore, segmentsOf } from "./grades.ts";
import { showUnreadable, showVerdicts } from "./verdicts.ts";
import { Viewer, ZOOM } from "./viewer.ts";

const EXAMPLE = ["118e24_excerpt.hea", "118e24_excerpt.dat"];

type Settings = { model: string; options: Options };

const engine = Comlink.wrap<Engine>(
  new Worker(new URL("../worker.ts", import.meta.url), { type: "module" }),
);
const viewer = new Viewer(engine);
let info: Info | undefined;
let turns = 0;
/** Settings of the result that is shown, and the sentence on it. */
let applied: { settings: Settings; said: string } | undefined;

function say(text: string): void {
  at("status").textContent = text;
}

function show(...ids: string[]): void {
  for (const id of ids) at(id).hidden = false;
}

function hide(...ids: string[]): void {
  for (const id of ids) at(id).hidden = true;
}

/** A message of a reader without the names of options, which the page has not. */
function onPage(message: string): string {
  return message
    .replace("interpolate them (--resample)", "interpolate them by the command (--resample)")
    .replaceAll(/ \((fs=, |unit=, )?--(fs|unit)\)/g, "")
    .replace(" (unit=)", "")
    .replaceAll(/--unit (\S+)/g, "$1")
    .replaceAll("--fs overrules", "a stated rate overrules")
    .replaceAll(/(fs|unit)=(\S+) overrules/g, "the stated $2 overrules");
}

/** Show an element in the place of another, which passes its focus on. */
function replace(old: string, id: string): void {
  const focused = document.activeElement === at(old);
  show(id);
  if (focused) at(id).focus();
  hide(old);
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
    at("error").textContent = onPage(error instanceof Error ? error.message : String(error));
    show("error");
    at("needed").textContent = "";
    if (at("save").hidden) at<HTMLDetailsElement>("statements").open = true;
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
  applied = undefined;
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
  const warnings = [...opened.warnings.map(onPage), ...cleanedBefore(info.comments)];
  at("warnings").replaceChildren(...warnings.map((warning) => make("li", {}, warning)));
  at("warnings").hidden = !warnings.length;
  show("settings", "viewer");
  viewer.open(info);
  at("name").focus({ preventScroll: true });
  await denoiseRecording();
}

function ask({ needs, message, likelyUnit }: Question): void {
  say("");
  const guess = likelyUnit ? `; by their size the values are in ${likelyUnit}` : "";
  at("needed").textContent = onPage(message) + guess;
  at<HTMLInputElement>("unit").value ||= likelyUnit ?? "";
  at(needs.includes("fs") ? "fs" : "unit").focus();
}

function facts({ samples, fs, leads, start, comments }: Info): string {
  const count = `${leads.length} lead${leads.length === 1 ? "" : "s"}`;
  const from = start ? `, from ${start.replace("T", " ")}` : "";
  const header = `${(samples / fs).toFixed(1)} s at ${+fs.toPrecision(6)} Hz, ${count}${from}`;
  return [header, ...comments].join("; ");
}

function settings(): Settings {
  const value = (id: string) => at<HTMLSelectElement>(id).value;
  const mains = value("mains");
  const options = {
    mode: value("mode"),
    mains: mains === "50" || mains === "60" ? Number(mains) : mains,
    unreadable: value("unreadable"),
    strength: 1,
  } as Options;
  return { model: value("model"), options };
}

/** Model and settings of a result in words. */
function describe({ model, options }: Settings): string {
  const { mode, mains, unreadable } = options;
  return `${model}, mode ${mode}, powerline interference ${mains}, unreadable parts ${unreadable}`;
}

/** State whether the result shown is that of the settings. */
function compareSettings(): void {
  if (!applied) return;
  const same = describe(settings()) === describe(applied.settings);
  const changed = "Settings changed: press Denoise to apply them. The result shown is that of ";
  say(same ? applied.said : `${changed}${describe(applied.settings)}.`);
}

async function denoiseRecording(): Promise<void> {
  const chosen = settings();
  const bar = at<HTMLProgressElement>("progress");
  const turn = turns;
  say(`Denoising ${at("name").textContent} …`);
  hide("save", "result");
  show("progress");
  replace("denoise", "cancel");
  bar.value = 0;
  viewer.result();
  applied = undefined;
  try {
    const progress = Comlink.proxy((share: number) => void (bar.value = share));
    finish(await engine.denoise(chosen.model, chosen.options, progress), chosen);
  } finally {
    if (turn === turns) {
      hide("progress");
      replace("cancel", "denoise");
    }
  }
}

function finish(outcome: Outcome, settings: Settings): void {
  const cleaned = outcome.verdicts.filter(({ why }) => !why).length;
  const segments = segmentsOf(outcome, viewer.duration);
  viewer.result(outcome.leads, segments);
  showVerdicts(outcome.verdicts);
  showUnreadable(outcome.leads, segments, viewer);
  show("save", "result");
  const count = `${cleaned} of ${outcome.verdicts.length} leads`;
  const grades = GRADES.map(
    (name) => `${outcome.verdicts.filter(({ grade }) => grade === name).length} ${name}`,
  );
  const time = `${outcome.seconds.toFixed(2)} s`;
  const said = `${count} cleaned by ${settings.model} in ${time}: ${grades.join(", ")}.`;
  applied = { settings, said };
  compareSettings();
}

async function save(format: string): Promise<void> {
  const stem = at("name").textContent.replace(/\.[^.]*$/, "");
  const { model, options } = applied!.settings;
  const blob =
    format === "png"
      ? await viewer.picture(
          `${stem}, ${facts(info!)}`,
          `Denoised by ${describe(applied!.settings)}`,
        )
      : await engine.write(format as "csv" | "edf");
  const link = make("a", {
    href: URL.createObjectURL(blob),
    download: `${stem}_cleaned_${model.replace("ipmdae-", "")}_${options.mode}.${format}`,
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
  at("settings").addEventListener("change", compareSettings);
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
