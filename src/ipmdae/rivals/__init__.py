"""Methods to compare with the project's networks: each denoises one lead, by a common interface.

:func:`get` returns a method by name, and ``denoise(x, fs)`` denoises x (time,) in mV of any
supported length; the result has the same shape. Methods that are fitted are :class:`Learner`: they
are fitted on the training pairs of a protocol first. Their packages are those of the extra
``benchmark``, imported when a method that needs them is requested. Networks are
:class:`Trained`: they need the extra ``train``, and the weights of a run of ``ipmdae benchmark
train``. ``deepfade`` is a network that ships with its weights, and needs both extras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ipmdae.rivals import networks

Signal = NDArray[np.float64]


class Rival(Protocol):
    """A method that denoises one lead."""

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
class Learner(Rival, Protocol):
    """A method that must be fitted before use; RuntimeError otherwise.

    Attributes:
        fresh_noise: True if each window needs new noise, where a protocol's noise
            repeats.
    """

    @property
    def fresh_noise(self) -> bool: ...

    def fit(self, noisy: Signal, clean: Signal, fs: float) -> None:
        """Fit to pairs of windows, both (windows, time) in mV at ``fs`` Hz."""
        ...


@runtime_checkable
class Trained(Rival, Protocol):
    """A network, which needs the weights of a finished run; RuntimeError without them."""

    def trained(
        self, protocol: str, model: str = "", results: Path = ..., seed: int | None = None
    ) -> Trained:
        """The same network with the weights of its newest finished run on a protocol.

        Args:
            protocol: name of the protocol.
            model: ``noise-1`` or ``noise-2`` of protocol deepfilter, which needs both.
            results: folder of the runs, by default ``results``.
            seed: training seed; by default the lowest one for which all models are finished.

        Raises:
            FileNotFoundError: the run does not exist; the message names the command that makes it.
        """
        ...

    def denoise_batch(self, x: Signal, fs: float) -> Signal:
        """Denoise a batch of windows (windows, time) in mV, as drawn by the protocol."""
        ...


#: Module of each method, whose ``METHODS`` creates it by name.
_MODULES = {
    "none": "identity",
    "fir": "filters",
    "iir": "filters",
    "butterworth-0.05-150": "filters",
    "butterworth-0.5-40": "filters",
    "median": "median",
    "wavelet": "wavelet",
    "emd": "empirical_modes",
    "kalman": "kalman",
    "nlm": "non_local_means",
    "tv": "total_variation",
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

SLOW = ("deepfade",)
"""Methods that take seconds per beat: benchmarks run them only if named."""

LEARNERS = ("wiener", "lmmse", "lmmse-fresh")
"""Methods that must be fitted."""

NETWORKS = (
    *("Ultralight_IPM_DAE", "ipmdae-base", "ipmdae-small", "ipmdae-nano", "ipmdae-beat"),
    *(*networks.NAMES, "descod-10"),
)
"""Networks that must be trained; ``descod-10`` averages ten draws of ``descod``."""


_EXTRA = frozenset(
    ["empirical_modes", "kalman", "neurokit", "non_local_means", "total_variation", "wavelet"]
)
"""Modules that import a package of the extra ``benchmark``."""


def names() -> list[str]:
    """Names of all methods that need no training run."""
    return list(_MODULES)


def extra_of(name: str) -> str:
    """Extra of this package that a method needs; empty if none."""
    module = _MODULES.get(name)
    return "benchmark,train" if module == "deepfade" else "benchmark" if module in _EXTRA else ""


def quick() -> list[str]:
    """Methods that are fast enough for a whole benchmark."""
    return [name for name in _MODULES if name not in SLOW]


def get(name: str) -> Rival:
    """Create the method of this name.

    Raises:
        ValueError: the name is unknown.
        ModuleNotFoundError: a package that it needs is not installed.
    """
    modules = _MODULES | dict.fromkeys(NETWORKS, "trained")
    if name not in modules:
        raise ValueError(f"unknown method {name!r}; there are: {', '.join(modules)}")
    try:
        module = import_module(f"{__name__}.{modules[name]}")
    except ModuleNotFoundError as error:
        extra = "train" if name in NETWORKS or error.name == "torch" else "benchmark"
        raise ModuleNotFoundError(
            f"method {name} needs {error.name}: pip install 'ultralight-ipm-dae[{extra}]'"
        ) from error
    methods: Mapping[str, Callable[[], Rival]] = module.METHODS
    return methods[name]()


def with_margins(clean: Callable[[Signal], Signal], x: Signal, margin: int) -> Signal:
    """Apply ``clean`` to a signal (time,) extended at both ends, and cut the margins off.

    The signal is extended by odd reflection about its end points, repeated as needed, which keeps
    its level and its trend. A filter with a memory of seconds has too few samples on a single
    beat.
    """
    return clean(np.pad(x, margin, "reflect", reflect_type="odd"))[margin : margin + len(x)]
