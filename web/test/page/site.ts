/** The built site as `ipmdae web` serves it, in Chromium. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { type BrowserContextOptions, type Page, chromium } from "playwright-core";
import { afterAll, expect } from "vitest";

const PYTHON = process.env.PYTHON ?? "python3";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SWITCHES =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking " +
  "--disable-component-update --disable-sync";

/** A folder for files, which is removed after the tests. */
export const folder = mkdtempSync(join(tmpdir(), "ipmdae-page-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = {
  env: { ...process.env, OMP_NUM_THREADS: "1", PYTHONWARNINGS: "ignore" },
  cwd: folder,
  encoding: "utf-8",
} as const;

/** Run the command in `folder`; returns what it printed. */
export function ipmdae(...parts: string[]): { stdout: string; stderr: string } {
  return spawnSync(PYTHON, ["-m", "ipmdae", ...parts], options);
}

/** Run Python in `folder`, with NumPy as np and the package as ipmdae. */
export function python(code: string): string {
  return execFileSync(
    PYTHON,
    ["-c", `import numpy as np, ipmdae, ipmdae.examples\n${code}`],
    options,
  );
}

/** Start the server and the browser. */
export async function start() {
  const parts = ["-m", "ipmdae", "web", "--port", "0", "--no-open"];
  const env = { ...options.env, PYTHONPATH: resolve("../src") }; // where the page was built to
  const server = spawn(PYTHON, parts, { ...options, env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(server.stdout), "line");
  const url: string = /http:\S+\//.exec(line)![0];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: SWITCHES.split(" ") });
  return {
    url,
    /** A new page in a context of its own, and the requests and errors of it. */
    async visit(context: BrowserContextOptions = {}) {
      const page = await (
        await browser.newContext({ serviceWorkers: "block", baseURL: url, ...context })
      ).newPage();
      const [requests, errors]: string[][] = [[], []];
      page.context().on("request", (request) => requests.push(request.url()));
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto("./");
      return { page, requests, errors };
    },
    async stop() {
      await browser.close();
      server.kill("SIGINT");
    },
  };
}

/** Give files in `folder` to the page, and wait for the result, a question or an error. */
export async function give(page: Page, ...names: string[]): Promise<void> {
  await page.setInputFiles(
    "#files",
    names.map((name) => join(folder, name)),
  );
  await settled(page);
}

export async function settled(page: Page): Promise<void> {
  await page.waitForSelector("#result:visible, #error:visible, #statements[open]");
}

/** Save a result; returns the file. */
export async function save(page: Page, format: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click(`#save [value=${format}]`),
  ]);
  return download.path();
}

/** Compare two tables: within 1e-3 standard deviations of each column, and the last digit. */
export function expectNear(path: string, reference: string): void {
  const [found, expected] = [path, reference].map((name) => {
    const [head, ...rows] = readFileSync(name, "utf-8").trim().split(/\r?\n/);
    return { head, cells: rows.map((row) => row.split(",")) };
  });
  expect(found.head).toBe(expected.head);
  expect(found.cells.length).toBe(expected.cells.length);
  for (const [i, heading] of expected.head.split(",").entries()) {
    const values = expected.cells.map((row) => Number(row[i]));
    const digit = 10 ** -(expected.cells[0][i].split(".")[1]?.length ?? 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const sd = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    const apart = values.map((value, row) => Math.abs(value - Number(found.cells[row][i])));
    expect(Math.max(...apart), heading).toBeLessThan(1e-3 * sd + 1.01 * digit);
  }
}
