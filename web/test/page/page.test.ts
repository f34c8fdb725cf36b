/** The page in a real browser, compared with the command. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNear, folder, give, ipmdae, python, save, settled, start } from "./site.ts";

const FILES = [
  ["table.csv"],
  ["recorder.edf"],
  ["apple.csv"],
  ["polar.txt"],
  ["example/118e06_excerpt.hea", "example/118e06_excerpt.dat"],
];

/** What the command says of each lead of these files. */
let expected: { file: string; output: string; lead: string; grade: string; removed_mv: number }[];
let site: Awaited<ReturnType<typeof start>>;

beforeAll(async () => {
  ipmdae("example");
  python(`
r = ipmdae.read("example/118e06_excerpt")
ipmdae.write(r, "table.csv")
ipmdae.write(r, "recorder.edf")
uv = 1000 * (r.signal[:, 1] - np.median(r.signal[:, 1]))
apple = ["Name,A", "Recorded Date,2026-11-20 08:15:02 +0100", "Sample Rate,512 hertz", "", "",
         "Lead,Lead I", "Unit,µV", "", *(f"{x:.3f}" for x in uv)]
open("apple.csv", "w", encoding="utf-8").write("\\n".join(apple) + "\\n")
polar = ["Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"]
polar += [f"2026-11-27T10:00:{k // 13 / 10:06.3f};{599616000000000000 + round(k * 1e9 / 130)};"
          f"{k * 1e3 / 130:.6f};{uv[k]:.0f}" for k in range(6000)]
open("polar.txt", "w").write("\\n".join(polar) + "\\n")
open("bare.csv", "w").write("\\n".join(f"{x:.3f}" for x in uv / 1000) + "\\n")
open("cut.edf", "wb").write(open("recorder.edf", "rb").read(700))
`);
  const said = ipmdae(
    "denoise",
    ...FILES.map(([name]) => name),
    "-o",
    "out",
    "--to",
    "csv",
    "--json",
  );
  expected = said.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  site = await start();
}, 120_000);

afterAll(() => site.stop());

describe("files", () => {
  test.each(FILES)("%s is denoised as by the command", async (...names) => {
    const { page, errors } = await site.visit();
    await give(page, ...names);
    const leads = expected.filter(({ file }) => names[0].startsWith(file));
    const rows = await page.locator("#verdicts tr").all();
    expect(rows.length).toBe(leads.length);
    for (const [i, { lead, grade, removed_mv }] of leads.entries()) {
      const [name, verdict, , , , removed] = await rows[i].locator("th, td").allInnerTexts();
      expect([name, verdict]).toEqual([lead, grade]);
      expect(Number(removed)).toBeCloseTo(removed_mv, 2);
    }
    expectNear(await save(page, "csv"), join(folder, leads[0].output));
    expect(errors).toEqual([]);
    await page.context().close();
  });

  test("dropped on the page", async () => {
    const { page } = await site.visit();
    const text = readFileSync(join(folder, "table.csv"), "utf-8");
    const transfer = await page.evaluateHandle((text) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([text], "table.csv"));
      return transfer;
    }, text);
    await page.dispatchEvent("h1", "drop", { dataTransfer: transfer });
    await settled(page);
    expect(await page.innerText("#facts")).toContain("60.0 s at 360 Hz, 2 leads");
    await page.context().close();
  });

  test("the sampling rate is asked for where none is stated", async () => {
    const { page } = await site.visit();
    await give(page, "bare.csv");
    expect(await page.innerText("#needed")).toContain("sampling rate");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("fs");
    expect(await page.innerText("#needed")).not.toContain("--fs");
    await page.keyboard.type("5");
    await page.fill("#unit", "mV");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#error:visible");
    expect(await page.innerText("#needed")).toBe("");
    expect(await page.isVisible("#fs")).toBe(true);
    await page.fill("#fs", "360");
    await page.fill("#unit", "mV");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#result:visible");
    ipmdae("denoise", "bare.csv", "-o", "stated.csv", "--fs", "360", "--unit", "mV");
    expectNear(await save(page, "csv"), join(folder, "stated.csv"));
    await page.context().close();
  });

  test("errors are those of the command", async () => {
    const { page } = await site.visit();
    await give(page, "cut.edf");
    const said = ipmdae("info", "cut.edf").stderr.trim();
    expect(said).toBe(`ipmdae: error: ${join(folder, await page.innerText("#error"))}`);
    expect(await page.isVisible("#recording")).toBe(false);
    await give(page, "table.csv");
    expect(await page.isVisible("#error")).toBe(false);
    await page.context().close();
  });

  test("other programs read what is saved", async () => {
    const { page } = await site.visit({ viewport: { width: 1000, height: 600 } });
    await give(page, "table.csv");
    await page.check("#traces [value=removed]");
    const [csv, edf, png] = [
      await save(page, "csv"),
      await save(page, "edf"),
      await save(page, "png"),
    ];
    const shape = python(`
import shutil, matplotlib.image
shutil.copy("${edf}", "saved.edf"); shutil.copy("${png}", "saved.png")
ipmdae.write(ipmdae.read("saved.edf"), "again.csv")
picture = matplotlib.image.imread("saved.png")
legend = (255 * picture[78:102, :, :3]).round() == (29, 95, 168)
print(picture.shape[1] > 900, legend.all(axis=2).sum() > 50, len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 20)
`);
    expect(shape.trim()).toBe("True True True");
    expectNear(join(folder, "again.csv"), csv);
    await give(page, "saved.edf");
    expect(await page.innerText("#warnings")).toContain("denoised before (Cleaned by ipmdae-base");
    await page.context().close();
  });
});

