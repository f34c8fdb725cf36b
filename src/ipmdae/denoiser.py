"""Denoising of arrays, recordings and files by a method and its settings."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, overload

from ipmdae import formats
from ipmdae.arrays import check, choose, warn_of_units
from ipmdae.containers import hertz, open_container, rate_of
from ipmdae.engine import ModelFile
from ipmdae.formats.names import is_ecg
from ipmdae.methods import DEFAULT_MODEL, Method, open_method
from ipmdae.pipeline.guarantees import UNWANTED, check_strength, warn_unchanged
from ipmdae.recording import Recording, millivolts
from ipmdae.result import Result, among
from ipmdae.safeguards import strength_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

Data = TypeVar("Data")

MethodLike = str | os.PathLike[str] | ModelFile | Method
"""A method by name, by the file of its model, as a model, or open."""


class Settings(TypedDict, total=False):
    """Settings of :class:`Denoiser`."""

    method: MethodLike
    mains: float | None
    mode: str | None
    strength: float
    unreadable: str | None
    max_attenuation_db: float | None
    consistent_leads: bool
    backend: str
    max_latency: float | None


class Denoiser:
    """A method and its settings, ready to clean any number of arrays, recordings and files.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> denoiser = ipmdae.Denoiser("ipmdae-small", mains=60)
        >>> denoiser
        <Denoiser: ipmdae-small after removal of 60 Hz interference>
        >>> denoiser.denoise(examples.path("118e06_excerpt"))
        <Recording: MLII, V1; 60 s at 360 Hz>

    Attributes:
        method: the method, open.
        strength: share of the noise found that is removed, 0 to 1.
    """

    def __init__(
        self,
        method: MethodLike = DEFAULT_MODEL,
        *,
        mains: float | None = None,
        mode: str | None = None,
        strength: float = 1.0,
        unreadable: str | None = None,
        max_attenuation_db: float | None = None,
        consistent_leads: bool = True,
        backend: str = "auto",
        max_latency: float | None = None,
    ) -> None:
        """Open a method.

        Args:
            method: a network by name or file, a classical method by name
                (:func:`ipmdae.method_names`), or a method that is open; of a denoiser the
                strength is multiplied.
            mains: 50 or 60 (Hz) to remove powerline interference first.
            mode: what a network may change: ``"diagnostic"``, ``"monitoring"`` (the default),
                ``"beats"`` or ``"gentle"`` (baseline wander alone); see
                :data:`ipmdae.safeguards.MODES`.
            strength: share of the noise found that is removed, 0 to 1.
            unreadable: what stands where a network is not trusted: ``"classical"`` (a band-pass
                filter from 0.5 to 40 Hz), ``"network"``, ``"raw"`` or ``"blank"`` (NaN); by default
                the mode's.
            max_attenuation_db: largest attenuation of the noise found, in dB; a limit on
                ``strength``.
            consistent_leads: make limb leads that a network cleans obey Einthoven's and
                Goldberger's equations where the recorded ones do.
            backend: what runs a network, see :func:`ipmdae.engine.open_engine`.
            max_latency: clean just as a live :class:`~ipmdae.Streamer` of this latency in seconds
                does. By default, each sample is cleaned with the best view of both sides.

        Raises:
            FileNotFoundError: there is no such model file.
            ValueError: a setting is unknown, out of range, or not one of this method.
            ModuleNotFoundError: the method needs a package that is not installed.
        """
        check_strength(strength)
        self.strength = strength_of(strength, max_attenuation_db)
        if isinstance(method, Denoiser):
            self.strength *= method.strength
            method = method.method
        self.method: Method = open_method(
            method,
            mains=mains,
            mode=mode,
            unreadable=unreadable,
            consistent_leads=consistent_leads,
            backend=backend,
            max_latency=max_latency,
        )

    @property
    def name(self) -> str:
        """The method's name, and what is done before."""
        return self.method.name

    @overload
    def denoise(
        self,
        x: str | os.PathLike[str],
        fs: float | None = None,
        *,
        leads: Iterable[Hashable] | None = None,
        return_details: Literal[False] = False,
    ) -> Recording: ...

    @overload
    def denoise(
        self,
        x: str | os.PathLike[str],
        fs: float | None = None,
        *,
        leads: Iterable[Hashable] | None = None,
        return_details: Literal[True],
    ) -> Result[Recording]: ...

    @overload
    def denoise(
        self,
        x: Data,
        fs: float | None = None,
        *,
        leads: Iterable[Hashable] | None = None,
        return_details: Literal[False] = False,
    ) -> Data: ...

    @overload
    def denoise(
        self,
        x: Data,
        fs: float | None = None,
        *,
        leads: Iterable[Hashable] | None = None,
        return_details: Literal[True],
    ) -> Result[Data]: ...

    def denoise(
        self,
        x: Any,
        fs: float | None = None,
        *,
        leads: Iterable[Hashable] | None = None,
        return_details: bool = False,
    ) -> Any:
        """Clean an array, a recording or a file; see :func:`denoise`."""
        if isinstance(x, (str, os.PathLike)):
            x, fs = formats.read(x, fs=fs), None
        if isinstance(x, Recording):
            result = self._recording(x, fs, leads)
        else:
            result = self._array(x, fs, leads)
        cleaned = result.cleaned
        return result if return_details else cleaned

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        """Clean a recording, by this share of the strength; see :class:`ipmdae.Method`."""
        check_strength(strength)
        return self.method.clean(recording, strength=strength * self.strength)

    def _recording(
        self, noisy: Recording, fs: float | None, leads: Iterable[Hashable] | None
    ) -> Result[Recording]:
        if fs is not None and hertz(fs) != noisy.fs:
            raise ValueError(f"the recording has {noisy.fs:g} Hz, which contradicts fs={fs:g}")
        chosen = choose(noisy.leads, leads)
        for lead, unit in ((noisy.leads[i], noisy.units[i]) for i in chosen):
            if unit != "mV" and millivolts(unit) and is_ecg(lead):
                warn_unchanged(lead, f"in {unit}, not in mV", stacklevel=4)
        if len(chosen) == len(noisy.leads):
            return self.clean(noisy)
        result = among(self.clean(noisy.with_leads(chosen)), noisy, chosen)
        left = (lead for i, lead in enumerate(noisy.leads) if i not in chosen)
        unchanged = (f"Unchanged, {UNWANTED}: {lead}" for lead in left)
        comments = (*result.recording.comments, *unchanged)
        recording = dataclasses.replace(result.recording, comments=comments)
        return dataclasses.replace(result, recording=recording)

    def _array(self, x: Any, fs: float | None, leads: Iterable[Hashable] | None) -> Result[Any]:
        container = open_container(x)
        chosen = choose(container.labels, leads)
        values = container.take(chosen)
        check(container, chosen, values)
        names = tuple(str(container.labels[i]) for i in chosen)
        noisy = Recording.from_array(values, rate_of(container, fs), names)
        warn_of_units(noisy)
        return dataclasses.replace(self.clean(noisy), container=container, columns=chosen)

    def __repr__(self) -> str:
        strength = "" if self.strength == 1 else f", strength {self.strength:.3g}"
        return f"<Denoiser: {self.name}{strength}>"


