"""A model as one file: weights, architecture, preprocessing and card, in safetensors.

The tensors are float32, with the names and shapes of
:func:`ipmdae.engine.shapes.expected_shapes`. The file's metadata are texts: ``format``
(``ipmdae-1``), ``name``, and as JSON objects ``architecture``, ``preprocessing`` and ``card``.
Nothing in a file is executed, and an invalid file is refused with a message that names it; so
is one whose SHA-256 differs from that in its card (:mod:`ipmdae.cards`), if there is one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ipmdae.architecture import Architecture
from ipmdae.checksums import digest
from ipmdae.engine.shapes import check_shapes, expected_shapes
from ipmdae.files import replacing

FORMAT = "ipmdae-1"
SCALINGS = ("robust",)

_LARGEST_CARD = 1 << 24  # bytes


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Processing before and after the network.

    Attributes:
        fs: sampling rate of the network in Hz.
        window: samples per window.
        overlap: samples shared with the next window.
        scaling: ``"robust"``, see :func:`ipmdae.pipeline.window.robust_scale`.
    """

    fs: float
    window: int
    overlap: int
    scaling: str = "robust"

    def __post_init__(self) -> None:
        for name in ("window", "overlap"):
            value = getattr(self, name)
            if type(value) is not int:
                raise ValueError(f"{name} must be a whole number of samples, got {value!r}")
        if not isinstance(self.fs, (int, float)) or not 0 < self.fs < math.inf:
            raise ValueError(f"fs must be a positive rate in Hz, got {self.fs!r}")
        if not 0 <= self.overlap < self.window:
            raise ValueError(
                f"overlap must be at least 0 and less than window = {self.window}, "
                f"got {self.overlap}"
            )
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, got {self.scaling!r}")


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """Content of a model file.

    Attributes:
        name: the model's name, such as ``ipmdae-base``.
        architecture: architecture of the network.
        preprocessing: preprocessing of its input.
        card: origin: data, split, scores; any JSON values.
        tensors: float32 weights by name.
    """

    name: str
    architecture: Architecture
    preprocessing: Preprocessing
    card: dict[str, Any] = field(repr=False)
    tensors: dict[str, NDArray[np.float32]] = field(repr=False)


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is not a model, or differs from the SHA-256 in its card;
            the message begins with its name and names the field or tensor at fault.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    if not _agrees_with_card(path):
        raise ValueError(
            f"{path}: its SHA-256 is not the one in its card {card_path(path).name}: one of them "
            "was changed or belongs to another model; get both again, or remove a card that is old"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(metadata, path)
            tensors = {name: _tensor(file, name, path) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from error
    architecture = _architecture(metadata, path)
    if sum(architecture.branches) > len(tensors):  # before their names fill the memory
        raise ValueError(f"{path}: {len(tensors)} tensors are too few for its architecture")
    check_tensors(tensors, architecture, str(path))
    return ModelFile(
        name=_field(metadata, "name", path),
        architecture=architecture,
        preprocessing=_preprocessing(metadata, path),
        card=_json_object(metadata, "card", path),
        tensors=tensors,
    )


def write_model(path: str | os.PathLike[str], model: ModelFile) -> None:
    """Write a model file; an interruption leaves the old file or the new one.

    A card next to it that states the SHA-256 of other weights is removed.

    Raises:
        ValueError: :func:`read_model` would refuse the file.
    """
    check_tensors(model.tensors, model.architecture, f"model {model.name}")
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in model.tensors.items()}
    with replacing(path) as aside:
        aside.write_bytes(save(contiguous, metadata_of(model)))
    if not _agrees_with_card(Path(path)):
        card_path(Path(path)).unlink()


def card_path(model: Path) -> Path:
    """Path of the card of a model file."""
    return model.with_suffix(".json")


def _agrees_with_card(model: Path) -> bool:
    """True if no card of a model file states another SHA-256."""
    card = card_path(model)
    if not card.is_file() or card.stat().st_size > _LARGEST_CARD:
        return True
    try:
        content = json.loads(card.read_bytes())
    except (ValueError, RecursionError):
        return True
    if not isinstance(content, dict) or "sha256" not in content:
        return True
    return bool(content["sha256"] == digest(model))


def metadata_of(model: ModelFile) -> dict[str, str]:
    """Everything but the tensors, as the texts of a file's metadata."""
    return {
        "format": FORMAT,
        "name": model.name,
        "architecture": model.architecture.to_json(),
        "preprocessing": json.dumps(asdict(model.preprocessing), sort_keys=True),
        "card": json.dumps(model.card, sort_keys=True, ensure_ascii=False),
    }


def check_tensors(
    tensors: Mapping[str, NDArray[np.generic]], architecture: Architecture, where: str
) -> None:
    """Check that ``tensors`` are the finite float32 weights of a network of ``architecture``.

    Args:
        tensors: arrays by name.
        architecture: architecture of the network.
        where: container of the tensors, such as a file's name, which begins the message.

    Raises:
        ValueError: a tensor is missing, surplus, of another shape or type, or not finite.
    """
    check_shapes(tensors, expected_shapes(architecture), where)
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise ValueError(f"{where}: tensor {name} is {tensor.dtype}, expected float32")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{where}: tensor {name} holds NaN or infinite weights")


def _tensor(file: Any, name: str, path: Path) -> NDArray[np.float32]:
    """Some types that safetensors can store are unknown to NumPy, so the type is asked first."""
    stored = file.get_slice(name).get_dtype()
    if stored != "F32":
        raise ValueError(f"{path}: tensor {name} is stored as {stored}, expected F32 (float32)")
    tensor: NDArray[np.float32] = file.get_tensor(name)
    return tensor


def _check_format(metadata: Mapping[str, str], path: Path) -> None:
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path}: not a model file of this package: its metadata say "
            f"format = {metadata.get('format')!r}, expected {FORMAT!r}"
        )


def _architecture(metadata: Mapping[str, str], path: Path) -> Architecture:
    text = _field(metadata, "architecture", path)
    try:
        return Architecture.from_json(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: metadata field architecture: {error}") from error


def _preprocessing(metadata: Mapping[str, str], path: Path) -> Preprocessing:
    arguments = _json_object(metadata, "preprocessing", path)
    known = {field.name for field in fields(Preprocessing)}
    for name in arguments:
        if name not in known:
            raise ValueError(f"{path}: metadata field preprocessing: {name} is unknown")
    try:
        return Preprocessing(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: metadata field preprocessing: {error}") from error


def _json_object(metadata: Mapping[str, str], name: str, path: Path) -> dict[str, Any]:
    text = _field(metadata, name, path)
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: metadata field {name} is no JSON: {error}") from error
    if type(value) is not dict:
        raise ValueError(f"{path}: metadata field {name} is no JSON object")
    return value


def _field(metadata: Mapping[str, str], name: str, path: Path) -> str:
    if name not in metadata:
        raise ValueError(f"{path}: metadata field {name} is missing")
    return metadata[name]
