"""What runs a network, without torch: one protocol, a backend for each way to compute it.

A network is described by its model file alone. :func:`open_engine` takes the backend that is
asked for, or the first that this machine can run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ipmdae import weights
from ipmdae.architecture import Architecture
from ipmdae.engine.model_file import ModelFile, Preprocessing, read_model, write_model
from ipmdae.engine.numpy_network import NumpyNetwork

__all__ = [
    "Engine",
    "ModelFile",
    "Preprocessing",
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
        """Clean windows of a signal.

        Args:
            windows: (batch, time, leads), scaled as the model's preprocessing says; any number of
                windows, of at least one sample.

        Returns:
            (batch, time, leads), in the scale of the input.

        Raises:
            ValueError: the array has other axes.
        """
        ...


def _open_numpy(model: ModelFile) -> Engine:
    return NumpyNetwork(model.architecture, model.tensors, np.float32)


# In order of preference.
_BACKENDS: dict[str, Callable[[ModelFile], Engine]] = {"numpy": _open_numpy}


def open_engine(model: ModelFile, backend: str = "auto") -> Engine:
    """An engine that runs ``model``.

    Args:
        model: as read by :func:`read_model`.
        backend: ``"numpy"``, or ``"auto"`` for the quickest that there is.

    Raises:
        ValueError: no backend has that name, or the model's tensors do not fit its architecture.
    """
    name = next(iter(_BACKENDS)) if backend == "auto" else backend
    if name not in _BACKENDS:
        raise ValueError(f"backend must be auto or one of {', '.join(_BACKENDS)}, got {backend!r}")
    return _BACKENDS[name](model)


def model_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(path.stem for path in _folder().glob("*.safetensors"))


def model_path(name: str) -> Path:
    """The file of a model that comes with the package.

    Raises:
        ValueError: no model has that name; the message lists those there are.
    """
    if name not in model_names():
        known = ", ".join(model_names()) or "none"
        raise ValueError(f"no model named {name!r} comes with this package; there are: {known}")
    return _folder() / f"{name}.safetensors"


def _folder() -> Path:
    return Path(weights.__path__[0])
