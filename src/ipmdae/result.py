"""Result of denoising: the cleaned signal, its uncertainty, and the quality of each second."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipmdae.containers import Container
from ipmdae.pipeline.blocks import Trust
from ipmdae.pipeline.guarantees import check_strength, mix, report
from ipmdae.quality import GRADES, Grade, Quality, Reason, quality
from ipmdae.recording import Recording, voltages_of

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result(Generic[Data]):
    """A cleaned ECG and what is known about it.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> recording = ipmdae.read(examples.path("118e06_excerpt"))
        >>> result = ipmdae.denoise(recording, return_details=True)
        >>> result
        <Result of ipmdae-base: MLII, V1; 60 s at 360 Hz>
        >>> result.noise.shape, result.readable.shape
        ((21600, 2), (21600, 2))

    Attributes:
        noisy: the leads as they came in.
        recording: the same leads, cleaned. Its comments say which leads were cleaned by what.
        sd: (time, leads) float32, the network's own standard deviation of its error in mV: of all
            that it would remove, whatever the strength. NaN where a sample is missing or its lead
            was not cleaned, 0 where a flat segment was left alone. ``None`` from a method that does
            not state it.
        trust: (time, leads) uint8, a :class:`ipmdae.pipeline.blocks.Trust` each; ``None`` likewise.
        container: the array that was cleaned, if it was one.
        columns: the positions of the leads in it.
    """

    noisy: Recording
    recording: Recording
    sd: NDArray[np.float32] | None = None
    trust: NDArray[np.uint8] | None = None
    container: Container | None = None
    columns: Sequence[int] = ()

    @cached_property
    def cleaned(self) -> Data:
        """Cleaned input: the same kind, and for an array the same shape."""
        if self.container is None:
            return self.recording  # type: ignore[return-value]
        data: Data = self.container.give(self.columns, self.recording.signal)
        return data

    @cached_property
    def noise(self) -> Any:
        """Input - cleaned in mV; NaN where a sample is missing, 0 in leads not asked for.

        The same kind and shape as an array that came in, and (time, leads) of a recording.
        """
        noise = self.noisy.signal - self.recording.signal
        return noise if self.container is None else self.container.give(self.columns, noise, 0.0)

    @cached_property
    def uncertainty(self) -> Any:
        """Standard deviation of the error in mV as the network itself estimates it.

        The same kind and shape as :attr:`noise`; NaN where nothing was cleaned. ``None`` from a
        method that does not state it.
        """
        if self.container is None or self.sd is None:
            return self.sd
        return self.container.give(self.columns, self.sd, np.nan)

    @cached_property
    def quality(self) -> Quality:
        """Quality of each lead, second by second.

        Raises:
            ValueError: no lead is a voltage.
        """
        return quality(self.noisy, self)

    @cached_property
    def reason(self) -> NDArray[np.uint8]:
        """The reason of each sample's grade, a :class:`ipmdae.quality.Reason` each.

        It is its second's, or that the sample is missing. A NumPy array of the shape of
        :attr:`noise`.
        """
        leads = np.full(self.noisy.signal.shape, Reason.UNVERIFIED, np.uint8)
        voltages = voltages_of(self.noisy.units)
        if voltages:
            by_second = self.quality.reason
            second = (np.arange(self.noisy.samples) / self.noisy.fs).astype(np.intp)
            leads[:, voltages] = by_second[np.minimum(second, len(by_second) - 1)]
        leads[np.isnan(self.noisy.signal)] = Reason.MISSING
        if self.container is None:
            return leads
        whole = np.full((len(leads), len(self.container.labels)), Reason.UNVERIFIED, np.uint8)
        whole[:, list(self.columns)] = leads
        return whole.reshape(self.container.shape)

    @property
    def grade(self) -> NDArray[np.uint8]:
        """The grade of each sample, a :class:`ipmdae.quality.Grade` each; see :attr:`reason`."""
        grade: NDArray[np.uint8] = GRADES[self.reason]
        return grade

    @property
    def readable(self) -> NDArray[np.bool_]:
        """True where the cleaned ECG can be read: the grade is better than unusable."""
        readable: NDArray[np.bool_] = self.grade != Grade.UNUSABLE
        return readable

    def __repr__(self) -> str:
        by = [c.split(":")[0] for c in self.recording.comments if c.startswith("Cleaned by ")]
        method = f" of {by[-1].removeprefix('Cleaned by ')}" if by else ""
        return f"<Result{method}: {self.recording.description}>"


def among(result: Result[Recording], noisy: Recording, leads: Sequence[int]) -> Result[Recording]:
    """The result of some leads of a recording as that of all: the others stay as recorded.

    Args:
        result: of ``noisy.with_leads(leads)``.
        noisy: the whole recording.
        leads: indices of the cleaned leads.
    """
    signal = noisy.signal.copy()
    signal[:, leads] = result.recording.signal
    sd = trust = None
    if result.sd is not None:
        sd = np.full(signal.shape, np.nan, np.float32)
        sd[:, leads] = result.sd
    if result.trust is not None:
        trust = np.full(signal.shape, Trust.UNKNOWN, np.uint8)
        trust[:, leads] = result.trust
    comments = result.recording.comments
    recording = dataclasses.replace(noisy, signal=signal, comments=comments)
    return Result(noisy=noisy, recording=recording, sd=sd, trust=trust)


def finish(
    noisy: Recording,
    cleaned: NDArray[np.float64],
    why: Sequence[str],
    name: str,
    strength: float = 1.0,
) -> Result[Recording]:
    """Put the result of a method together that cleans whole recordings.

    Args:
        noisy: as recorded.
        cleaned: (time, leads) in mV, all that the method can do.
        why: for each lead why it was not cleaned, see :func:`idle`; empty if it was.
        name: the method's name.
        strength: share of the noise found that is removed, 0 to 1.

    Raises:
        ValueError: the strength is out of range.
    """
    check_strength(strength)
    signal = mix(noisy.signal, cleaned, strength)
    comments = report(noisy.header, why, name, strength)
    recording = dataclasses.replace(noisy, signal=signal, comments=comments)
    return Result(noisy=noisy, recording=recording)
