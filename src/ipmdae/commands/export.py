"""The command ``ipmdae export``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipmdae.console import out

if TYPE_CHECKING:
    from ipmdae.engine import ModelFile


class Target(str, Enum):
    """Export formats of a model."""

    ONNX = "onnx"
    C = "c"


class Weights(str, Enum):
    """Storage of the weights in C."""

    FLOAT32 = "float32"
    INT8 = "int8"


def export(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see: ipmdae models), or a model file.")
    ],
    to: Annotated[
        Target,
        typer.Option(
            help="Format to write: onnx, for any batch size and length; c, a header and a source "
            "for microcontrollers."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write (c: folder); created with its parent folders."
        ),
    ],
    weights: Annotated[
        Weights | None, typer.Option(help="Storage of the weights in C (default: float32).")
    ] = None,
    max_latency: Annotated[
        float | None,
        typer.Option(help="Longest latency in seconds of the C code (default: 2)."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Export a model for other runtimes: ONNX, or C99 for microcontrollers."""
    from ipmdae.engine import find_model, read_model

    source = find_model(model)
    contents = read_model(source)
    if to is Target.C:
        _to_c(output, contents, weights or Weights.FLOAT32, max_latency, overwrite)
        return
    if weights is not None or max_latency is not None:
        raise ValueError("--weights and --max-latency are for --to c only")
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a file in it")
    _check_free(output, overwrite and not (output.exists() and output.samefile(source)))
    from ipmdae.engine.onnx import difference
    from ipmdae.engine.onnx_export import write_onnx

    deviations = difference(contents)
    out.print(f"ONNX Runtime is within {deviations:.1e} standard deviations of the original")
    write_onnx(output, contents)
    out.print(f"written to {output}", markup=False)


def _to_c(
    folder: Path, model: ModelFile, weights: Weights, max_latency: float | None, overwrite: bool
) -> None:
    from ipmdae.embedded import LATENCY, file_names, write_c

    files = [folder / name for name in file_names(model)]
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: name a folder for {files[0].name}")
    for file in files:
        _check_free(file, overwrite)
    seconds = LATENCY if max_latency is None else max_latency
    exported = write_c(folder, model, weights=weights.value, max_latency=seconds)
    sizes = f"{exported.constants / 1e3:.0f} kB of constants, {exported.state / 1e3:.0f} kB of RAM"
    out.print(f"written to {files[0]} and {files[1]}: {sizes} and the stack", markup=False)


def _check_free(file: Path, overwrite: bool) -> None:
    if file.exists() and not overwrite:
        raise FileExistsError(f"{file} exists: choose another name, or add --overwrite")
