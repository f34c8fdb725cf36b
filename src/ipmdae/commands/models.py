"""The commands ``ipmdae models`` and ``ipmdae export``."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from ipmdae.console import out, warnings_in_one_line

if TYPE_CHECKING:
    from ipmdae.cards import Card
    from ipmdae.engine import ModelFile


def models(
    about: Annotated[
        str | None, typer.Argument(help="Name of a model, or a model file, to describe.")
    ] = None,
) -> None:
    """List the models that ship with the package, or print one model card as JSON."""
    from ipmdae.cards import COST, GAIN, KEPT, read_card
    from ipmdae.engine import model_names, model_path
    from ipmdae.methods import listed

    if about is not None:
        print_card(about)
        return
    table = Table(
        Column("model", no_wrap=True),
        *("leads", "Hz", "window\n(s)", Column("para-\nmeters", no_wrap=True), "MB", "MMAC"),
        *("SNR gain\n(dB)", "clean\nkept (dB)"),
        box=None,
        pad_edge=False,
    )
    for name in model_names():
        with warnings_in_one_line():
            card = read_card(model_path(name))
        preprocessing = card["preprocessing"]
        table.add_row(
            name,
            str(card["architecture"]["leads"]),
            f"{preprocessing['fs']:g}",
            f"{preprocessing['window'] / preprocessing['fs']:g}",
            f"{card['parameters']:,}",
            f"{card['bytes'] / 1e6:.2f}",
            f"{card[COST] / 1e6:.1f}",
            _score(card, GAIN),
            _score(card, KEPT),
        )
    if not table.row_count:
        out.print("no model comes with this package")
        return
    out.print(table)
    out.print(
        "MMAC: million multiply-accumulates for 5 s of a lead. SNR gain over all noise, and SNR of "
        "a clean lead to itself: protocol clinic, test patients. More: ipmdae models NAME",
        markup=False,
    )
    out.print(f"All methods of ipmdae denoise --method: {listed()}", markup=False)


def print_card(model: str) -> None:
    """Print architecture, origin and scores of a model."""
    from ipmdae.cards import read_card
    from ipmdae.engine import find_model

    with warnings_in_one_line():
        card = read_card(find_model(model))
    out.print_json(json.dumps(card, ensure_ascii=False))


def _score(card: Card, name: str) -> str:
    """Main score of a model card; a dash if not measured."""
    from ipmdae.cards import CLINIC

    measured = card.get("scores", {}).get(CLINIC)
    return f"{measured[name]['mean']:.1f}" if isinstance(measured, dict) else "-"


class Target(str, Enum):
    """Export formats of a model."""

    ONNX = "onnx"
    HUB = "hub"
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
            help="Format to write: onnx, for any batch size and length; hub, a folder for a model "
            "hub; c, a header and a source for microcontrollers."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write (hub, c: folder); created with parent folders."
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
    """Export a model for other runtimes: ONNX, a folder for a model hub, C99."""
    from ipmdae.engine import find_model, read_model

    source = find_model(model)
    contents = read_model(source)
    if to is Target.C:
        _to_c(output, contents, weights or Weights.FLOAT32, max_latency, overwrite)
        return
    if weights is not None or max_latency is not None:
        raise ValueError("--weights and --max-latency are for --to c only")
    (_to_hub if to is Target.HUB else _to_onnx)(source, contents, output, overwrite)
    out.print(f"written to {output}", markup=False)


def _to_onnx(source: Path, model: ModelFile, output: Path, overwrite: bool) -> None:
    from ipmdae.commands.outputs import check_free

    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a file in it")
    check_free([output], overwrite, source)
    _check_in_onnx(model)
    from ipmdae.engine.onnx_export import write_onnx

    write_onnx(output, model)


def _to_hub(source: Path, model: ModelFile, output: Path, overwrite: bool) -> None:
    from ipmdae import hub
    from ipmdae.commands.outputs import check_free

    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file: name a folder")
    check_free([output / name for name in hub.FILES], overwrite, source)
    _check_in_onnx(model)
    hub.write_folder(output, source)


def _to_c(
    folder: Path, model: ModelFile, weights: Weights, max_latency: float | None, overwrite: bool
) -> None:
    from ipmdae.commands.outputs import check_free
    from ipmdae.embedded import LATENCY, file_names, write_c

    files = [folder / name for name in file_names(model)]
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: name a folder for {files[0].name}")
    check_free(files, overwrite)
    seconds = LATENCY if max_latency is None else max_latency
    exported = write_c(folder, model, weights=weights.value, max_latency=seconds)
    sizes = f"{exported.constants / 1e3:.0f} kB of constants, {exported.state / 1e3:.0f} kB of RAM"
    out.print(f"written to {files[0]} and {files[1]}: {sizes} and the stack", markup=False)


def _check_in_onnx(model: ModelFile) -> None:
    from ipmdae.engine.onnx import difference

    deviations = difference(model)
    out.print(f"ONNX Runtime is within {deviations:.1e} standard deviations of the original")
