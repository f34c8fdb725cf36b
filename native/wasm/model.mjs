// Model files: safetensors whose metadata tell of the network. As in ipmdae.engine.model_file.

const FORMAT = "ipmdae-1";
// Arguments of a network, see Architecture in Python, and what they are where a file says nothing.
const DEFAULTS = {
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

/**
 * Read a model file.
 *
 * @param {ArrayBuffer} buffer the file
 * @returns {{name: string, architecture: object, preprocessing: object, card: object,
 *     tensors: Float32Array[]}} the tensors are in the order in which the network takes them
 * @throws {Error} the file is damaged or holds no such model; the message names what is at fault
 */
export function readModel(buffer) {
  const { header, data } = readHeader(buffer);
  const metadata = header.__metadata__ ?? {};
  if (metadata.format !== FORMAT)
    throw new Error(`no model file of ipmdae: format is ${metadata.format}, expected ${FORMAT}`);
  const architecture = readArchitecture(jsonField(metadata, "architecture"));
  const shapes = expectedShapes(architecture);
  const surplus = Object.keys(header).find((name) => name !== "__metadata__" && !shapes.has(name));
  if (surplus !== undefined)
    throw new Error(`tensor ${surplus} has no place in this architecture`);
  return {
    name: metadata.name,
    architecture,
    preprocessing: readPreprocessing(jsonField(metadata, "preprocessing")),
    card: jsonField(metadata, "card"),
    tensors: [...shapes].map(([name, shape]) => readTensor(buffer, data, header[name], name, shape)),
  };
}

/** Channels that a network gives for each sample: its leads, then the uncertainty of each. */
export function outputs(architecture) {
  return architecture.leads * (architecture.uncertainty ? 2 : 1);
}

/** The architecture as the numbers that ipmdae_network_open reads, see native/ipmdae.h. */
export function description(architecture) {
  const a = architecture;
  const flags = [
    a.attention === "figure",
    a.fusion === "figure",
    a.unused_projections,
    a.residual,
    a.uncertainty,
  ];
  return Int32Array.of(
    a.leads, a.kernel, a.pool_cap ?? 0, a.d_state, a.d_conv, a.expand,
    ...flags.map(Number), a.channels.length, ...a.channels, ...a.branches,
  );
}

/** Name and shape of every tensor in order; as in ipmdae.engine.shapes. */
function expectedShapes(a) {
  const shapes = new Map();
  const inputs = [a.leads, ...a.channels];
  a.channels.forEach((channels, k) => {
    shapes.set(`encoder.${k}.weight`, [channels, inputs[k], a.kernel]);
    shapes.set(`encoder.${k}.bias`, [channels]);
  });
  a.branches.forEach((branches, k) => {
    if (branches) skipShapes(shapes, a, k);
  });
  const widths = [...a.channels].reverse().concat(outputs(a));
  a.channels.forEach((_, k) => {
    shapes.set(`decoder.${k}.weight`, [widths[k], widths[k + 1], a.kernel]);
    shapes.set(`decoder.${k}.bias`, [widths[k + 1]]);
  });
  return shapes;
}

function skipShapes(shapes, a, k) {
  const channels = a.channels[k];
  const width = channels / a.branches[k];
  const inner = a.expand * width;
  const rank = Math.ceil(width / 16);
  const set = (name, ...shape) => shapes.set(`skips.${k}.${name}`, shape);
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
function readHeader(buffer) {
  const length = buffer.byteLength < 8 ? Infinity : new DataView(buffer).getBigUint64(0, true);
  const data = 8 + Number(length);
  if (data > buffer.byteLength) throw new Error("no readable safetensors file: it ends too early");
  const header = parse(new TextDecoder().decode(new Uint8Array(buffer, 8, data - 8)), "header");
  return { header, data };
}

function readTensor(buffer, data, entry, name, shape) {
  const expected = `(${shape.join(", ")})`;
  if (!entry) throw new Error(`tensor ${name} ${expected} is missing`);
  if (entry.dtype !== "F32")
    throw new Error(`tensor ${name} is stored as ${entry.dtype}, expected F32 (float32)`);
  if (String(entry.shape) !== String(shape))
    throw new Error(`tensor ${name} has shape (${entry.shape}), expected ${expected}`);
  const [begin, end] = entry.data_offsets ?? [];
  const bytes = 4 * shape.reduce((product, size) => product * size, 1);
  if (!(begin >= 0) || end - begin !== bytes || data + end > buffer.byteLength)
    throw new Error(`tensor ${name} lies outside of the file`);
  const tensor = new Float32Array(buffer.slice(data + begin, data + end));
  if (!tensor.every(Number.isFinite))
    throw new Error(`tensor ${name} holds NaN or infinite weights`);
  return tensor;
}

function readArchitecture(values) {
  const unknown = Object.keys(values).find((name) => !(name in DEFAULTS));
  if (unknown !== undefined)
    throw new Error(`architecture: ${unknown} is unknown; take a newer version of this module`);
  const architecture = { ...DEFAULTS, ...values };
  const isSize = (value, least = 1) => Number.isInteger(value) && value >= least && value <= 2 ** 20;
  for (const name of ["leads", "kernel", "d_state", "d_conv", "expand"])
    if (!isSize(architecture[name]))
      throw new Error(`architecture: ${name} must be whole and at least 1`);
  const { channels, branches } = architecture;
  const fit =
    Array.isArray(channels) && channels.every((size) => isSize(size)) &&
    Array.isArray(branches) && branches.length === channels.length - 1 &&
    branches.every((n, k) => isSize(n, 0) && (n === 0 || channels[k] % n === 0));
  if (!fit) throw new Error("architecture: channels and branches do not fit together");
  return architecture;
}

function readPreprocessing(settings) {
  const { fs, window, overlap, scaling } = settings;
  if (!(fs > 0) || !(overlap >= 0) || !(overlap < window) || window % 1 || overlap % 1)
    throw new Error("preprocessing: fs, window or overlap is out of range");
  if (scaling !== "robust") throw new Error(`preprocessing: scaling ${scaling} is unknown`);
  return settings;
}

function jsonField(metadata, name) {
  if (!(name in metadata)) throw new Error(`metadata field ${name} is missing`);
  return parse(metadata[name], `metadata field ${name}`);
}

function parse(text, what) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${what} is no JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${what} is no JSON object`);
  return value;
}
