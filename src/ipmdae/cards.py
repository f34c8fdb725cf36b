"""The card of a model: what it is, where it comes from, what it scores, what it is good for.

A model file tells how it was made. What is known of it only later, its scores above all, stands in
a card of the same name beside it (``<name>.json``), which names the SHA-256 of the file that it
belongs to: the file itself stays as it is, and with it all that was measured of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ipmdae.data.checksums import digest
from ipmdae.engine import ModelFile, read_model
from ipmdae.engine.complexity import multiply_accumulates
from ipmdae.engine.model_file import card_path
from ipmdae.files import replacing

Card = dict[str, Any]
"""What JSON can hold, by headings."""

COST = "multiply-accumulates for 5 s of a lead"

CLINIC, GAIN, KEPT = "clinic", "SNR improvement (dB)", "SNR of clean leads after denoising (dB)"
"""The main scores and the protocol that they are of, as a card calls them."""

NOT_MEASURED = "not measured"


def read_card(model: Path) -> Card:
    """All that is known of a model file: its card, or else what it tells itself.

    Raises:
        FileNotFoundError: there is no such model file.
        ValueError: the file holds no model, or its card is none, or that of other weights.
    """
    told, path = described(model), card_path(model)
    if not path.is_file():
        return told
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no card of a model ({error}): remove it") from error
    if not isinstance(card, dict) or "sha256" not in card:
        raise ValueError(f"{path}: no card of a model (it states no SHA-256): remove it")
    return card


def write_card(model: Path, card: Card) -> Path:
    """Write the card beside a model file, and give its path."""
    path = card_path(model)
    with replacing(path) as aside:
        text = json.dumps(card, indent=1, ensure_ascii=False)
        aside.write_text(text + "\n", encoding="utf-8")
    return path


def described(model: Path) -> Card:
    """What a model file tells itself: its name and digest, make, cost, and how it was trained."""
    content = read_model(model)
    return {
        "name": content.name,
        "sha256": digest(model),
        "bytes": model.stat().st_size,
        "architecture": asdict(content.architecture),
        "preprocessing": asdict(content.preprocessing),
        "parameters": sum(tensor.size for tensor in content.tensors.values()),
        COST: _cost(content),
        **content.card,
    }


def _cost(model: ModelFile) -> int:
    """Multiply-accumulates for 5 s of one lead."""
    samples = round(5 * model.preprocessing.fs)
    total = sum(multiply_accumulates(model.architecture, samples).values())
    return round(total / model.architecture.leads)
