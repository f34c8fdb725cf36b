"""Inference without torch: one protocol, several backends.

A network is described by its model file only. :func:`open_engine` opens the requested backend, or
the first that this machine can run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import ipmdae.native
from ipmdae import weights
from ipmdae.architecture import Architecture
from ipmdae.engine.model_file import ModelFile, Preprocessing, read_model, write_model
from ipmdae.engine.native import NativeNetwork
from ipmdae.engine.numpy_network import NumpyNetwork

__all__ = [
    "Engine",
    "ModelFile",
    "Preprocessing",
    "find_model",
    "model_names",
    "model_path",
    "open_engine",
    "read_model",
    "write_model",
]


class Engine(Protocol):
    """A network that is ready to run."""

    architecture: Architecture

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run windows of a signal through the network.

        Args:
            windows: (batch, time, leads), scaled by the model's preprocessing; any number of
                windows, of at least one sample.

        Returns:
            (batch, time, outputs), in the scale of the input: the denoised leads, followed, if the
            architecture has it, by the log of the predicted standard deviation of each one's error.

        Raises:
            ValueError: the array has other axes.
        """
        ...


def _open_native(model: ModelFile) -> Engine:
    return NativeNetwork(model.architecture, model.tensors)


def _open_numpy(model: ModelFile) -> Engine:
    return NumpyNetwork(model.architecture, model.tensors, np.float32)


def _open_onnx(model: ModelFile) -> Engine:
    from ipmdae.engine.onnx import OnnxNetwork  # an extra, and slow to import

    return OnnxNetwork(model)


# In order of preference.
_BACKENDS: dict[str, Callable[[ModelFile], Engine]] = {
    "native": _open_native,
    "numpy": _open_numpy,
    "onnx": _open_onnx,
}


def open_engine(model: ModelFile, backend: str = "auto") -> Engine:
    """Open an engine for ``model``.

    Args:
        model: as read by :func:`read_model`.
        backend: ``"native"`` (C++), ``"numpy"``, ``"onnx"`` (ONNX Runtime, which needs the extra
            ``onnx``), or ``"auto"`` for the fastest of those that need no extra.

    Raises:
        ValueError: no backend has that name, or the model's tensors do not fit its architecture.
        ModuleNotFoundError: the backend's extra is not installed.
        RuntimeError: the native library, requested by name, is not built.
    """
    name = backend
    if backend == "auto":
        name = "native" if ipmdae.native.available() else "numpy"
    if name not in _BACKENDS:
        raise ValueError(f"backend must be auto or one of {', '.join(_BACKENDS)}, got {backend!r}")
    return _BACKENDS[name](model)


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted((path.stem for path in _folder().glob("*.safetensors")), key=str.lower)


def model_path(name: str) -> Path:
    """Path of a shipped model.

    Raises:
        ValueError: no model has that name; the message lists the known ones.
    """
    if name not in model_names():
        known = ", ".join(model_names()) or "none"
        raise ValueError(f"no model named {name!r} comes with this package; there are: {known}")
    return _folder() / f"{name}.safetensors"


def find_model(model: str | os.PathLike[str]) -> Path:
    """Path of a model, given by name or by path.

    Args:
        model: a name without folder or suffix that is not a file is the name of a shipped
            model; anything else is a path.

    Raises:
        ValueError: no model has that name; the message lists the known ones.
    """
    path = Path(model)
    is_name = isinstance(model, str) and path.name == model and not path.suffix
    if is_name and not path.is_file():  # a folder may have the name of a model
        return model_path(path.name)
    return path


def _folder() -> Path:
    return Path(weights.__path__[0])