@overload
def denoise(
    x: str | os.PathLike[str],
    fs: float | None = None,
    *,
    leads: Iterable[Hashable] | None = None,
    return_details: Literal[False] = False,
    **settings: Unpack[Settings],
) -> Recording: ...


@overload
def denoise(
    x: str | os.PathLike[str],
    fs: float | None = None,
    *,
    leads: Iterable[Hashable] | None = None,
    return_details: Literal[True],
    **settings: Unpack[Settings],
) -> Result[Recording]: ...


@overload
def denoise(
    x: Data,
    fs: float | None = None,
    *,
    leads: Iterable[Hashable] | None = None,
    return_details: Literal[False] = False,
    **settings: Unpack[Settings],
) -> Data: ...


@overload
def denoise(
    x: Data,
    fs: float | None = None,
    *,
    leads: Iterable[Hashable] | None = None,
    return_details: Literal[True],
    **settings: Unpack[Settings],
) -> Result[Data]: ...


def denoise(
    x: Any,
    fs: float | None = None,
    *,
    method: MethodLike = DEFAULT_MODEL,
    mains: float | None = None,
    mode: str | None = None,
    strength: float = 1.0,
    unreadable: str | None = None,
    max_attenuation_db: float | None = None,
    consistent_leads: bool = True,
    leads: Iterable[Hashable] | None = None,
    return_details: bool = False,
    backend: str = "auto",
    max_latency: float | None = None,
) -> Any:
    """Clean an array, a recording or a file.

    Missing samples stay missing; leads that are flat, empty, not a voltage or called as another
    signal is (``EMG``, ``RESP``) come back unchanged, with a warning; each lead keeps its constant
    offset. To clean many, open a :class:`Denoiser` once, where the settings from ``method`` to
    ``max_latency`` are described. A file that is larger than memory goes through
    :func:`ipmdae.denoise_file`.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> recording = ipmdae.read(examples.path("118e06_excerpt"))
        >>> ipmdae.denoise(recording.signal, fs=recording.fs, mains=60).shape
        (21600, 2)
        >>> ipmdae.denoise(recording, method="iir")
        <Recording: MLII, V1; 60 s at 360 Hz>

    Args:
        x: an array in mV, (time,) or (time, leads): NumPy (masked too), list, pandas Series or
            DataFrame (columns are leads), or torch tensor; a :class:`~ipmdae.Recording`; or the
            path of a file. NaN is a missing sample. Integers are taken as they are: convert digital
            values to mV first.
        fs: sampling rate in Hz, 60 to 4000. Recordings and pandas objects with an index of times
            have one of their own, which it must not contradict; that of a file it overrules, with a
            warning.
        leads: which to clean, by name, column label, or number from 0 in an array without labels;
            the others come back unchanged. By default all.
        return_details: return a :class:`ipmdae.Result` in place of what was cleaned.

    Returns:
        What came in, cleaned: the same kind, shape, index, columns and device; a recording of a
        path. Floating dtypes are kept; integers become float64 (in torch the default dtype).
        Gradients do not flow through.

    Raises:
        ValueError: no such method, setting or lead, another rate, other axes, no samples, infinite
            values, or values that are no real numbers.
        FileNotFoundError: there is no such file.
        FormatError: the file is broken or of no known format.
        ModuleNotFoundError: the method or the format needs a package that is not installed.
    """
    denoiser = Denoiser(
        method,
        mains=mains,
        mode=mode,
        strength=strength,
        unreadable=unreadable,
        max_attenuation_db=max_attenuation_db,
        consistent_leads=consistent_leads,
        backend=backend,
        max_latency=max_latency,
    )
    result = denoiser.denoise(x, fs, leads=leads, return_details=True)
    return result if return_details else result.cleaned
