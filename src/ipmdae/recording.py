"""Recordings: signal, sampling rate, leads and metadata, from the readers to the writers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmdae.text import counted, one_line, unique

NO_UNIT = "NU"
"""Unit of a lead without a unit, or with an unknown one; the word is WFDB's."""

MILLIVOLTS = {"nv": 1e-6, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "mv": 1.0, "v": 1e3}
"""Millivolts per unit of voltage, by lower-case name (both signs for mu)."""


def millivolts(unit: str) -> float | None:
    """Millivolts per ``unit`` (``"uV"``, ``"V"``, …); ``None`` if it is not a unit of voltage."""
    return MILLIVOLTS.get(unit.strip().lower())


_LEAST_GAIN = 1e-30
"""Steps per unit; with less, samples of 32 bits would not even be finite in single precision."""


COARSE = 5e-3
"""Step in mV beyond which a voltage loses what an ECG may show."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Digital resolution of a lead, so that it can be stored without loss.

    A digital value d stands for (d - ``baseline``) / ``gain`` in ``unit``.

    Attributes:
        gain: steps per ``unit``; negative if the digital values are inverted.
        baseline: digital value of zero.
        unit: unit in the file, e.g. ``"uV"``; the signal itself is in mV then.
        bits: width of a stored sample.
    """

    gain: float = 1000.0
    baseline: int = 0
    unit: str = "mV"
    bits: int = 16

    def __post_init__(self) -> None:
        if not _LEAST_GAIN < abs(self.gain) < np.inf:
            raise ValueError(f"a gain of {self.gain} steps per {self.unit} is invalid")
        object.__setattr__(self, "unit", one_line(self.unit))

    @property
    def step(self) -> float:
        """Size of one step (LSB) in mV, or in the lead's own unit if it is not a voltage."""
        return (millivolts(self.unit) or 1.0) / abs(self.gain)


