"""The command ``ipmdae models``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ipmdae.console import out, warnings_in_one_line

if TYPE_CHECKING:
    from ipmdae.cards import Card


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
