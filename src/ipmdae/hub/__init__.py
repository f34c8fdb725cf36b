"""A folder for a model hub: the model as safetensors and ONNX, its card, and an example.

``README.md`` is the card that hubs show. Its head, in YAML, states licence, databases and scores in
the fields that they search. ``model.json`` is the whole card (:mod:`ipmdae.cards`), with which
``model.safetensors`` is checked when it is read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipmdae import __version__
from ipmdae.cards import CLINIC, COST, Card, read_card, write_card
from ipmdae.engine import model_names, model_path, read_model
from ipmdae.files import replacing_together

FILES = ("README.md", "config.json", "example.py", "model.json", "model.onnx", "model.safetensors")

_HERE = Path(__file__).parent
_CONFIG = ("name", "architecture", "preprocessing", "parameters", "sha256")


def write_folder(folder: str | os.PathLike[str], model: Path) -> None:
    """Write :data:`FILES` to a folder, created if missing; all of them or none.

    The licence is that of this package for the models that ship, else ``unknown``.

    Args:
        folder: to write to; other files in it stay.
        model: a model file.

    Raises:
        FileNotFoundError: there is no such model file.
        ModuleNotFoundError: the extra ``onnx`` is not installed.
        OSError: the folder cannot be written to.
        ValueError: the file is not a model, or its card belongs to other weights.
    """
    from ipmdae.engine.onnx_export import write_onnx

    card, content = read_card(model), read_model(model)
    config = {"model_type": "ipm-dae", **{name: card[name] for name in _CONFIG}}
    with replacing_together(folder) as aside:
        copy = aside / "model.safetensors"
        copy.write_bytes(model.read_bytes())
        write_card(copy, card)
        write_onnx(aside / "model.onnx", content)
        (aside / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        (aside / "example.py").write_text(_example(), encoding="utf-8")
        (aside / "README.md").write_text(page(card, _licence(model)), encoding="utf-8")


def page(card: Card, licence: str) -> str:
    """The card as hubs show it: YAML head and Markdown.

    Args:
        card: of a model, see :func:`ipmdae.cards.read_card`.
        licence: identifier in lower case, such as ``mit``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["slug"] = _slug
    environment.filters["yaml"] = lambda text: json.dumps(text, ensure_ascii=False)
    measured = card.get("scores", {}).get(CLINIC)
    return environment.get_template("README.md.jinja").render(
        card=card,
        licence=licence,
        databases=_databases(card),
        scores=list(_scores(measured)) if isinstance(measured, dict) else [],
        cost=card[COST],
        example=_example(),
        version=__version__,
    )


def _scores(values: dict[str, Any], *path: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Scores that have a mean and an interval, each with its headings."""
    for name, value in values.items():
        if isinstance(value, dict) and "mean" in value:
            yield (*path, name), value
        elif isinstance(value, dict):
            yield from _scores(value, *path, name)


def _databases(card: Card) -> list[str]:
    """Databases that a model was trained on, as its card names them; that of the signal first."""
    data = card.get("data", {})
    main = [data[part]["database"] for part in ("signal", "noise") if part in data]
    return main + [name for name in data.get("rhythms and motion", ()) if name != "synthetic"]


def _slug(name: str) -> str:
    """A name as an identifier: lower case, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def _licence(model: Path) -> str:
    ships = any(model.samefile(model_path(name)) for name in model_names())
    return "mit" if ships else "unknown"


def _example() -> str:
    return (_HERE / "example.py").read_text(encoding="utf-8")
