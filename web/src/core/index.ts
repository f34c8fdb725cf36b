/** Denoising of ECG recordings in browsers and in Node, as by the Python package. */
export type * from "../recording.ts";
export { DEFAULTS, denoise } from "./denoise.ts";
export { Denoiser, type Source } from "./denoiser.ts";
export { type Architecture, type Model, type Preprocessing, readModel } from "./model.ts";
export { Network } from "./network.ts";
