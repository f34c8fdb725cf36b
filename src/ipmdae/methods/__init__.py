"""Methods that denoise recordings, opened by name.

A method is a network (:class:`~ipmdae.methods.network.Network`) or one of the classical methods of
:mod:`ipmdae.methods.classical`, wrapped by :class:`~ipmdae.methods.lead_by_lead.Classical` so that
it gives the same guarantees.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import ModelFile, find_model, model_names
from ipmdae.methods import classical
from ipmdae.methods.by_blocks import BlockCleaning, BlockMethod
from ipmdae.methods.classical import extra_of
from ipmdae.methods.lead_by_lead import Classical
from ipmdae.methods.network import DEFAULT_MODEL, Network
from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.survey import Leads, Survey
from ipmdae.recording import Header, Recording
from ipmdae.result import Result
from ipmdae.safeguards import DEFAULT_MODE, safeguards

__all__ = [
    "DEFAULT_MODEL",
    "BlockMethod",
    "Classical",
    "LiveMethod",
    "Method",
    "Network",
    "extra_of",
    "listed",
    "method_names",
    "open_method",
]


@runtime_checkable
class Method(Protocol):
    """Denoising method for recordings, files and live signals.

    All methods take any number of leads and any length, at 60 to 4000 Hz. Missing samples stay
    missing; leads that are flat, empty, not a voltage or called as another signal is come back
    unchanged, and the comments and a warning say so; each lead keeps its constant offset (its
    median).
    """

    @property
    def name(self) -> str:
        """Name of the method."""
        ...

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        """Clean a recording.

        Args:
            recording: as recorded.
            strength: share of the noise found that is removed, 0 to 1.

        Raises:
            ValueError: the rate makes no sense for an ECG or for this method, or the strength lies
                outside of 0 to 1.
        """
        ...


class LiveCleaning(BlockCleaning, Protocol):
    """A live signal on its way.

    Attributes:
        offset: constant offset of each lead, (leads,) in mV; it may be set while a lead is missing.
    """

    offset: NDArray[np.float64]

    def feed(self, x: NDArray[np.float64]) -> Block:
        """Take samples (time, leads) in mV in; give those out that are ready."""
        ...

    def flush(self) -> Block:
        """Give out what is left: the signal has ended."""
        ...


@runtime_checkable
class LiveMethod(Method, Protocol):
    """A method that cleans a live signal."""

    def survey(self, header: Header) -> Survey:
        """Survey of the first seconds of the signal."""
        ...

    def latency(self, fs: float) -> float:
        """Seconds of a signal at ``fs`` Hz that must be known, from a sample on, to clean it.

        Raises:
            ValueError: the latency wanted is too short, or the method cannot clean live.
        """
        ...

    def opening(self, fs: float) -> int:
        """Samples of a signal at ``fs`` Hz that must be known before the first comes out."""
        ...

    def begin_live(self, fs: float, leads: Leads, *, strength: float = 1.0) -> LiveCleaning:
        """Begin a signal."""
        ...


def method_names() -> list[str]:
    """The names :func:`open_method` knows: the networks that ship, then the classical methods.

    Classical methods that must be fitted first are not among them; see :class:`Classical`.

    Examples:
        >>> import ipmdae
        >>> [name for name in ipmdae.method_names() if name.startswith("ipmdae")]
        ['ipmdae-base', 'ipmdae-nano', 'ipmdae-small']
    """
    return [*model_names(), *(name for name in classical.names() if name not in classical.LEARNERS)]


def listed() -> str:
    """The names of :func:`method_names` in a sentence, with the extras that some need."""
    by_extra: dict[str, list[str]] = {}
    for name in method_names():
        by_extra.setdefault(extra_of(name), []).append(name)
    parts = [
        ", ".join(names) + (f" (with the extra {extra})" if extra else "")
        for extra, names in by_extra.items()
    ]
    return "; ".join(parts)


def open_method(
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    *,
    mains: float | None = None,
    mode: str | None = None,
    unreadable: str | None = None,
    consistent_leads: bool = True,
    backend: str = "auto",
    max_latency: float | None = None,
) -> Method:
    """Open a method.

    Args:
        method: a name of :func:`method_names`, the path of a model file, a model, or a method.
        mains: 50 or 60 (Hz) to remove powerline interference first.
        mode: what a network may change: ``diagnostic``, ``monitoring`` (the default), ``beats`` or
            ``gentle``; see :data:`ipmdae.safeguards.MODES`.
        unreadable: what stands where a network is not trusted: ``classical``, ``network``, ``raw``
            or ``blank``; by default the mode's.
        consistent_leads: make a network's limb leads obey Einthoven's and Goldberger's equations
            where the recorded ones do.
        backend: what runs a network, see :func:`ipmdae.engine.open_engine`.
        max_latency: clean just as a live :class:`~ipmdae.Streamer` of this latency in seconds does.
            By default, each sample of a recording is cleaned with the best view of both sides.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no method, backend, mains or mode has this name, the file is broken, the method
            must be fitted first, ``max_latency`` is not positive, ``mode``, ``unreadable`` or
            ``backend`` is given for a classical method, or settings for a method that is open
            already.
        ModuleNotFoundError: the method needs an extra that is not installed.

    Examples:
        >>> import ipmdae
        >>> ipmdae.open_method("iir", mains=50)
        <Classical iir after removal of 50 Hz interference>
    """
    limits = safeguards(
        mode or DEFAULT_MODE, unreadable=unreadable, consistent_leads=consistent_leads
    )
    if max_latency is not None and not max_latency > 0:
        raise ValueError(f"max_latency is a positive number of seconds, not {max_latency}")
    if isinstance(method, Method):
        settings = (mains, mode, unreadable, max_latency, consistent_leads, backend)
        if settings != (None, None, None, None, True, "auto"):
            raise ValueError(f"{method.name} is open already: give settings where it is opened")
        return method
    if isinstance(method, str) and method in classical.names():
        if mode or unreadable or backend != "auto":
            raise ValueError(
                f"mode, unreadable and backend are for networks; {method} is a classical method"
            )
        if method in classical.LEARNERS:
            raise ValueError(
                f"method {method} must be fitted on pairs of noisy and clean windows first: fit "
                f"ipmdae.methods.classical.get({method!r}) and wrap it by ipmdae.methods.Classical"
            )
        return Classical(method, classical.get(method), mains=mains, max_latency=max_latency)
    return Network(
        method if isinstance(method, ModelFile) else _model_file(method),
        backend=backend,
        max_latency=max_latency,
        limits=limits,
        mains=mains,
    )


def _model_file(name: str | os.PathLike[str]) -> Path:
    try:
        return find_model(name)
    except ValueError:
        raise ValueError(
            f"unknown method {str(name)!r}; there are: {listed()}; and any model file"
        ) from None
