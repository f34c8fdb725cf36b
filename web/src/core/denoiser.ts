/** A model, ready to denoise recordings. */
import { type Model, type Preprocessing, readModel } from "./model.ts";
import { Network } from "./network.ts";

/** Bytes, or the response of `fetch` for them. */
export type Source = BufferSource | Response | Promise<Response>;

export class Denoiser {
  /** Name of the model. */
  readonly name: string;
  readonly network: Network;
  readonly settings: Preprocessing;

  constructor(module: WebAssembly.Module, model: Model) {
    this.name = model.name;
    this.network = new Network(module, model.architecture, model.tensors);
    this.settings = model.preprocessing;
  }

  /**
   * Open a model file, to be run by ipmdae.wasm.
   *
   *     const denoiser = await Denoiser.open(fetch("ipmdae.wasm"), fetch("ipmdae-base.safetensors"));
   *
   * Throws an Error that says what is wrong with a file.
   */
  static async open(wasm: Source, model: Source): Promise<Denoiser> {
    const [code, file] = await Promise.all([bytes(wasm), bytes(model)]);
    return new Denoiser(await WebAssembly.compile(code), readModel(file));
  }
}

async function bytes(source: Source): Promise<ArrayBuffer> {
  const given = await source;
  if (given instanceof ArrayBuffer) return given;
  if (ArrayBuffer.isView(given))
    return given.buffer.slice(given.byteOffset, given.byteOffset + given.byteLength);
  if (!given.ok) throw new Error(`${given.url}: ${given.status} ${given.statusText}`);
  return given.arrayBuffer();
}
