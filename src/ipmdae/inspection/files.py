"""A file looked at from end to end in pieces, alone or beside what became of it, in flat memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import SignalReader
from ipmdae.inspection.seconds import Seconds, measure, over_known, pieces
from ipmdae.inspection.spectrum import Spectrum, SpectrumGatherer
from ipmdae.mains import NOMINAL
from ipmdae.quality import Quality, amplitude_warnings, judge
from ipmdae.recording import Annotations, Header, Recording

_AT_ONCE = 128
"""Seconds that are in memory together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """What a recording is like, in the leads that are voltages.

    Attributes:
        header: of the recording.
        columns: those leads' places among all leads.
        seconds: each second, measured.
        quality: what may be trusted.
        spectra: by what was measured: ``"recorded"``, and, beside a cleaned recording,
            ``"cleaned"`` and ``"removed"``.
        removed: (seconds, leads) RMS of what was removed, mV; NaN without a cleaned recording.
    """

    header: Header
    columns: tuple[int, ...]
    seconds: Seconds
    quality: Quality
    spectra: dict[str, Spectrum]
    removed: NDArray[np.float64]

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads that are voltages."""
        return self.quality.leads

    @property
    def amplitude(self) -> NDArray[np.float64]:
        """(leads,) median peak-to-peak amplitude of the seconds as recorded, mV; NaN if none."""
        return over_known(np.nanmedian, self.seconds.high - self.seconds.low)

    @property
    def removed_in_all(self) -> NDArray[np.float64]:
        """(leads,) RMS of what was removed, mV; NaN without a cleaned recording."""
        return np.sqrt(over_known(np.nanmean, np.square(self.removed)))

    def warnings(self) -> list[str]:
        """What a user should look at before trusting a result, one sentence each."""
        found = amplitude_warnings(self.leads, self.amplitude)
        for mains in NOMINAL:
            hums = self.spectra["recorded"].hum(mains)
            heard = [
                f"{lead} ({hum:.2g} mV)" for lead, hum in zip(self.leads, hums, strict=True) if hum
            ]
            if heard:
                found.append(
                    f"{mains:g} Hz mains hum in {', '.join(heard)}: "
                    f"ipmdae denoise --mains {mains:g} removes it first"
                )
        return found


def inspect(
    noisy: SignalReader,
    cleaned: SignalReader | None = None,
    *,
    spread: NDArray[np.float64] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Inspection:
    """Look at a recording, and at what cleaning made of it.

    Args:
        noisy: as recorded.
        cleaned: the same leads and samples, cleaned.
        spread: (seconds, all leads) mean standard deviation of the error, mV, where it is known.
        progress: is told the share that is done, 0 to 1.

    Raises:
        ValueError: no lead is a voltage, or the two have other leads, samples or rates.
    """
    header = noisy.info
    columns = [i for i, unit in enumerate(header.units) if unit == "mV"]
    if not columns:
        raise ValueError("no lead is a voltage: there is no ECG to look at")
    if cleaned is not None:
        check_twins(header, cleaned.info)
    names = ("recorded",) if cleaned is None else ("recorded", "cleaned", "removed")
    gatherers = {name: SpectrumGatherer(header.fs, len(columns), header.samples) for name in names}
    measured: list[Seconds] = []
    removed: list[NDArray[np.float64]] = []
    for first, stop in pieces(header.samples, header.fs, _AT_ONCE):
        before = noisy.read(first, stop)[:, columns]
        after = None if cleaned is None else cleaned.read(first, stop)[:, columns]
        measured.append(measure(before, header.fs, first, cleaned=after))
        gatherers["recorded"].add(before)
        if after is not None:
            gatherers["cleaned"].add(after)
            gatherers["removed"].add(before - after)
            removed.append(_rms_by_second(before - after, len(measured[-1].missing)))
        if progress:
            progress(stop / header.samples)
    seconds = Seconds.joined(measured)
    if spread is not None:
        seconds = dataclasses.replace(seconds, spread=spread[:, columns])
    return Inspection(
        header=header,
        columns=tuple(columns),
        seconds=seconds,
        quality=judge(seconds, tuple(header.leads[i] for i in columns)),
        spectra={name: gatherer.spectrum() for name, gatherer in gatherers.items()},
        removed=np.concatenate(removed) if removed else np.full(seconds.low.shape, np.nan),
    )


def signal_to_noise(clean: SignalReader, *others: SignalReader) -> NDArray[np.float64]:
    """Power of a clean recording over that of others' difference to it, in dB, for each lead.

    Constant offsets count neither as signal nor as noise. Missing samples of any are left out.

    Returns:
        (others, leads); infinite where there is no difference, NaN without a sample.

    Raises:
        ValueError: the recordings have other leads, samples or rates.
    """
    header = clean.info
    for other in others:
        check_twins(other.info, header)
    sums = np.zeros((len(others), 5, len(header.leads)))
    for first, stop in pieces(header.samples, header.fs, _AT_ONCE):
        truth = clean.read(first, stop)
        for total, other in zip(sums, others, strict=True):
            error = other.read(first, stop) - truth
            known = np.isfinite(error)
            terms = (known, truth, truth**2, error, error**2)
            total += [np.where(known, term, 0).sum(0) for term in terms]
    with np.errstate(divide="ignore", invalid="ignore"):
        count, signal, signal_square, noise, noise_square = sums.swapaxes(0, 1)
        power = signal_square / count - (signal / count) ** 2
        noise_power = np.maximum(noise_square / count - (noise / count) ** 2, 0)
        ratio: NDArray[np.float64] = 10 * np.log10(power / noise_power)
    return ratio


def check_twins(one: Header, other: Header) -> None:
    """Raise a ValueError where two recordings have other leads, samples or rates."""
    for what in ("leads", "samples", "fs"):
        mine, its = getattr(one, what), getattr(other, what)
        if mine != its:
            raise ValueError(
                f"these are not the same recording: {what} are {_text(mine)} in one and "
                f"{_text(its)} in the other"
            )


def excerpt(reader: SignalReader, start: float, seconds: float) -> Recording:
    """``seconds`` from ``start`` on (both in s), without annotations; less where the file ends.

    Raises:
        ValueError: no sample of the recording lies there.
    """
    header = reader.info
    first = max(round(start * header.fs), 0)
    stop = min(round((start + seconds) * header.fs), header.samples)
    if stop <= first:
        raise ValueError(
            f"nothing was recorded from {start:g} s for {seconds:g} s; "
            f"the recording lasts {header.duration:g} s"
        )
    nothing: dict[str, Annotations] = {}
    part = dataclasses.replace(header, samples=stop - first, annotations=nothing, passengers=())
    return Recording.from_header(part, reader.read(first, stop))


def _rms_by_second(difference: NDArray[np.float64], seconds: int) -> NDArray[np.float64]:
    """RMS of a piece (time, leads) in each of its ``seconds``: (seconds, leads)."""
    parts = np.array_split(np.square(difference), seconds)
    return np.stack([np.sqrt(over_known(np.nanmean, part)) for part in parts])


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
