"""What our networks are measured against: methods that clean one lead, all called alike.

A rival is had by name, :func:`get`, and cleans with ``rival.denoise(x, fs)``: x (time,) in mV, any
length it can work with, result of the same shape. Rivals that learn are :class:`Learner`: they
must be fitted on the training pairs of a protocol first. Their packages are those of the extra
``benchmark`` and are imported when a rival that needs them is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


class Rival(Protocol):
    """A method that cleans one lead."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        """Clean a signal.

        Args:
            x: (time,) in mV.
            fs: sampling rate in Hz.

        Returns:
            The cleaned signal, (time,) in mV.
        """
        ...


@runtime_checkable
class Learner(Rival, Protocol):
    """A rival that must be fitted before it cleans; RuntimeError when it is not.

    Attributes:
        fresh_noise: whether it wants noise of its own for each window, where a protocol's noise
            repeats.
    """

    @property
    def fresh_noise(self) -> bool: ...

    def fit(self, noisy: Signal, clean: Signal, fs: float) -> None:
        """Learn from pairs of windows, both (windows, time) in mV at ``fs`` Hz."""
        ...


#: The module of each method; it holds ``METHODS``, which makes them by name.
_MODULES = {
    "none": "identity",
    "fir": "filters",
    "iir": "filters",
    "butterworth-0.05-150": "filters",
    "butterworth-0.5-40": "filters",
    "median": "median",
    "wavelet": "wavelet",
    "tv": "total_variation",
    "neurokit": "neurokit",
    "neurokit-biosppy": "neurokit",
    "neurokit-pantompkins1985": "neurokit",
    "neurokit-hamilton2002": "neurokit",
    "neurokit-elgendi2010": "neurokit",
    "neurokit-engzeemod2012": "neurokit",
    "neurokit-vg": "neurokit",
    "neurokit-templateconvolution": "neurokit",
    "wiener": "wiener",
    "lmmse": "wiener",
    "lmmse-fresh": "wiener",
}


def names() -> list[str]:
    """The names of all rivals."""
    return list(_MODULES)


def get(name: str) -> Rival:
    """A new rival of this name.

    Raises:
        ValueError: there is no such rival.
        ModuleNotFoundError: a package that it needs is not installed.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown method {name!r}; there are: {', '.join(names())}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"method {name} needs {error.name}: pip install 'ultralight-ipm-dae[benchmark]'"
        ) from error
    methods: Mapping[str, Callable[[], Rival]] = module.METHODS
    return methods[name]()


def with_margins(clean: Callable[[Signal], Signal], x: Signal, margin: int) -> Signal:
    """Apply ``clean`` to a signal (time,) that goes on at both ends, and cut the margins off.

    The signal is turned about its end points (odd reflection), as often as needed, which goes on
    with its level and its trend. A filter with a memory of seconds has none of its own on a single
    beat.
    """
    return clean(np.pad(x, margin, "reflect", reflect_type="odd"))[margin : margin + len(x)]
