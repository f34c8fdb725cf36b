"""Measures of a whole recording, alone or with its denoised version, in constant memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import SignalReader
from ipmdae.inspection.heart_rate import HeartRateMeter, HeartRates
from ipmdae.inspection.spectrum import Spectrum, SpectrumGatherer
from ipmdae.pipeline.mains import NOMINAL
from ipmdae.pipeline.tail import Tail
from ipmdae.quality import Quality, amplitude_warnings, judge
from ipmdae.recording import Annotations, Header, Recording, interval, voltages_of
from ipmdae.seconds import Seconds, measure, over_known, pieces
from ipmdae.text import enumerated

_AT_ONCE = 120
"""Seconds in memory at once; a multiple of the heart rate's window."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """Measures of a recording, in the leads that are voltages.

    Attributes:
        header: header of the recording.
        columns: indices of the voltage leads among all leads.
        seconds: measures of each second.
        quality: grade and reason of each second.
        spectra: ``"recorded"`` and, with a denoised recording, ``"cleaned"`` and ``"removed"``.
        heart_rates: before and after denoising; ``None`` if not requested.
    """

    header: Header
    columns: tuple[int, ...]
    seconds: Seconds
    quality: Quality
    spectra: dict[str, Spectrum]
    heart_rates: HeartRates | None = None

    @property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads that are voltages."""
        return self.quality.leads

    @property
    def amplitude(self) -> NDArray[np.float64]:
        """(leads,) median peak-to-peak amplitude of the recorded seconds, mV; NaN if unknown."""
        return over_known(np.nanmedian, self.seconds.high - self.seconds.low)

    @property
    def removed_in_all(self) -> NDArray[np.float64]:
        """(leads,) RMS of the removed noise but for a constant offset, mV; NaN if unknown."""
        power = over_known(np.nanmean, np.square(self.seconds.removed))
        offset = over_known(np.nanmean, self.seconds.removed_mean)
        return np.sqrt(np.maximum(power - np.square(offset), 0))

    def removed_by_band(
        self, bands: Sequence[tuple[str, float, float]]
    ) -> dict[str, NDArray[np.float64]]:
        """(leads,) RMS of the removed noise in each band (name, lowest, highest frequency), mV.

        The power of all of it, divided by the shares of its spectrum, so that bands without gaps
        add up to it; empty without a denoised recording.
        """
        removed = self.spectra.get("removed")
        if removed is None:
            return {}
        power = np.square([removed.rms(low, high) for _, low, high in bands])
        total = power.sum(0)
        shares = np.sqrt(np.divide(power, total, out=power.copy(), where=total > 0))
        rms = self.removed_in_all * shares
        return {name: of_band for (name, _, _), of_band in zip(bands, rms, strict=True)}

    def warnings(self, *, hum: bool = True) -> list[str]:
        """Warnings for the user; powerline interference is included if ``hum`` is true."""
        found = amplitude_warnings(self.leads, self.amplitude)
        for mains in NOMINAL if hum else ():
            hums = self.spectra["recorded"].hum(mains)
            affected = [
                f"{lead} ({rms:.2g} mV)" for lead, rms in zip(self.leads, hums, strict=True) if rms
            ]
            if affected:
                found.append(
                    f"{mains:g} Hz powerline interference in {enumerated(affected)}: "
                    f"ipmdae denoise --mains {mains:g} removes it first"
                )
        return found


