"""Header and source of a network, from their templates ``denoiser.h`` and ``denoiser.c``."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ipmdae import __version__
from ipmdae.architecture import Architecture, lengths
from ipmdae.embedded.constants import Constants
from ipmdae.embedded.memory import CHUNK, ROWS, Memory, plan, widest_pooling
from ipmdae.engine import ModelFile
from ipmdae.engine.model_file import check_tensors
from ipmdae.files import replacing_together
from ipmdae.methods.network import Network
from ipmdae.pipeline.window import MIN_SPREAD, Framing

LATENCY = 2.0
"""Default latency in seconds: SNR is that of longer latencies within 0.1 dB."""

Weights = Literal["float32", "int8"]


class Exported(NamedTuple):
    """Sizes of an exported network in bytes.

    Attributes:
        constants: arrays of weights, in flash; the code comes on top.
        state: the struct of a lead, in RAM; the stack comes on top.
    """

    constants: int
    state: int


def file_names(model: ModelFile) -> tuple[str, str]:
    """Names of header and source of a model, such as ``ipmdae_nano.h`` and ``ipmdae_nano.c``."""
    name = re.sub(r"\W", "_", model.name, flags=re.ASCII)
    return f"{name}.h", f"{name}.c"


def write_c(
    folder: str | os.PathLike[str],
    model: ModelFile,
    *,
    weights: Weights = "float32",
    max_latency: float = LATENCY,
) -> Exported:
    """Write a model as a C99 header and source; an interruption leaves the old files or the new.

    Args:
        folder: where to write :func:`file_names`; created if missing.
        model: a model of one lead.
        weights: ``"int8"`` stores linear maps and convolutions as 8-bit integers, with a step for
            each output channel; the arithmetic is in float32 all the same.
        max_latency: longest latency in seconds, as of :class:`ipmdae.Streamer`.

    Raises:
        ValueError: C does not have the model's architecture, or the latency is too short or not
            less than the model's window.

    Example:
        >>> from ipmdae.engine import model_path, read_model
        >>> write_c("firmware", read_model(model_path("ipmdae-nano")))
        Exported(constants=79096, state=53048)
    """
    architecture = model.architecture
    check_tensors(model.tensors, architecture, f"model {model.name}")
    framing = framing_of(model, max_latency)
    _check(architecture, framing)
    memory = plan(architecture, framing.window, framing.latency)
    constants = Constants(architecture, model.tensors, quantised=weights == "int8")
    place = (np.arange(framing.fade) + 0.5) / framing.fade
    constants.array("rise", (np.sin(np.pi / 2 * place) ** 2).astype(np.float32))
    state = _state_bytes(framing, memory)
    header, source = file_names(model)
    name = _printable(model.name)
    values = {
        "about": f"{name} in {weights}, by ultralight-ipm-dae {__version__} (MIT licence).",
        "header": header,
        "kilobytes": f"{state / 1000:.0f}",
        "settings": _settings(name, model.preprocessing.fs, framing, memory),
        "constants": _constants(architecture, memory, constants),
        "weights": "\n".join(constants.lines),
    }
    with replacing_together(folder, last=".h") as aside:
        for template, file in (("denoiser.h", header), ("denoiser.c", source)):
            text = Path(__file__).with_name(template).read_text(encoding="utf-8")
            (aside / file).write_text(re.sub(r"@(\w+)@", lambda found: values[found[1]], text))
    return Exported(constants.bytes, state)


def framing_of(model: ModelFile, max_latency: float) -> Framing:
    """Positions of the windows, those of a live signal.

    Raises:
        ValueError: the latency is too short, not less than the window, or NaN.
    """
    if math.isnan(max_latency):
        raise ValueError("the latency must be a number of seconds, got NaN")
    fs = model.preprocessing.fs
    framing = Network(model, max_latency=max_latency).framing(fs)
    if framing.latency >= framing.window:
        raise ValueError(
            f"a latency of {max_latency:g} s is too long for C: choose less than the window of "
            f"{framing.window / fs:g} s"
        )
    return framing


def _check(architecture: Architecture, framing: Framing) -> None:
    if architecture.leads != 1:
        raise ValueError(f"C has networks of one lead only; this one has {architecture.leads}")
    if "figure" in (architecture.attention, architecture.fusion):
        raise ValueError('C has no networks with attention or fusion "figure", "code" only')
    *_, deepest_module, _ = (framing.shortest, *lengths(architecture, framing.shortest))
    if deepest_module < widest_pooling(architecture):
        raise ValueError("C has no networks whose windows are shorter than their pooling")


def _state_bytes(framing: Framing, memory: Memory) -> int:
    """Size of the struct ``ipmdae``: its floats, a bit for each sample, and six integers."""
    floats = framing.window + 2 * framing.fade + memory.total
    return 4 * (floats + -(-framing.window // 32) + 6)


def _printable(name: str) -> str:
    """A model's name without what ends a string or a comment in C."""
    return re.sub(r'[^ -~]|["\\/]', "?", name)


def _settings(name: str, fs: float, framing: Framing, memory: Memory) -> str:
    return _defines(
        {
            "IPMDAE_MODEL": f'"{name}"',
            "IPMDAE_RATE": f"{fs:g}",
            "IPMDAE_WINDOW": framing.window,
            "IPMDAE_LATENCY": framing.latency,
            "IPMDAE_HOP": framing.hop,
            "IPMDAE_FADE": framing.fade,
            "IPMDAE_MARGIN": framing.margin,
            "IPMDAE_SHORTEST": framing.shortest,
            "IPMDAE_WORK": memory.total,
        }
    )


def _constants(architecture: Architecture, memory: Memory, constants: Constants) -> str:
    tables = {
        "level_channels": (1, *architecture.channels),
        "level_offset": memory.levels,
        "decoded_offset": memory.decoded,
    }
    defines = {
        "INT8": int(constants.quantised),
        "LEVELS": len(architecture.channels),
        "LEVEL_WHOLE": memory.whole,
        "KERNEL": architecture.kernel,
        "TAPS": architecture.d_conv,
        "STATES": architecture.d_state,
        "POOLING": widest_pooling(architecture),
        "OUTPUTS": architecture.outputs,
        "RESIDUAL": int(architecture.residual),
        "FLAT": f"{MIN_SPREAD:g}f",
        "CHUNK": CHUNK,
        "ROWS": ROWS,
        "SCRATCH": memory.scratch,
        "MOST_COLUMNS": constants.most_columns,
    }
    arrays = (
        f"static const int {name}[] = {{{', '.join(map(str, values))}}};"
        for name, values in tables.items()
    )
    return "\n".join([_defines(defines), *arrays])


def _defines(values: Mapping[str, object]) -> str:
    return "\n".join(f"#define {name} {value}" for name, value in values.items())