describe("an hour of 12 leads", () => {
  const whole = Boolean(process.env.HOUR);
  const options = { timeout: whole ? 3_600_000 : 120_000, retry: 2 }; // on a busy machine

  test("does not block the page, and can be cancelled", options, async () => {
    python(`
r = ipmdae.read("example/118e06_excerpt")
lead = np.tile(r.signal[:, 1], 84)[: 3600 * 500]
names = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()
x = lead[:, None] * np.linspace(0.5, 1, 12) + 0.02 * np.sin(np.arange(len(lead)))[:, None]
ipmdae.write(ipmdae.Recording.from_array(x.astype(np.float32), 500, leads=names), "hour")
`);
    const { page } = await site.visit();
    await page.evaluate(() => {
      const tasks: number[] = ((globalThis as { tasks?: number[] }).tasks = []);
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) tasks.push(duration);
      }).observe({ type: "longtask" });
    });
    const begun = Date.now();
    await page.setInputFiles("#files", [join(folder, "hour.hea"), join(folder, "hour.dat")]);
    const done = () => page.evaluate(() => document.querySelector("progress")!.value);
    await expect.poll(done, { timeout: 60_000 }).toBeGreaterThan(0.005);
    const before = await done();
    await page.click("#zoom [value=whole]");
    expect(await page.innerText("#range")).toBe("0:00:00 to 1:00:00");
    for (let i = 0; i < 12; i++) await page.click("#zoom [value=in]");
    await page.locator("#strips").focus();
    for (let i = 0; i < 10; i++) await page.keyboard.press("ArrowRight");
    await expect.poll(done, { timeout: 60_000 }).toBeGreaterThan(before);
    if (!whole) await page.press("#cancel", "Enter");
    await page.waitForSelector("#denoise:visible", { timeout: options.timeout });
    const said = await page.innerText("#status");
    if (!whole) expect(await page.evaluate(() => document.activeElement?.id)).toBe("denoise");
    expect(said).toMatch(whole ? /^12 of 12 leads cleaned/ : /^Cancelled\.$/);
    const tasks = await page.evaluate(() => (globalThis as { tasks?: number[] }).tasks!);
    const [longest, total] = [Math.max(0, ...tasks), Date.now() - begun];
    console.log(`${said} Longest task of the page: ${longest} of ${total} ms`);
    expect(longest).toBeLessThan(total / 10); // a ratio, which other work on the machine hardly changes
    await page.context().close();
  });
});

