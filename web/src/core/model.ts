/** Model files: safetensors whose metadata describe the network, as in ipmdae.engine.model_file. */

const FORMAT = "ipmdae-1";

/** Arguments of a network, see ipmdae.architecture.Architecture. */
export interface Architecture {
  leads: number;
  channels: number[];
  branches: number[];
  kernel: number;
  pool_cap: number | null;
  d_state: number;
  d_conv: number;
  expand: number;
  attention: string;
  fusion: string;
  unused_projections: boolean;
  residual: boolean;
  uncertainty: boolean;
}

/** Processing before and after the network: `fs` in Hz, `window` and `overlap` in samples. */
export interface Preprocessing {
  fs: number;
  window: number;
  overlap: number;
  scaling: string;
}

/** Content of a model file; the tensors are in the order in which the network takes them. */
export interface Model {
  name: string;
  architecture: Architecture;
  preprocessing: Preprocessing;
  card: Record<string, unknown>;
  tensors: Float32Array[];
}

type Json = Record<string, unknown>;

/** Arguments that a file leaves out. */
const DEFAULTS: Architecture = {
  leads: 2,
  channels: [32, 64, 128, 256, 512],
  branches: [1, 2, 4, 8],
  kernel: 3,
  pool_cap: 4,
  d_state: 16,
  d_conv: 4,
  expand: 2,
  attention: "code",
  fusion: "code",
  unused_projections: false,
  residual: false,
  uncertainty: false,
};

/** Read a model file. Throws an Error that names what is damaged or missing. */
export function readModel(buffer: ArrayBuffer): Model {
  const { header, data } = readHeader(buffer);
  const metadata = (header["__metadata__"] ?? {}) as Json;
  if (metadata["format"] !== FORMAT)
    throw new Error(`no model file of ipmdae: format is ${metadata["format"]}, expected ${FORMAT}`);
  const architecture = readArchitecture(jsonField(metadata, "architecture"));
  const shapes = expectedShapes(architecture);
  const surplus = Object.keys(header).find((name) => name !== "__metadata__" && !shapes.has(name));
  if (surplus !== undefined) throw new Error(`tensor ${surplus} has no place in this architecture`);
  return {
    name: String(metadata["name"]),
    architecture,
    preprocessing: readPreprocessing(jsonField(metadata, "preprocessing")),
    card: jsonField(metadata, "card"),
    tensors: [...shapes].map(([name, shape]) =>
      readTensor(buffer, data, header[name] as Json | undefined, name, shape),
    ),
  };
}

/** Output channels of a network: its leads, then the uncertainty of each. */
export function outputsOf(architecture: Architecture): number {
  return architecture.leads * (architecture.uncertainty ? 2 : 1);
}

/** The architecture as the numbers that ipmdae_network_open reads, see native/ipmdae.h. */
export function description(a: Architecture): Int32Array {
  const flags = [
    a.attention === "figure",
    a.fusion === "figure",
    a.unused_projections,
    a.residual,
    a.uncertainty,
  ].map(Number);
  const sizes = [a.leads, a.kernel, a.pool_cap ?? 0, a.d_state, a.d_conv, a.expand];
  return Int32Array.of(...sizes, ...flags, a.channels.length, ...a.channels, ...a.branches);
}

/** Name and shape of every tensor in order; as in ipmdae.engine.shapes. */
function expectedShapes(a: Architecture): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const inputs = [a.leads, ...a.channels];
  a.channels.forEach((channels, k) => {
    shapes.set(`encoder.${k}.weight`, [channels, inputs[k], a.kernel]);
    shapes.set(`encoder.${k}.bias`, [channels]);
  });
  a.branches.forEach((branches, k) => {
    if (branches) skipShapes(shapes, a, k);
  });
  const widths = [...a.channels].reverse().concat(outputsOf(a));
  a.channels.forEach((_, k) => {
    shapes.set(`decoder.${k}.weight`, [widths[k], widths[k + 1], a.kernel]);
    shapes.set(`decoder.${k}.bias`, [widths[k + 1]]);
  });
  return shapes;
}

