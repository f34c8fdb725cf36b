// Cleans ECG in browsers and in Node, by the native core as WebAssembly.
//
//     import { Denoiser } from "./ipmdae.mjs";
//     const denoiser = await Denoiser.open(fetch("ipmdae.wasm"), fetch("ipmdae-base.safetensors"));
//     const cleaned = denoiser.denoise(lead, 250);     // Float32Array in mV, at denoiser.fs Hz
//
// The result is that of the Python package on a recording at the network's own rate.

import { description, outputs, readModel } from "./model.mjs";
import {
  MIN_SPREAD, OverlapAdd, cut, fillGaps, offset, robustScale, spread, windowEnds,
} from "./signal.mjs";

const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/** A network alone: windows in, windows out. */
export class Network {
  #exports;
  #handle;

  /**
   * @param {WebAssembly.Module} module the compiled ipmdae.wasm
   * @param {object} architecture as {@link readModel} gives it
   * @param {Float32Array[]} tensors likewise
   * @throws {Error} the architecture is none that the library runs, or of other tensors
   */
  constructor(module, architecture, tensors) {
    this.architecture = architecture;
    this.outputs = outputs(architecture);
    this.#exports = new WebAssembly.Instance(module).exports;
    this.#exports._initialize();
    this.#handle = this.#open(description(architecture), tensors);
  }

  /**
   * @param {Float32Array} windows (batch, time, leads), scaled as the model's preprocessing says
   * @param {number} samples of each window
   * @returns {Float32Array} (batch, time, outputs)
   * @throws {RangeError} the array does not hold whole windows
   */
  run(windows, samples) {
    const batch = windows.length / (samples * this.architecture.leads);
    if (!Number.isInteger(batch))
      throw new RangeError(`${windows.length} values are no whole windows of ${samples} samples`);
    const size = batch * samples * this.outputs;
    return this.#withMemory([windows.byteLength, size * FLOAT], ([x, y]) => {
      this.#floats(x, windows.length).set(windows);
      this.#check(this.#exports.ipmdae_network_run(
        this.#handle, x, BigInt(windows.length), y, BigInt(size), BigInt(batch), BigInt(samples)));
      return this.#floats(y, size).slice();
    });
  }

  #open(numbers, tensors) {
    const floats = BigInt64Array.from(tensors, (tensor) => BigInt(tensor.length));
    const bytes = [numbers.byteLength, 4 * tensors.length, floats.byteLength, 4];
    bytes.push(...tensors.map((tensor) => tensor.byteLength));
    return this.#withMemory(bytes, ([text, list, sizes, result, ...weights]) => {
      const { memory, ipmdae_network_open } = this.#exports;
      new Int32Array(memory.buffer, text, numbers.length).set(numbers);
      new Uint32Array(memory.buffer, list, tensors.length).set(weights);
      new BigInt64Array(memory.buffer, sizes, floats.length).set(floats);
      tensors.forEach((tensor, i) => this.#floats(weights[i], tensor.length).set(tensor));
      this.#check(ipmdae_network_open(
        text, BigInt(numbers.length), list, sizes, BigInt(tensors.length), result));
      return new Uint32Array(memory.buffer, result, 1)[0];
    });
  }

  /** Calls body(addresses) with memory of these sizes in bytes, which is free again after it. */
  #withMemory(sizes, body) {
    const addresses = sizes.map((size) => this.#exports.malloc(size));
    try {
      if (addresses.includes(0)) throw new RangeError("not enough memory: pass fewer windows");
      return body(addresses);
    } finally {
      addresses.forEach((address) => this.#exports.free(address));
    }
  }

  /** A view, valid until memory is allocated again. */
  #floats(address, length) {
    return new Float32Array(this.#exports.memory.buffer, address, length);
  }

  #check(status) {
    if (status === 1) throw new Error("these tensors or windows are none of this architecture");
    if (status === 2) throw new RangeError("the windows are too long for the memory");
  }
}

/**
 * A model, ready to clean signals.
 *
 * name, fs (Hz), leads: the model's name, its rate, and how many leads it cleans at once.
 */
export class Denoiser {
  /**
   * @param {BufferSource|Response|Promise<Response>} wasm the bytes of ipmdae.wasm, or what fetch
   *     gives for it
   * @param {BufferSource|Response|Promise<Response>} model those of a model file
   * @throws {Error} a file cannot be read; the message says what is wrong with it
   */
  static async open(wasm, model) {
    const [code, file] = await Promise.all([bytes(wasm), bytes(model)]);
    return new Denoiser(await WebAssembly.compile(code), readModel(file));
  }

  constructor(module, model) {
    this.network = new Network(module, model.architecture, model.tensors);
    this.settings = model.preprocessing;
    this.name = model.name;
    this.fs = model.preprocessing.fs;
    this.leads = model.architecture.leads;
  }