describe("privacy", () => {
  test("nothing leaves the computer", async () => {
    let received = 0;
    const other = createServer((_, response) => void (received++, response.end()));
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    const { page, requests } = await site.visit();
    await give(page, "table.csv");
    for (const format of ["csv", "edf", "png"]) await save(page, format);
    for (const url of requests)
      expect(url.replace(/^blob:/, "").startsWith(site.url), url).toBe(true);
    const tries = (url: string) =>
      Promise.all([
        fetch(url, { mode: "no-cors" }).then(
          () => "sent",
          () => "refused",
        ),
        new Promise((done) => {
          const socket = new WebSocket(url.replace("http", "ws"));
          socket.onerror = () => done("refused");
          socket.onopen = () => done("sent");
        }),
      ]);
    expect(await page.evaluate(tries, elsewhere)).toEqual(["refused", "refused"]);
    expect(await page.workers()[0].evaluate(tries, elsewhere)).toEqual(["refused", "refused"]);
    await page.evaluate((url) => {
      navigator.sendBeacon(url);
      new Image().src = url;
    }, elsewhere);
    await page.waitForTimeout(200);
    expect(received).toBe(0);
    other.close();
    await page.context().close();
  });

  test("works offline after the first visit", async () => {
    const { page } = await site.visit({ serviceWorkers: "allow" });
    await page.evaluate(async () => void (await navigator.serviceWorker.ready));
    await page.context().setOffline(true);
    await page.reload();
    await page.click("#example");
    await settled(page);
    expect(await page.innerText("#status")).toContain("2 of 2 leads cleaned by ipmdae-base");
    await page.context().close();
  });
});

describe("everyone", () => {
  const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf-8");

  test.each(["light", "dark"] as const)("no violation that axe finds, %s", async (colorScheme) => {
    const { page } = await site.visit({ colorScheme });
    const violations = async () => {
      await page.evaluate(axe);
      return page.evaluate(async () => {
        const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
        const { violations } = await axe.run();
        return violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)]);
      });
    };
    expect(await violations()).toEqual([]);
    await give(page, "bare.csv");
    expect(await violations()).toEqual([]);
    await give(page, "table.csv");
    await page.click("#unreadable-title");
    expect(await violations()).toEqual([]);
    await page.context().close();
  });

  test("by keyboard alone", async () => {
    const { page } = await site.visit();
    const tabTo = async (selector: string) => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
      }
      throw new Error(`no way to ${selector} by Tab`);
    };
    await tabTo("#files");
    await tabTo("#example");
    await page.keyboard.press("Enter");
    await settled(page);
    await tabTo("#mode");
    await page.keyboard.press("ArrowDown");
    expect(await page.innerText("#status")).toMatch(/^Settings changed.*mode monitoring/);
    await tabTo("#denoise");
    await page.keyboard.press("Enter");
    await settled(page);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("denoise");
    expect(await page.innerText("#status")).toMatch(/: \d good, \d limited, \d unusable\.$/);
    await tabTo("#save [value=csv]");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.keyboard.press("Enter"),
    ]);
    expect(download.suggestedFilename()).toBe("118e24_excerpt_cleaned_base_diagnostic.csv");
    await tabTo("#zoom [value=in]");
    const range = await page.innerText("#range");
    await page.keyboard.press("Enter");
    expect(await page.innerText("#range")).not.toBe(range);
    await tabTo("#position");
    await page.keyboard.press("End");
    expect(await page.innerText("#range")).toContain("to 60 s");
    await tabTo("#strips");
    await page.keyboard.press("Home");
    expect(await page.innerText("#range")).toMatch(/^0 s/);
    await page.keyboard.press("ArrowRight");
    expect(await page.innerText("#range")).not.toMatch(/^0 s/);
    await tabTo("summary#unreadable-title");
    await page.keyboard.press("Enter");
    await tabTo("#segments button");
    await page.keyboard.press("Enter");
    expect(await page.innerText("#range")).toContain("to 60 s");
    await page.context().close();
  });

  test("what is drawn is stated in words", async () => {
    const { page } = await site.visit();
    await give(page, "table.csv");
    const picture = page.getByRole("img", { name: /^Lead MLII, 0 s to .* unusable \(motion\)$/ });
    await picture.waitFor();
    const colours = await picture.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    expect(colours).toBeGreaterThan(20);
    await page.context().close();
  });

  test("fits a phone", async () => {
    const { page } = await site.visit({ viewport: { width: 360, height: 740 }, hasTouch: true });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBe(360);
    await give(page, "bare.csv");
    expect(await width()).toBe(360);
    await give(page, "table.csv");
    expect(await width()).toBe(360);
    const table = await page.$eval(".scroll", (box) => box.scrollWidth - box.clientWidth);
    expect(table).toBe(0);
    await page.context().close();
  });
});
