"""The commands ``ipmdae models`` and ``ipmdae export``."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ipmdae.console import out

if TYPE_CHECKING:
    from ipmdae.engine import ModelFile


def models(
    about: Annotated[
        str | None, typer.Argument(help="Name of a model, or a model file, to tell all about.")
    ] = None,
) -> None:
    """List the models that come with the package, or print the card of one, as JSON."""
    from ipmdae.engine import model_names, model_path, read_model

    if about is not None:
        print_card(about)
        return
    table = Table(
        "model", "leads at once", "Hz", "window (s)", "parameters", "MMAC for 5 s a lead", box=None
    )
    for name in model_names():
        model = read_model(model_path(name))
        preprocessing = model.preprocessing
        table.add_row(
            name,
            str(model.architecture.leads),
            f"{preprocessing.fs:g}",
            f"{preprocessing.window / preprocessing.fs:g}",
            f"{sum(tensor.size for tensor in model.tensors.values()):,}",
            f"{_cost(model) / 1e6:.1f}",
        )
    out.print(table if table.row_count else "no model comes with this package")


def print_card(model: str) -> None:
    """Print what a model is made of, where it comes from and what it scores."""
    from ipmdae.engine import find_model, read_model

    content = read_model(find_model(model))
    card = {
        "name": content.name,
        "architecture": asdict(content.architecture),
        "preprocessing": asdict(content.preprocessing),
        "multiply-accumulates for 5 s of a lead": _cost(content),
        **content.card,
    }
    out.print_json(json.dumps(card, ensure_ascii=False))


def _cost(model: ModelFile) -> int:
    """Multiply-accumulates for 5 s of one lead."""
    from ipmdae.engine.complexity import multiply_accumulates

    samples = round(5 * model.preprocessing.fs)
    total = sum(multiply_accumulates(model.architecture, samples).values())
    return round(total / model.architecture.leads)


class Target(str, Enum):
    """What a model can be exported to."""

    ONNX = "onnx"


def export(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see: ipmdae models), or a model file.")
    ],
    to: Annotated[Target, typer.Option(help="Format to write.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; its folder is made.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there already.")
    ] = False,
) -> None:
    """Write a model for other runtimes: any batch and any length, with all that describes it."""
    from ipmdae.engine import find_model, read_model

    source = find_model(model)
    contents = read_model(source)
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a file in it")
    if output.exists() and (not overwrite or output.samefile(source)):
        raise FileExistsError(f"{output} exists: choose another name, or add --overwrite")
    if to is Target.ONNX:
        from ipmdae.engine.onnx import difference
        from ipmdae.engine.onnx_export import write_onnx

        deviations = difference(contents)
        out.print(f"ONNX Runtime is within {deviations:.1e} standard deviations of the original")
        write_onnx(output, contents)
    out.print(f"written to {output}", markup=False)