  /**
   * Clean a signal.
   *
   * @param {Float32Array} signal (time, leads) in mV, leads as many as the model's: for a model of
   *     one lead, call once for each. NaN is a missing sample and stays one.
   * @param {number} fs its rate in Hz, which must be the model's
   * @returns {Float32Array} (time, leads) in mV; a flat lead comes back unchanged
   * @throws {RangeError} another rate, or an array that is not (time, leads)
   */
  denoise(signal, fs) {
    return this.clean(signal, fs).cleaned;
  }

  /**
   * Clean a signal and tell how sure the network is.
   *
   * Parameters and errors as of {@link denoise}.
   *
   * @returns {{cleaned: Float32Array, spread: Float32Array|null}} both (time, leads) in mV; spread
   *     is the standard deviation of the network's error, NaN where nothing was cleaned, infinite
   *     where the network gave no finite number and the sample is as it was; null for a model that
   *     does not tell
   */
  clean(signal, fs) {
    if (fs !== this.fs)
      throw new RangeError(`${this.name} works at ${this.fs} Hz: resample the signal of ${fs} Hz`);
    if (!signal.length || signal.length % this.leads)
      throw new RangeError(`${signal.length} values are no signal of ${this.leads} leads`);
    const noisy = deinterleave(signal, this.leads);
    const active = noisy.map((lead) => spread(lead) > MIN_SPREAD);
    const offsets = noisy.map((lead, i) => (active[i] ? offset(lead, fs) : 0));
    const results = this.#clean(noisy.map((lead, i) => lead.map((x) => x - offsets[i])));
    const merge = (pick, idle) =>
      interleave(noisy.map((lead, i) =>
        lead.map((x, t) => (Number.isNaN(x) || !active[i] ? idle(x) : pick(i, t)))));
    return {
      cleaned: merge((i, t) => results[i].signal[t] + offsets[i], (x) => x),
      spread: this.network.outputs > this.leads
        ? merge((i, t) => uncertainty(results[this.leads + i].signal[t]), () => NaN)
        : null,
    };
  }

  /** Runs leads that lie around zero through the network; an OverlapAdd for each output. */
  #clean(leads) {
    const { window, overlap } = this.settings;
    const length = leads[0].length;
    const filled = leads.map((lead) => fillGaps(lead, this.fs));
    const adders = Array.from(
      { length: this.network.outputs }, () => new OverlapAdd(length, overlap));
    for (const end of windowEnds(length, window, overlap)) {
      const known = leads.map((lead) => cut(lead, end, window, this.fs));
      const windows = filled.map((lead) => cut(lead, end, window, this.fs));
      this.#cleanWindow(known, windows).forEach((values, i) => adders[i].add(values, end));
    }
    return adders;
  }

  /** One window of each lead, with gaps and without, to one of each output. */
  #cleanWindow(known, windows) {
    const flat = windows.map((values) => spread(values) <= MIN_SPREAD);
    const scales = known.map(robustScale);
    const scaled = windows.map((values, i) =>
      values.map((x) => (x - scales[i].offset) / scales[i].scale));
    const results = flat.every(Boolean)
      ? new Float32Array(windows[0].length * this.network.outputs)
      : this.network.run(interleave(scaled), windows[0].length);
    const outputs = deinterleave(results, this.network.outputs).map((values, i) => {
      const lead = i % this.leads;
      const { scale } = scales[lead];
      if (i < this.leads) return flat[lead] ? windows[lead] : values.map((x) => x * scale);
      return values.map((x) => (flat[lead] ? 0 : Math.exp(x) * scale));
    });
    keepInput(outputs, windows);
    return outputs;
  }
}

/** Spread where the network fails: finite, so that it blends, and larger than any. */
const FAILED = 1e30;

/** Puts the signal in place of what is not finite of a window's outputs: signals, then spreads. */
function keepInput(outputs, windows) {
  windows.forEach((window, lead) => {
    const own = [outputs[lead], outputs[windows.length + lead]].filter(Boolean);
    for (let t = 0; t < window.length; t++) {
      if (own.every((values) => Number.isFinite(values[t]))) continue;
      own[0][t] = window[t];
      if (own[1]) own[1][t] = FAILED;
    }
  });
}

function uncertainty(spread) {
  return spread > FAILED / 1e6 ? Infinity : Math.max(spread, 0);
}

/** Columns of (time, columns). */
function deinterleave(values, columns) {
  return Array.from({ length: columns }, (_, i) =>
    Float32Array.from({ length: values.length / columns }, (_, t) => values[t * columns + i]));
}

function interleave(columns) {
  const result = new Float32Array(columns.length * columns[0].length);
  columns.forEach((values, i) =>
    values.forEach((x, t) => (result[t * columns.length + i] = x)));
  return result;
}

async function bytes(source) {
  const given = await source;
  if (given instanceof ArrayBuffer) return given;
  if (ArrayBuffer.isView(given))
    return given.buffer.slice(given.byteOffset, given.byteOffset + given.byteLength);
  if (!given.ok) throw new Error(`${given.url}: ${given.status} ${given.statusText}`);
  return given.arrayBuffer();
}
