"""Methods: everything that cleans a recording, had by name and called alike.

A method is a network (:class:`~ipmdae.denoiser.Denoiser`) or one of the classical methods of
:mod:`ipmdae.classical`, wrapped by :class:`Classical` so that it gives the same guarantees.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ipmdae import classical
from ipmdae.cleaned import Cleaned, check_rate, check_strength, finish, idle
from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile, find_model, model_names
from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.survey import Leads
from ipmdae.pipeline.window import blend, cut, starts
from ipmdae.recording import Recording
from ipmdae.safeguards import DEFAULT_MODE, Safeguards, safeguards
from ipmdae.without_mains import NetworkWithoutMains, WithoutMains

_LONG_GAP = 1.0  # s: what lies on both sides of a longer one is cleaned apart
_SHORTEST = 2.0  # s: a shorter stretch goes on by its point reflections, for filters' start-up
_WINDOW, _OVERLAP = 600.0, 60.0  # s: long stretches are cleaned in windows, so that they fit memory


@runtime_checkable
class Method(Protocol):
    """What cleans recordings.

    All methods take any number of leads and any length, at 60 to 4000 Hz. Missing samples stay
    missing; leads that are flat, empty or no voltage come back unchanged, and the comments and a
    warning say so; each lead keeps its constant offset (its median).
    """

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Cleaned:
        """Clean a recording.

        Args:
            recording: as recorded.
            strength: share of the noise found that is removed, 0 to 1.

        Raises:
            ValueError: the rate makes no sense for an ECG or for this method, or the strength lies
                outside of 0 to 1.
        """
        ...


@runtime_checkable
class BlockMethod(Method, Protocol):
    """A method that cleans a signal that comes in pieces, in constant memory."""

    def begin(self, fs: float, leads: Leads, *, strength: float = 1.0) -> BlockCleaning:
        """Begin a signal; see :meth:`ipmdae.Denoiser.begin`."""
        ...


class BlockCleaning(Protocol):
    """A signal on its way."""

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Iterator[Block]:
        """Clean a whole signal, given in blocks (time, leads)."""
        ...


def method_names() -> list[str]:
    """The names :func:`open_method` knows: the networks that ship, then the classical methods.

    Classical methods that must be fitted first are not among them; see :class:`Classical`.
    """
    return [*model_names(), *(name for name in classical.names() if name not in classical.LEARNERS)]


def extra_of(method: str) -> str:
    """The extra of this package that a method needs; empty where it needs none."""
    return classical.extra_of(method)


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
    method: str | os.PathLike[str] | ModelFile | Method,
    *,
    backend: str = "auto",
    mains: float | None = None,
    mode: str | None = None,
    unreadable: str | None = None,
    consistent_leads: bool = True,
) -> Method:
    """Open a method.

    Args:
        method: a name of :func:`method_names`, the path of a model file, a model, or a method.
        backend: what runs a network, see :func:`ipmdae.engine.open_engine`.
        mains: 50 or 60 (Hz) to remove powerline interference first.
        mode: what a network may change: ``diagnostic``, ``monitoring`` (the default), ``beats`` or
            ``gentle``; see :data:`ipmdae.safeguards.MODES`.
        unreadable: what stands where a network is not trusted: ``classical``, ``network``, ``raw``
            or ``blank``; by default the mode's.
        consistent_leads: make a network's limb leads obey Einthoven's and Goldberger's equations
            where the recorded ones do.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no method, backend, mains or mode has this name, the file is broken, the method
            must be fitted first, or ``mode`` or ``unreadable`` is given for a classical method.
        ModuleNotFoundError: the method needs an extra that is not installed.
    """
    limits = safeguards(
        mode or DEFAULT_MODE, unreadable=unreadable, consistent_leads=consistent_leads
    )
    opened = _open(method, backend, limits)
    if not isinstance(opened, Denoiser) and (mode or unreadable):
        raise ValueError(f"mode and unreadable are for networks; {opened.name} is none")
    if mains is None:
        return opened
    if isinstance(opened, Denoiser):
        return NetworkWithoutMains(opened, mains)
    return WithoutMains(opened, mains)


def _open(
    method: str | os.PathLike[str] | ModelFile | Method, backend: str, limits: Safeguards
) -> Method:
    if isinstance(method, Method):
        return method
    if isinstance(method, ModelFile):
        return Denoiser(method, backend=backend, limits=limits)
    if method in classical.LEARNERS:
        raise ValueError(
            f"method {method} must be fitted on pairs of noisy and clean windows first: fit "
            f"ipmdae.classical.get({method!r}) and wrap it by ipmdae.methods.Classical"
        )
    if method in classical.names():
        return Classical(str(method), classical.get(str(method)))
    try:
        path = find_model(method)
    except ValueError:
        raise ValueError(
            f"unknown method {str(method)!r}; there are: {listed()}; and any model file"
        ) from None
    return Denoiser(path, backend=backend, limits=limits)


class Classical:
    """A classical method, with the guarantees of a network.

    It works lead by lead, on the lead less its median, which is put back. Gaps up to 1 s are
    interpolated linearly for it; what longer gaps separate is cleaned apart. Long stretches go
    through windows of 10 min that fade into one another over half a minute.

    Attributes:
        name: what it is called.
    """

    def __init__(self, name: str, rival: classical.LeadMethod) -> None:
        """Wrap a rival: one of :func:`ipmdae.classical.get`, fitted where it learns, or your own.

        Args:
            name: what to call it.
            rival: what cleans one lead.
        """
        self.name = name
        self._rival = rival

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Cleaned:
        """Clean a recording; see :class:`Method`."""
        check_rate(recording.fs)
        check_strength(strength)
        signal = recording.signal.copy()
        why = [idle(recording, i) for i in range(len(recording.leads))]
        for lead in (i for i, reason in enumerate(why) if not reason):
            offset = np.nanmedian(signal[:, lead])
            signal[:, lead] = self._lead(signal[:, lead] - offset, recording.fs) + offset
        return finish(recording, signal, why, self.name, strength)

    def _lead(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        """Clean a lead (time,) around zero; missing samples stay missing."""
        cleaned = np.full(len(x), np.nan)
        for begin, end in _stretches(~np.isnan(x), round(_LONG_GAP * fs)):
            cleaned[begin:end] = self._stretch(fill_gaps(x[begin:end, None]), fs)
        cleaned[np.isnan(x)] = np.nan
        return cleaned

    def _stretch(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        """Clean a stretch (time, 1) without gaps; (time,)."""
        margin = max(round(_SHORTEST * fs) - len(x), 0)
        window = min(round(_WINDOW * fs), len(x))
        overlap = min(round(_OVERLAP * fs), window - 1)

        def windows() -> Iterator[NDArray[np.float64]]:
            for first in starts(len(x), window, overlap):
                piece = cut(x, np.array([first]), window)[0, :, 0]
                cleaned = classical.with_margins(lambda y: self._run(y, fs), piece, margin)
                yield cleaned[None, :, None]

        return blend(windows(), len(x), window, overlap)[:, 0]

    def _run(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        try:
            cleaned = self._rival.denoise(x, fs)
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"method {self.name} does not work at {fs:g} Hz: {error}") from error
        if not np.isfinite(cleaned).all():
            raise ValueError(f"method {self.name} is unstable at {fs:g} Hz: choose another one")
        return cleaned


def _stretches(known: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """First samples and ends of what is known (time,), gaps of up to ``gap`` samples bridged."""
    at = np.flatnonzero(known)
    breaks = np.flatnonzero(np.diff(at) > gap + 1)
    first, last = at[[0, *(breaks + 1)]], at[[*breaks, -1]]
    return [(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]
