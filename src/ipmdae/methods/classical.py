"""Classical denoising methods: each cleans one lead, and all are called alike.

:func:`get` makes a method by name, which cleans with ``method.denoise(x, fs)``: x (time,) in mV,
result of the same shape. A :class:`Learner` must be fitted on training pairs first. Packages of the
extra ``benchmark`` are imported when a method that needs them is asked for. ``deepfade`` is a
published network that comes with its weights, and needs the extra ``train`` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


class LeadMethod(Protocol):
    """A method that cleans one lead."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        """Denoise a signal.

        Args:
            x: (time,) in mV.
            fs: sampling rate in Hz.

        Returns:
            The denoised signal, (time,) in mV.
        """
        ...


@runtime_checkable
class Learner(LeadMethod, Protocol):
    """A method that must be fitted before it cleans; RuntimeError when it is not.

    Attributes:
        fresh_noise: True if each window needs new noise, where a protocol's noise
            repeats.
    """

    @property
    def fresh_noise(self) -> bool: ...

    def fit(self, noisy: Signal, clean: Signal, fs: float) -> None:
        """Fit to pairs of windows, both (windows, time) in mV at ``fs`` Hz."""
        ...


_MODULES = {
    "none": "filters",
    "fir": "filters",
    "iir": "filters",
    "butterworth-0.05-150": "filters",
    "butterworth-0.5-40": "filters",
    "median": "filters",
    "wavelet": "smoothing",
    "emd": "smoothing",
    "kalman": "smoothing",
    "nlm": "smoothing",
    "tv": "smoothing",
    "neurokit": "neurokit",
    "neurokit-biosppy": "neurokit",
    "neurokit-pantompkins1985": "neurokit",
    "neurokit-hamilton2002": "neurokit",
    "neurokit-elgendi2010": "neurokit",
    "neurokit-engzeemod2012": "neurokit",
    "neurokit-vg": "neurokit",
    "neurokit-templateconvolution": "neurokit",
    "deepfade": "deepfade",
    "wiener": "wiener",
    "lmmse": "wiener",
    "lmmse-fresh": "wiener",
}
"""Module of each method; its ``METHODS`` makes them by name."""

_PACKAGES = {
    "wavelet": "pywt",
    "emd": "PyEMD",
    "kalman": "statsmodels",
    "nlm": "pywt",
    "tv": "skimage",
    "deepfade": "ecgdatakit",
} | {name: "neurokit2" for name in _MODULES if name.startswith("neurokit")}
"""Package of the extra ``benchmark`` that a method needs."""

SLOW = ("deepfade",)
"""Methods that take seconds per beat: benchmarks run them only if named."""

LEARNERS = ("wiener", "lmmse", "lmmse-fresh")
"""Methods that must be fitted."""


def names() -> list[str]:
    """The names of all classical methods."""
    return list(_MODULES)


def extra_of(name: str) -> str:
    """Extra of this package that a method needs; empty if none."""
    return "benchmark,train" if name == "deepfade" else "benchmark" if name in _PACKAGES else ""


def quick() -> list[str]:
    """The names of those fast enough for a whole benchmark."""
    return [name for name in _MODULES if name not in SLOW]


def get(name: str) -> LeadMethod:
    """A new method of this name.

    Raises:
        ValueError: there is no such method.
        ModuleNotFoundError: a package that it needs is not installed.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown method {name!r}; there are: {', '.join(_MODULES)}")
    try:
        if name in _PACKAGES:
            import_module(_PACKAGES[name])
        module = import_module(f"{__package__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        extra = "train" if error.name == "torch" else "benchmark"
        raise ModuleNotFoundError(
            f"method {name} needs {error.name}: pip install 'ultralight-ipm-dae[{extra}]'"
        ) from error
    methods: Mapping[str, Callable[[], LeadMethod]] = module.METHODS
    return methods[name]()


def with_margins(clean: Callable[[Signal], Signal], x: Signal, margin: int) -> Signal:
    """Apply ``clean`` to a signal (time,) extended at both ends, and cut the margins off.

    The signal is extended by odd reflection about its end points, repeated as needed, which keeps
    its level and its trend. A filter with a memory of seconds has too few samples on a single
    beat.
    """
    return clean(np.pad(x, margin, "reflect", reflect_type="odd"))[margin : margin + len(x)]
