"""Model cards: architecture, origin, scores and limits of a model.

A model file contains how it was made. Later knowledge, above all its scores, is stored in a card of
the same name next to it (``<name>.json``), which contains the SHA-256 of the model file: the file
itself, and with it everything measured with it, stays unchanged.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ipmdae.checksums import digest
from ipmdae.engine import ModelFile, read_model
from ipmdae.engine.complexity import multiply_accumulates
from ipmdae.engine.model_file import card_path
from ipmdae.files import replacing

Card = dict[str, Any]
"""A JSON value, by headings."""

COST = "multiply-accumulates for 5 s of a lead"

CLINIC, GAIN, KEPT = "clinic", "SNR improvement (dB)", "SNR of clean leads after denoising (dB)"
"""Main scores, and their protocol, as named in a card."""

NOT_MEASURED = "not measured"


def read_card(model: Path) -> Card:
    """Card of a model file, or else its own metadata.

    Raises:
        FileNotFoundError: the model file does not exist.
        ValueError: the file is not a model, or its card is invalid or belongs to other weights.
    """
    metadata, path = described(model), card_path(model)
    if not path.is_file():
        return metadata
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model card ({error}): remove it") from error
    if not isinstance(card, dict) or "sha256" not in card:
        raise ValueError(f"{path}: not a model card (it states no SHA-256): remove it")
    return card


def write_card(model: Path, card: Card) -> Path:
    """Write the card of a model file, and return its path."""
    path = card_path(model)
    with replacing(path) as aside:
        text = json.dumps(card, indent=1, ensure_ascii=False)
        aside.write_text(text + "\n", encoding="utf-8")
    return path


def described(model: Path) -> Card:
    """Metadata of a model file: name, digest, architecture, compute, training."""
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