function skipShapes(shapes: Map<string, number[]>, a: Architecture, k: number): void {
  const channels = a.channels[k];
  const width = channels / a.branches[k];
  const inner = a.expand * width;
  const rank = Math.ceil(width / 16);
  const set = (name: string, ...shape: number[]) => shapes.set(`skips.${k}.${name}`, shape);
  set("norm.weight", channels);
  set("norm.bias", channels);
  set("skip_scale", 1);
  for (let n = 0; n < a.branches[k]; n++) {
    set(`project.${n}.weight`, width, channels);
    set(`attention.${n}.squeeze.weight`, width, width);
    set(`attention.${n}.excite.weight`, width, width);
    set(`A_log_forward.${n}`, inner, a.d_state);
    set(`A_log_backward.${n}`, inner, a.d_state);
  }
  if (a.fusion === "figure" || a.unused_projections)
    for (const role of ["query", "key", "value"]) set(`fusion.${role}.weight`, width, width);
  for (const block of ["mamba_forward", "mamba_backward"]) {
    set(`${block}.in_proj.weight`, 2 * inner, width);
    set(`${block}.conv1d.weight`, inner, a.d_conv);
    set(`${block}.conv1d.bias`, inner);
    set(`${block}.x_proj.weight`, rank + 2 * a.d_state, inner);
    set(`${block}.dt_proj.weight`, inner, rank);
    set(`${block}.dt_proj.bias`, inner);
    set(`${block}.D`, inner);
    set(`${block}.out_proj.weight`, width, inner);
  }
}

/** The header of a safetensors file: 8 bytes of its length, JSON; the tensors' bytes follow. */
function readHeader(buffer: ArrayBuffer): { header: Json; data: number } {
  const length = buffer.byteLength < 8 ? Infinity : new DataView(buffer).getBigUint64(0, true);
  const data = 8 + Number(length);
  if (data > buffer.byteLength) throw new Error("no readable safetensors file: it ends too early");
  const header = parse(new TextDecoder().decode(new Uint8Array(buffer, 8, data - 8)), "header");
  return { header, data };
}

function readTensor(
  buffer: ArrayBuffer,
  data: number,
  entry: Json | undefined,
  name: string,
  shape: number[],
): Float32Array {
  const expected = `(${shape.join(", ")})`;
  if (!entry) throw new Error(`tensor ${name} ${expected} is missing`);
  if (entry["dtype"] !== "F32")
    throw new Error(`tensor ${name} is stored as ${entry["dtype"]}, expected F32 (float32)`);
  if (String(entry["shape"]) !== String(shape))
    throw new Error(`tensor ${name} has shape (${entry["shape"]}), expected ${expected}`);
  const [begin, end] = (entry["data_offsets"] ?? []) as number[];
  const bytes = 4 * shape.reduce((product, size) => product * size, 1);
  if (!(begin >= 0) || end - begin !== bytes || data + end > buffer.byteLength)
    throw new Error(`tensor ${name} lies outside of the file`);
  const tensor = new Float32Array(buffer.slice(data + begin, data + end));
  if (!tensor.every(Number.isFinite))
    throw new Error(`tensor ${name} holds NaN or infinite weights`);
  return tensor;
}

function readArchitecture(values: Json): Architecture {
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(DEFAULTS, name));
  if (unknown !== undefined)
    throw new Error(`architecture: ${unknown} is unknown; take a newer version of this module`);
  const architecture = { ...DEFAULTS, ...values } as Architecture;
  const isSize = (value: number, least = 1) =>
    Number.isInteger(value) && value >= least && value <= 2 ** 20;
  for (const name of ["leads", "kernel", "d_state", "d_conv", "expand"] as const)
    if (!isSize(architecture[name]))
      throw new Error(`architecture: ${name} must be whole and at least 1`);
  const { channels, branches } = architecture;
  const fit =
    Array.isArray(channels) &&
    channels.every((size) => isSize(size)) &&
    Array.isArray(branches) &&
    branches.length === channels.length - 1 &&
    branches.every((n, k) => isSize(n, 0) && (n === 0 || channels[k] % n === 0));
  if (!fit) throw new Error("architecture: channels and branches do not fit together");
  return architecture;
}

function readPreprocessing(values: Json): Preprocessing {
  const settings = values as unknown as Preprocessing;
  const { fs, window, overlap, scaling } = settings;
  if (!(fs > 0) || !(overlap >= 0) || !(overlap < window) || window % 1 || overlap % 1)
    throw new Error("preprocessing: fs, window or overlap is out of range");
  if (scaling !== "robust") throw new Error(`preprocessing: scaling ${scaling} is unknown`);
  return settings;
}

function jsonField(metadata: Json, name: string): Json {
  if (!(name in metadata)) throw new Error(`metadata field ${name} is missing`);
  return parse(String(metadata[name]), `metadata field ${name}`);
}

function parse(text: string, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${what} is no JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${what} is no JSON object`);
  return value as Json;
}
