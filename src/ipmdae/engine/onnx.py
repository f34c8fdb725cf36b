"""A network in ONNX Runtime: runs the exported file as an engine of this package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipmdae import native
from ipmdae.engine.model_file import ModelFile
from ipmdae.engine.numpy_network import WINDOWS_AT_ONCE, NumpyNetwork
from ipmdae.engine.shapes import check_windows

try:
    from onnxruntime import InferenceSession, SessionOptions  # type: ignore[import-untyped]

    from ipmdae.engine.onnx_export import INPUT, OUTPUT, to_onnx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error.name} is not installed: pip install 'ultralight-ipm-dae[onnx]'"
    ) from error


class OnnxNetwork:
    """An :class:`ipmdae.engine.Engine` in ONNX Runtime, on the CPU.

    Args:
        model: as read by :func:`ipmdae.engine.read_model`.

    Raises:
        ValueError: the model's tensors do not fit its architecture, or are not finite.
    """

    def __init__(self, model: ModelFile) -> None:
        self.architecture = model.architecture
        options = SessionOptions()
        options.intra_op_num_threads = native.default_threads()
        self._session = InferenceSession(
            to_onnx(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run windows of a signal through the network; see :meth:`ipmdae.engine.Engine.run`.

        Args:
            windows: (batch, time, leads), scaled as the model's preprocessing says; any number of
                windows, of at least one sample.

        Returns:
            (batch, time, outputs).

        Raises:
            ValueError: the array has other axes.
        """
        check_windows(windows, self.architecture.leads)
        result = np.empty((*windows.shape[:2], self.architecture.outputs), np.float32)
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            some = slice(start, start + WINDOWS_AT_ONCE)
            batch = np.ascontiguousarray(windows[some], np.float32)
            (result[some],) = self._session.run([OUTPUT], {INPUT: batch})
        return result


def difference(model: ModelFile) -> float:
    """Largest difference between ONNX Runtime and the NumPy network on a window of white noise.

    In standard deviations of the output; the NumPy network computes in float64. Rounding explains
    1e-5.

    Raises:
        ValueError: the model's tensors do not fit its architecture, or are not finite.
    """
    shape = 1, model.preprocessing.window, model.architecture.leads
    windows = np.random.default_rng(0).standard_normal(shape, np.float32)
    exact = NumpyNetwork(model.architecture, model.tensors, np.float64).run(windows)
    largest = np.abs(OnnxNetwork(model).run(windows) - exact).max()
    return float(largest / max(exact.std(), np.finfo(np.float32).tiny))