@dataclass(frozen=True, kw_only=True, repr=False)
class Annotations:
    """Annotations by one annotator; all fields have one entry per annotation.

    Attributes:
        sample: index into the signal, ascending; int64.
        symbol: PhysioNet's one-letter code (``"N"`` a normal beat, ``"("`` an
            onset, …).
        note: free text, often empty.
        subtype, channel, number: small integers defined by the annotator.
    """

    sample: NDArray[np.int64]
    symbol: tuple[str, ...]
    note: tuple[str, ...] = ()
    subtype: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    channel: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    number: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        count = len(self.sample)
        object.__setattr__(self, "sample", np.asarray(self.sample, np.int64))
        object.__setattr__(self, "symbol", tuple(self.symbol))
        object.__setattr__(self, "note", tuple(self.note) or ("",) * count)
        for name in ("subtype", "channel", "number"):
            values = np.asarray(getattr(self, name), np.int64)
            object.__setattr__(self, name, values if len(values) else np.zeros(count, np.int64))
        for name in ("symbol", "note", "subtype", "channel", "number"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{count} marks, but {len(getattr(self, name))} of {name}")

    def __len__(self) -> int:
        return len(self.sample)

    def __repr__(self) -> str:
        return f"<Annotations: {counted(len(self), 'mark')}>"

    def between(self, start: int, stop: int) -> Annotations:
        """Annotations on samples ``start`` to ``stop`` (not included), counted from ``start``."""
        inside = (self.sample >= start) & (self.sample < stop)
        kept = np.flatnonzero(inside)
        return Annotations(
            sample=self.sample[inside] - start,
            symbol=tuple(self.symbol[i] for i in kept),
            note=tuple(self.note[i] for i in kept),
            subtype=self.subtype[inside],
            channel=self.channel[inside],
            number=self.number[inside],
        )

    def rescaled(self, ratio: float) -> Annotations:
        """The same annotations for a signal with ``ratio`` times as many samples."""
        sample = np.rint(self.sample * ratio).astype(np.int64)
        return self if ratio == 1 else dataclasses.replace(self, sample=sample)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AuxiliaryChannel:
    """An auxiliary channel, e.g. respiration at 25 Hz recorded with an ECG at 250 Hz.

    It is neither denoised nor resampled. Formats with several sampling rates (EDF) store it
    unchanged; others leave it out with a warning.

    Attributes:
        name: name in the file.
        unit: unit in the file; values are in this unit, even if it is a voltage.
        fs: sampling rate in Hz.
        samples: number of samples.
        place: index among all signals of its file.
        resolution: digital resolution, if any.
        read: function of two sample indices that returns the samples between them, (n,) float64 in
            ``unit``, NaN where missing. The samples may still be in the file.
    """

    name: str
    unit: str
    fs: float
    samples: int
    place: int
    read: Callable[[int, int], NDArray[np.float64]]
    resolution: Resolution | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", one_line(self.name))
        object.__setattr__(self, "unit", one_line(self.unit))

    def excerpt(self, start: float, seconds: float) -> AuxiliaryChannel:
        """Samples of ``seconds`` s from ``start`` s on."""
        first = min(round(start * self.fs), self.samples)
        stop = min(round((start + seconds) * self.fs), self.samples)
        read = self.read
        return dataclasses.replace(
            self, samples=stop - first, read=lambda i, j: read(first + i, first + j)
        )

    def __repr__(self) -> str:
        length = f"{self.samples / self.fs:g} s at {self.fs:g} Hz"
        return f"<AuxiliaryChannel: {self.name} ({self.unit}); {length}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles hold their samples in memory, wherever they lay before."""
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _auxiliary_of, (known | {"read": self.read(0, self.samples)},)


def _auxiliary_of(fields: dict[str, Any]) -> AuxiliaryChannel:
    values = fields["read"]
    return AuxiliaryChannel(**(fields | {"read": lambda first, stop: values[first:stop]}))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Header:
    """A recording without its signal, as known before and while it is read in blocks.

    Names, units, comments and metadata are one line each, see :func:`ipmdae.text.one_line`; empty
    or repeated names of leads are numbered.

    Attributes:
        samples: number of samples per lead.
        fs, leads, units, start, annotations, resolution, comments, metadata, auxiliary: as in
            :class:`Recording`.

    Raises:
        ValueError: counts do not agree, samples or leads are missing, or the rate is not positive.
    """

    samples: int
    fs: float
    leads: tuple[str, ...]
    units: tuple[str, ...] = ()
    start: datetime | None = None
    annotations: Mapping[str, Annotations] = field(default_factory=dict)
    resolution: tuple[Resolution | None, ...] = ()
    comments: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    auxiliary: tuple[AuxiliaryChannel, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.leads)
        if self.samples < 1 or count < 1:
            raise ValueError(
                f"a recording needs samples and leads, got {self.samples} of {count} leads"
            )
        if not 0 < self.fs < np.inf:
            raise ValueError(f"the sampling rate must be positive, got {self.fs} Hz")
        fields = {
            "fs": float(self.fs),
            "leads": tuple(unique([one_line(name) for name in self.leads])),
            "units": tuple(one_line(u) or NO_UNIT for u in self.units) or ("mV",) * count,
            "resolution": tuple(self.resolution) or (None,) * count,
            "comments": tuple(one_line(comment) for comment in self.comments),
            "annotations": _by_one_line(self.annotations),
            "metadata": _by_one_line({k: one_line(v) for k, v in self.metadata.items()}),
            "auxiliary": tuple(self.auxiliary),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        for name in ("units", "resolution"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{count} leads, but {len(getattr(self, name))} {name}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.fs

    @property
    def description(self) -> str:
        """Leads, length and rate in a few words."""
        shown = ", ".join(self.leads[:_SHOWN])
        more = f", … ({len(self.leads)} leads)" if len(self.leads) > _SHOWN else ""
        return f"{shown}{more}; {self.duration:g} s at {self.fs:g} Hz"

    def __repr__(self) -> str:
        return f"<Header: {self.description}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), {"samples": self.samples, **_known(self)})


_SHOWN = 12
"""Names of leads that a description holds at most."""


def _known(of: Header | Recording) -> dict[str, Any]:
    """Fields that a recording and its header share, as they can be pickled."""
    known = {name: getattr(of, name) for name in _KNOWN}
    return {n: dict(v) if isinstance(v, MappingProxyType) else v for n, v in known.items()}


def _remade(kind: Callable[..., Any], fields: dict[str, Any]) -> Any:
    """A recording or a header of its fields, as pickles hold them."""
    return kind(**fields)


def _by_one_line(known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert metadata to one line each, by name."""
    return MappingProxyType({one_line(name): value for name, value in known.items()})


_KNOWN = (
    *("fs", "leads", "units", "start", "annotations"),
    *("resolution", "comments", "metadata", "auxiliary"),
)
"""Fields shared by a recording and its header."""


def unmasked(x: ArrayLike) -> NDArray[np.float64]:
    """An array as float64; NaN where a masked one is masked."""
    masked: np.ma.MaskedArray[Any, Any] = np.ma.asarray(x, np.float64)
    return masked.filled(np.nan)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Recording:
    """Leads recorded together at one sampling rate, with metadata. Immutable.

    Examples:
        >>> import numpy as np
        >>> import ipmdae
        >>> recording = ipmdae.Recording(signal=np.zeros((720, 2)), fs=360, leads=("I", "II"))
        >>> recording.excerpt(0.5, 1)
        <Recording: I, II; 1 s at 360 Hz>

    Attributes:
        signal: (time, leads) float64, in mV where the lead is a voltage; NaN is a missing sample,
            as which a masked one is taken. Read-only.
        fs: sampling rate in Hz.
        leads: names of the leads.
        units: ``"mV"``, or another unit for a lead that is not a voltage (respiration, pressure);
            by default all mV.
        start: time of sample 0, in the recorder's local time, if known.
        annotations: by name of the annotator.
        resolution: digital resolution of each lead; ``None`` for a lead without one.
        comments: free text of the file's header, one entry per line.
        metadata: further fields by name (e.g. the patient's), as named by the file's format.
        auxiliary: auxiliary channels, copied unchanged.

    Raises:
        ValueError: shapes or counts do not agree, samples or leads are missing, the rate is not
            positive, or the signal holds infinite values.
    """

    signal: NDArray[np.float64]
    fs: float
    leads: tuple[str, ...]
    units: tuple[str, ...] = ()
    start: datetime | None = None
    annotations: Mapping[str, Annotations] = field(default_factory=dict)
    resolution: tuple[Resolution | None, ...] = ()
    comments: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    auxiliary: tuple[AuxiliaryChannel, ...] = ()

    def __post_init__(self) -> None:
        signal = unmasked(self.signal).view()
        if signal.ndim != 2:
            raise ValueError(f"signal must be (time, leads), got an array of shape {signal.shape}")
        if 0 in signal.shape:
            raise ValueError(f"a recording needs samples and leads, got the shape {signal.shape}")
        if np.isinf(signal).any():
            raise ValueError("the signal holds infinite values; mark missing samples by NaN")
        for name, texts in (("leads", self.leads), ("units", self.units)):
            if isinstance(texts, str):
                raise ValueError(f"{name} must be a sequence of texts, such as ({texts!r},)")
            if not all(isinstance(text, str) for text in texts):
                raise ValueError(f"{name} must be texts, got {tuple(texts)!r:.100}")
        if signal.shape[1] != len(self.leads):
            raise ValueError(f"{signal.shape[1]} leads in the signal, but {len(self.leads)} names")
        signal.flags.writeable = False
        object.__setattr__(self, "signal", signal)
        header = self.header  # checks and completes all the rest
        for name in _KNOWN:
            object.__setattr__(self, name, getattr(header, name))

    @property
    def header(self) -> Header:
        """Everything but the signal."""
        known: dict[str, Any] = {name: getattr(self, name) for name in _KNOWN}
        return Header(samples=self.samples, **known)

    @classmethod
    def from_header(cls, header: Header, signal: NDArray[np.float64]) -> Recording:
        """Create a recording from a header and a signal (time, leads).

        Raises:
            ValueError: the signal has another shape than the header states, or infinite values.
        """
        expected = (header.samples, len(header.leads))
        if signal.shape != expected:
            raise ValueError(f"shape {signal.shape} is not the {expected} of the header")
        known: dict[str, Any] = {name: getattr(header, name) for name in _KNOWN}
        return cls(signal=signal, **known)

    @classmethod
    def from_array(cls, x: ArrayLike, fs: float, leads: tuple[str, ...] = ()) -> Recording:
        """Create a recording from an array in mV, (time,) or (time, leads), with numbered leads.

        Raises:
            ValueError: the array has another shape, or no samples.
        """
        signal = unmasked(x)
        signal = signal[:, None] if signal.ndim == 1 else signal
        count = signal.shape[-1] if signal.ndim else 0
        return cls(
            signal=signal, fs=fs, leads=leads or tuple(f"lead {i + 1}" for i in range(count))
        )

    @property
    def samples(self) -> int:
        """Number of samples per lead."""
        return len(self.signal)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.fs

    @property
    def description(self) -> str:
        """Leads, length and rate in a few words."""
        return self.header.description

    def __repr__(self) -> str:
        return f"<Recording: {self.description}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), {"signal": self.signal, **_known(self)})

    def with_leads(self, leads: Sequence[int]) -> Recording:
        """The same recording with a selection of leads, by index."""
        chosen = list(leads)
        names = ("leads", "units", "resolution")
        of_each: dict[str, Any] = {n: tuple(getattr(self, n)[i] for i in chosen) for n in names}
        return dataclasses.replace(self, signal=self.signal[:, chosen], **of_each)

    def with_signal(self, signal: NDArray[np.float64]) -> Recording:
        """The same recording with another signal of the same shape.

        Raises:
            ValueError: the shape differs.
        """
        if signal.shape != self.signal.shape:
            raise ValueError(f"shape {signal.shape} does not replace {self.signal.shape}")
        return dataclasses.replace(self, signal=signal)

    def excerpt(self, start: float, seconds: float) -> Recording:
        """``seconds`` s from ``start`` s on, with the annotations inside; a view.

        Raises:
            ValueError: the recording has no samples there.
        """
        first, stop = interval(self.samples, self.fs, start, seconds)
        begin = self.start and self.start + timedelta(seconds=first / self.fs)
        marks = {name: marks.between(first, stop) for name, marks in self.annotations.items()}
        others = (p.excerpt(first / self.fs, (stop - first) / self.fs) for p in self.auxiliary)
        return dataclasses.replace(
            self,
            signal=self.signal[first:stop],
            start=begin,
            annotations=marks,
            auxiliary=tuple(others),
        )


def voltages_of(units: Sequence[str]) -> list[int]:
    """Indices of the leads that are voltages, by the units of all."""
    return [i for i, unit in enumerate(units) if unit == "mV"]


def interval(samples: int, fs: float, start: float, seconds: float) -> tuple[int, int]:
    """First sample of ``seconds`` s from ``start`` s on, and the one after the last.

    Args:
        samples: length of the recording.
        fs: its sampling rate in Hz.
        start: begin in s.
        seconds: length in s; the interval ends with the recording.

    Raises:
        ValueError: the recording has no samples there.
    """
    first = max(round(start * fs), 0)
    stop = min(round((start + seconds) * fs), samples)
    if stop <= first:
        raise ValueError(
            f"nothing was recorded from {start:g} s for {seconds:g} s; "
            f"the recording lasts {samples / fs:g} s"
        )
    return first, stop
