"""The engine in C++ (``native/``): whole networks without dependencies, batched windows."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ipmdae import native
from ipmdae.architecture import Architecture
from ipmdae.engine.shapes import check_shapes, check_windows, expected_shapes

__all__ = ["NativeNetwork"]


class NativeNetwork:
    """An :class:`ipmdae.engine.Engine` in C++, of the processor's widest vectors.

    The windows of a batch are divided among threads (:func:`ipmdae.native.set_threads`). The
    result of a window is the same to the last bit whatever their number, and in any batch.

    Args:
        architecture: architecture of the network.
        tensors: its weights by name, as in :func:`ipmdae.engine.shapes.expected_shapes`; copied.

    Raises:
        ValueError: a tensor is missing, surplus or wrongly shaped, or the architecture has more
            than 32 stages.
        RuntimeError: the native library is not built.
    """

    def __init__(
        self, architecture: Architecture, tensors: Mapping[str, NDArray[np.floating]]
    ) -> None:
        shapes = expected_shapes(architecture)
        check_shapes(tensors, shapes, "network")
        self.architecture = architecture
        arrays = [np.ascontiguousarray(tensors[name], np.float32) for name in shapes]
        self._handle = native.network_open(_description(architecture), arrays)
        weakref.finalize(self, native.network_close, self._handle)

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run windows of a signal through the network.

        Args:
            windows: (batch, time, leads), scaled as the model's preprocessing says; any number of
                windows, of at least one sample. A NaN spoils its own window and no other.

        Returns:
            (batch, time, outputs).

        Raises:
            ValueError: the array has other axes.
            MemoryError: the windows are too long for the memory.
        """
        check_windows(windows, self.architecture.leads)
        windows = np.ascontiguousarray(windows, np.float32)
        result = np.empty((*windows.shape[:2], self.architecture.outputs), np.float32)
        native.network_run(self._handle, windows, result)
        return result


def _description(architecture: Architecture) -> list[int]:
    """The architecture as the numbers that ``ipmdae_network_open`` reads."""
    return [
        architecture.leads,
        architecture.kernel,
        architecture.pool_cap or 0,
        architecture.d_state,
        architecture.d_conv,
        architecture.expand,
        architecture.attention == "figure",
        architecture.fusion == "figure",
        architecture.unused_projections,
        architecture.residual,
        architecture.uncertainty,
        len(architecture.channels),
        *architecture.channels,
        *architecture.branches,
    ]
