/** A network alone, run by ipmdae.wasm: windows in, windows out. */
import { type Architecture, description, outputsOf } from "./model.ts";

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

interface Exports {
  memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(address: number): void;
  ipmdae_network_open(
    architecture: number,
    numbers: bigint,
    tensors: number,
    sizes: number,
    count: bigint,
    network: number,
  ): number;
  ipmdae_network_run(
    network: number,
    input: number,
    inputs: bigint,
    output: number,
    outputs: bigint,
    batch: bigint,
    samples: bigint,
  ): number;
}

export class Network {
  readonly architecture: Architecture;
  /** Channels that it gives for each sample. */
  readonly outputs: number;
  readonly #exports: Exports;
  readonly #handle: number;

  /**
   * Open a network of `architecture`, whose weights are `tensors`, see readModel.
   *
   * Throws an Error where the tensors do not fit the architecture.
   */
  constructor(module: WebAssembly.Module, architecture: Architecture, tensors: Float32Array[]) {
    this.architecture = architecture;
    this.outputs = outputsOf(architecture);
    const exports = new WebAssembly.Instance(module).exports;
    (exports["_initialize"] as () => void)();
    this.#exports = exports as unknown as Exports;
    this.#handle = this.#open(description(architecture), tensors);
  }

  /**
   * Run windows (batch, time, leads) of `samples` samples each through the network.
   *
   * Returns (batch, time, outputs). Throws a RangeError for an array that does not hold whole
   * windows, or one that is too large for the memory.
   */
  run(windows: Float32Array, samples: number): Float32Array {
    const batch = windows.length / (samples * this.architecture.leads);
    if (!Number.isInteger(batch))
      throw new RangeError(`${windows.length} values are no whole windows of ${samples} samples`);
    const size = batch * samples * this.outputs;
    return this.#withMemory([windows.byteLength, size * FLOAT], ([x, y]) => {
      this.#floats(x, windows.length).set(windows);
      this.#check(
        this.#exports.ipmdae_network_run(
          this.#handle,
          x,
          BigInt(windows.length),
          y,
          BigInt(size),
          BigInt(batch),
          BigInt(samples),
        ),
      );
      return this.#floats(y, size).slice();
    });
  }

  #open(numbers: Int32Array, tensors: Float32Array[]): number {
    const floats = BigInt64Array.from(tensors, (tensor) => BigInt(tensor.length));
    const bytes = [numbers.byteLength, 4 * tensors.length, floats.byteLength, 4];
    bytes.push(...tensors.map((tensor) => tensor.byteLength));
    return this.#withMemory(bytes, ([text, list, sizes, result, ...weights]) => {
      const { memory, ipmdae_network_open } = this.#exports;
      new Int32Array(memory.buffer, text, numbers.length).set(numbers);
      new Uint32Array(memory.buffer, list, tensors.length).set(weights);
      new BigInt64Array(memory.buffer, sizes, floats.length).set(floats);
      tensors.forEach((tensor, i) => this.#floats(weights[i], tensor.length).set(tensor));
      this.#check(
        ipmdae_network_open(
          text,
          BigInt(numbers.length),
          list,
          sizes,
          BigInt(tensors.length),
          result,
        ),
      );
      return new Uint32Array(memory.buffer, result, 1)[0];
    });
  }

  /** Call `body` with addresses of memory of these sizes in bytes, which is freed after it. */
  #withMemory<T>(sizes: number[], body: (addresses: number[]) => T): T {
    const addresses = sizes.map((size) => this.#exports.malloc(size));
    try {
      if (addresses.includes(0)) throw new RangeError("not enough memory: pass fewer windows");
      return body(addresses);
    } finally {
      addresses.forEach((address) => this.#exports.free(address));
    }
  }

  /** A view, valid until memory is allocated again. */
  #floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#exports.memory.buffer, address, length);
  }

  #check(status: number): void {
    if (status === 1) throw new Error("these tensors or windows are none of this architecture");
    if (status === 2) throw new RangeError("the windows are too long for the memory");
  }
}
