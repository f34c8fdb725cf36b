/** Progress of a long computation, which lets other events in and can be aborted. */
import type { Progress } from "../recording.ts";

/** To be awaited often, with the finished share, 0 to 1. */
export type Tick = (share: number) => Promise<void>;

const APART = 50; // ms

/** A tick that reports progress and, every 50 ms, lets other events in; `signal` aborts there. */
export function ticking(progress: Progress, signal?: AbortSignal): Tick {
  let last = Date.now();
  return async (share) => {
    if (Date.now() - last < APART) return;
    progress(share);
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    last = Date.now();
  };
}

/** Ticks of a part of a computation, from one share of it to another. */
export function part(tick: Tick, from: number, to: number): Tick {
  return (share) => tick(from + (to - from) * share);
}