class Inspector:
    """Measures a recording in a single pass over its samples."""

    def __init__(self, header: Header, *, heart_rates: bool = False) -> None:
        """Begin a recording.

        Args:
            header: header of the recording.
            heart_rates: True to measure the heart rate too, which is slower.

        Raises:
            ValueError: no lead is a voltage.
        """
        self._header = header
        self._columns = voltages_of(header.units)
        if not self._columns:
            raise ValueError("no lead is a voltage: there is no ECG to measure")
        self._pieces = pieces(header.samples, header.fs, _AT_ONCE)
        self._waiting: dict[str, Tail[Any]] = {}
        self._gatherers: dict[str, SpectrumGatherer] = {}
        self._seconds: list[Seconds] = []
        self._meter = (
            HeartRateMeter(header.duration, header.fs, len(self._columns)) if heart_rates else None
        )

    def add(
        self,
        noisy: NDArray[np.float64],
        cleaned: NDArray[np.float64] | None = None,
        sd: NDArray[Any] | None = None,
        trust: NDArray[np.uint8] | None = None,
    ) -> None:
        """Add the next samples; each call must pass the same kinds of signals.

        Args:
            noisy: (time, all leads) as recorded, mV; NaN is a missing sample.
            cleaned: the same, denoised.
            sd: (time, all leads) standard deviation of the error, mV.
            trust: (time, all leads) :class:`ipmdae.pipeline.blocks.Trust` of the denoised signal.
        """
        given = {"recorded": noisy, "cleaned": cleaned, "sd": sd, "trust": trust}
        for name, signal in given.items():
            if signal is not None:
                waiting = self._waiting.setdefault(name, Tail(len(self._columns), signal.dtype))
                waiting.append(signal[:, self._columns])
        while self._pieces and self._waiting["recorded"].stop >= self._pieces[0][1]:
            self._measure(*self._pieces.pop(0))

    def result(self) -> Inspection:
        """Results, after the last sample."""
        if self._pieces:
            raise ValueError("the recording is not complete yet")
        seconds = Seconds.joined(self._seconds)
        header = self._header
        return Inspection(
            header=header,
            columns=tuple(self._columns),
            seconds=seconds,
            quality=judge(seconds, tuple(header.leads[i] for i in self._columns)),
            spectra={name: gatherer.spectrum() for name, gatherer in self._gatherers.items()},
            heart_rates=self._meter.rates() if self._meter else None,
        )

    def _measure(self, first: int, stop: int) -> None:
        """Measure the samples of a chunk."""
        parts = {name: tail.rows(first, stop) for name, tail in self._waiting.items()}
        before, after = parts["recorded"], parts.get("cleaned")
        fs = self._header.fs
        self._seconds.append(
            measure(
                before,
                fs,
                first,
                cleaned=after,
                sd=parts.get("sd"),
                trust=parts.get("trust"),
            )
        )
        signals = {"recorded": before}
        if after is not None:
            signals |= {"cleaned": after, "removed": before - after}
        for name, signal in signals.items():
            if name not in self._gatherers:
                count, samples = len(self._columns), self._header.samples
                self._gatherers[name] = SpectrumGatherer(fs, count, samples)
            self._gatherers[name].add(signal)
        if self._meter:
            self._meter.add(first, before, after)
        for tail in self._waiting.values():
            tail.drop(stop)


def inspect(noisy: SignalReader, cleaned: SignalReader | None = None) -> Inspection:
    """Measure a recording, and the noise removed from it.

    Args:
        noisy: recording before denoising.
        cleaned: the same leads and samples, denoised.

    Raises:
        ValueError: no lead is a voltage, or leads, samples or rates differ.
    """
    header = noisy.info
    inspector = Inspector(header)
    if cleaned is not None:
        check_comparable(header, cleaned.info)
    for first, stop in pieces(header.samples, header.fs, _AT_ONCE):
        inspector.add(
            noisy.read(first, stop), None if cleaned is None else cleaned.read(first, stop)
        )
    return inspector.result()


def signal_to_noise(clean: SignalReader, *others: SignalReader) -> NDArray[np.float64]:
    """SNR of other recordings relative to a clean one, in dB, for each lead.

    Constant offsets count neither as signal nor as noise. Samples missing in any are left out.

    Returns:
        (others, leads); infinite for equal signals, NaN without samples.

    Raises:
        ValueError: leads, samples or rates of the recordings differ.
    """
    header = clean.info
    for other in others:
        check_comparable(other.info, header)
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


def check_comparable(one: Header, other: Header) -> None:
    """Check that two recordings have the same leads, samples and rates."""
    for what in ("leads", "samples", "fs"):
        mine, its = getattr(one, what), getattr(other, what)
        if mine != its:
            raise ValueError(
                f"these are not the same recording: {what} are {_text(mine)} in one and "
                f"{_text(its)} in the other"
            )


def excerpt(reader: SignalReader, start: float, seconds: float) -> Recording:
    """``seconds`` s from ``start`` s on, without annotations; fewer at the end of the file.

    Raises:
        ValueError: the recording has no samples there.
    """
    header = reader.info
    first, stop = interval(header.samples, header.fs, start, seconds)
    nothing: dict[str, Annotations] = {}
    begin = header.start and header.start + timedelta(seconds=first / header.fs)
    part = dataclasses.replace(
        header, samples=stop - first, start=begin, annotations=nothing, auxiliary=()
    )
    return Recording.from_header(part, reader.read(first, stop))


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
