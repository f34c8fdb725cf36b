import { expect, test } from "vitest";
import { type Denoiser, denoise, type Recording } from "../../src/core/index.ts";

/** A network that finds no noise, which calls `onRun` first. */
function idle(onRun = () => {}): Denoiser {
  const run = (windows: Float32Array) => {
    onRun();
    return windows.slice();
  };
  const network = {
    architecture: { leads: 1, channels: [16, 32], uncertainty: false },
    outputs: 1,
    run,
  };
  const settings = { fs: 250, window: 500, overlap: 200, scaling: "robust" };
  return { name: "idle", network, settings } as unknown as Denoiser;
}

function recording(seconds: number, fs = 250): Recording {
  const beat = (_: unknown, t: number) => Math.exp(-0.5 * ((((t / fs) % 0.8) - 0.4) / 0.02) ** 2);
  const samples = Float64Array.from({ length: seconds * fs }, beat);
  const leads = ["II", "V1"].map((name) => ({ name, unit: "mV", samples }));
  return { name: "test", fs, leads, comments: ["kept"] };
}

test("a recording without noise comes back as it is, and is not changed itself", async () => {
  const noisy = recording(20);
  const before = noisy.leads[0].samples.slice();
  const result = await denoise(noisy, idle());
  expect(noisy.leads[0].samples).toEqual(before);
  result.recording.leads.forEach(({ samples }) => {
    expect(samples).not.toBe(noisy.leads[0].samples);
    expect(Math.max(...samples.map((x, t) => Math.abs(x - before[t])))).toBeLessThan(1e-5);
  });
  expect(result.verdicts.map(({ grade }) => grade)).toEqual(["good", "good"]);
  expect(result.recording.comments).toEqual(["kept", "Cleaned by idle: II, V1"]);
});

test("progress rises to 1, and other events come in between", async () => {
  const shares: number[] = [];
  let events = 0;
  const timer = setInterval(() => events++, 1);
  const slow = idle(() => {
    for (const begin = Date.now(); Date.now() - begin < 20;);
  });
  await denoise(recording(60), slow, {}, (share) => shares.push(share));
  clearInterval(timer);
  expect(shares.length).toBeGreaterThan(3);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
  expect(events).toBeGreaterThan(1);
});

test("an abort ends the work with its reason", async () => {
  const abort = new AbortController();
  let runs = 0;
  const slow = idle(() => {
    runs++;
    abort.abort(new Error("stopped"));
    for (const begin = Date.now(); Date.now() - begin < 60;);
  });
  const running = denoise(recording(600), slow, {}, undefined, abort.signal);
  await expect(running).rejects.toThrow("stopped");
  expect(runs).toBe(1);
  await expect(denoise(recording(1), idle(), {}, undefined, abort.signal)).rejects.toThrow(
    "stopped",
  );
});

test.each([
  [{ leads: [] }, "a recording needs samples and leads, got 0 of 0 leads"],
  [
    { leads: [{ name: "II", unit: "mV", samples: Float64Array.of(1, Infinity) }] },
    "the signal holds infinite values; mark missing samples by NaN",
  ],
  [
    {
      leads: [2, 3].map((n) => ({ name: `V${n}`, unit: "mV", samples: new Float64Array(n) })),
    },
    "all leads need as many samples: V3 has 3, V2 2",
  ],
  [{ leads: [{ name: "II", unit: "mV", samples: [0, 1] }] }, "lead II must be a Float64Array"],
  [{ leads: [{ name: "II", unit: "uV", samples: new Float64Array(9) }] }, "convert it to mV"],
  [{ comments: undefined }, "a recording needs comments"],
])("broken recordings are refused: %#", async (change, message) => {
  const broken = { ...recording(1), ...change } as Recording;
  await expect(denoise(broken, idle())).rejects.toThrow(message);
});

test("unknown options are refused", async () => {
  const options = { modus: "beats" } as object;
  await expect(denoise(recording(1), idle(), options)).rejects.toThrow("unknown option modus");
});
