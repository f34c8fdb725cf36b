"""The commands ``ipmdae models`` and ``ipmdae export``."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

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
        *("model", "leads", "Hz", "window\n(s)", "parameters", "MB", "MMAC"),
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

    HUB = "hub"
    ONNX = "onnx"


def export(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see: ipmdae models), or a model file.")
    ],
    to: Annotated[Target, typer.Option(help="Format to write; hub: a folder for a model hub.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File or folder to write, created with parents.")
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Export a model for other runtimes, or as a folder for a model hub, with its metadata."""
    from ipmdae.engine import find_model, read_model

    source = find_model(model)
    _EXPORTS[to](source, read_model(source), output, overwrite)
    out.print(f"written to {output}", markup=False)


def _export_onnx(source: Path, model: ModelFile, output: Path, overwrite: bool) -> None:
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a file in it")
    _check_free([output], source, overwrite)
    _check_in_onnx(model)
    from ipmdae.engine.onnx_export import write_onnx

    write_onnx(output, model)


def _export_hub(source: Path, model: ModelFile, output: Path, overwrite: bool) -> None:
    from ipmdae import hub

    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file: name a folder")
    _check_free([output / name for name in hub.FILES], source, overwrite)
    _check_in_onnx(model)
    hub.write_folder(output, source)


_EXPORTS = {Target.HUB: _export_hub, Target.ONNX: _export_onnx}


def _check_free(files: list[Path], source: Path, overwrite: bool) -> None:
    """Refuse to replace the model itself, and other files without ``overwrite``."""
    for path in files:
        if path.exists() and (not overwrite or path.samefile(source)):
            raise FileExistsError(f"{path} exists: choose another name, or add --overwrite")


def _check_in_onnx(model: ModelFile) -> None:
    from ipmdae.engine.onnx import difference

    deviations = difference(model)
    out.print(f"ONNX Runtime is within {deviations:.1e} standard deviations of the original")
