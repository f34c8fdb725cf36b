"""EDF, EDF+, BDF and BDF+: polysomnography, Holters, BioSemi.

Specifications: https://www.edfplus.info/specs/ and https://www.biosemi.com/faq/file_format.htm.

What is no ECG, or has another rate than the ECG, travels along as
:attr:`~ipmdae.recording.Recording.auxiliary` and is written back to EDF unchanged.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description, edf_text, edf_writer
from ipmdae.formats.blocks import SignalReader, SignalWriter, SpoolingWriter
from ipmdae.formats.description import metadata_in
from ipmdae.formats.edf_records import MAGIC, Records
from ipmdae.formats.edf_text import COMMENT, ENDS, MISSING, Channel, Event
from ipmdae.formats.errors import FormatError, check_samples, first_bytes
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Annotations, AuxiliaryChannel, Header, Recording, millivolts
from ipmdae.text import enumerated

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "EDF/BDF"
SUFFIXES: tuple[str, ...] = (".edf", ".bdf", ".rec")


def recognises(path: Path) -> bool:
    """True if the file begins as EDF or BDF does."""
    return first_bytes(path, 8) in MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    reader = EdfReader(path, annotations=annotations, columns=options.columns or ())
    info = reader.info
    kept = tuple(_kept(channel) for channel in info.auxiliary)
    signal = reader.read(0, info.samples)
    return Recording.from_header(dataclasses.replace(info, auxiliary=kept), signal)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a file.

    Its leads are the signals that are named as ECGs are, or, where none is, all in a unit of
    voltage but those named as an EEG, EOG or EMG, or, where none is in such a unit, all; of these,
    those of the highest rate. Signals of the same rate that are not voltages (respiration) are
    leads too, in their own unit. All others are auxiliary. Where ``options.columns`` names another
    voltage, all voltages of its rate are leads.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: the header is malformed or the file cut off.
    """
    return EdfReader(path, columns=options.columns or ())


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a file; the samples wait in another until all are there and their range is known."""
    return SpoolingWriter(header, path, edf_writer.compose)


def write(recording: Recording, path: Path) -> None:
    """Write EDF+ (16 bits), or BDF+ (24 bits) where the suffix is ``.bdf``.

    Physical and digital ranges that a signal had are kept if its values fit them, its step always
    if they fit the bits. Missing samples, for which EDF has no mark, are stored as the lowest
    digital value with an annotation ``missing: LABEL``. Comments become annotations at the
    beginning. A last data record that is not full is filled up, with the standard annotation
    ``Recording ends``.

    Raises:
        FormatError: the rates have no data record in common, or values do not fit the header.
        OSError: the file cannot be written.
    """
    edf_writer.compose(recording.header, lambda i, j: recording.signal[i:j], path)


class EdfReader(SignalReader):
    """A file that is read block by block."""

    def __init__(
        self, path: Path, *, annotations: bool = True, columns: Sequence[str] = ()
    ) -> None:
        """Read header and annotations; see :func:`open_reader`."""
        self._records = Records(path)
        for doubt in self._records.doubts():
            warnings.warn(f"{path}: {doubt}", stacklevel=4)
        channels, events = self._records.channels, self._records.events
        leads, others, comments = _parted(path, channels, events, columns)
        self._channels, fs = leads, leads[0].fs
        # Without annotations, missing samples would look like samples.
        marks, self._missing, end = _marks(events, fs)
        stored = self._records.samples(leads[0])
        samples = end if end is not None and stored - leads[0].count < end <= stored else stored
        check_samples(path, samples, len(leads))
        self._scales = [millivolts(c.unit) or 1.0 for c in leads]
        cut = (stored - samples) / fs
        try:
            self.info = Header(
                samples=samples,
                fs=fs,
                leads=tuple(c.label or f"lead {i + 1}" for i, c in enumerate(leads)),
                units=tuple("mV" if millivolts(c.unit) else c.unit for c in leads),
                start=self._records.start,
                annotations=marks if annotations else {},
                resolution=tuple(c.resolution for c in leads),
                comments=comments,
                metadata=self._records.metadata | metadata_in(comments, description.ALL),
                auxiliary=tuple(self._auxiliary(channel, cut) for channel in others),
            )
        except ValueError as error:
            raise FormatError(path, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        return self._read(self._channels, first, stop) * self._scales

    def _read(self, channels: Sequence[Channel], first: int, stop: int) -> NDArray[np.float64]:
        values = self._records.read(channels, first, stop)
        for column, channel in zip(values.T, channels, strict=True):
            for a, b in self._missing.get(channel.place, ()):
                begin, end = round(a * channel.fs) - first, round(b * channel.fs) - first
                if end > 0:
                    column[max(begin, 0) : end] = np.nan
        return values

    def _auxiliary(self, channel: Channel, cut: float) -> AuxiliaryChannel:
        """A signal that is copied, less the last ``cut`` seconds that were filled up."""

        def values(first: int, stop: int) -> NDArray[np.float64]:
            return self._read([channel], first, stop)[:, 0] if stop > first else np.empty(0)

        return AuxiliaryChannel(
            name=channel.label,
            unit=channel.unit,
            fs=channel.fs,
            samples=self._records.samples(channel) - round(cut * channel.fs),
            place=channel.place,
            read=values,
            resolution=channel.resolution,
        )


def _parted(
    path: Path, channels: Sequence[Channel], events: Sequence[Event], columns: Sequence[str]
) -> tuple[tuple[Channel, ...], list[Channel], tuple[str, ...]]:
    """The signals that make the recording, those that ride along, and the comments."""
    usable = [channel for channel in channels if channel.count]
    if not usable:
        raise FormatError(path, "holds no samples")
    texts = [event.text.removeprefix(COMMENT) for event in events if _is_comment(event)]
    usable, listed, comments = edf_text.restored(usable, texts)
    chosen = _by_rule(usable, columns) if listed is None else listed
    leads = tuple(usable[i] for i in chosen)
    if not leads:
        labels = enumerated([channel.label for channel in usable if millivolts(channel.unit)])
        raise FormatError(
            path,
            f"holds no ECG: its voltages are called EEG, EOG or EMG: {labels}; if one is a lead, "
            "name it (columns=, --columns)",
        )
    return leads, [c for c in usable if c not in leads], tuple(comments)


def _by_rule(channels: Sequence[Channel], columns: Sequence[str]) -> list[int]:
    """Indices of the leads by their names, or where the user names another voltage, of all such."""
    leads = edf_text.leads_by_rule(channels)
    known = {channels[i].label for i in leads}
    voltages = [i for i, channel in enumerate(channels) if millivolts(channel.unit)]
    others = [
        i for i in voltages if channels[i].label in columns and channels[i].label not in known
    ]
    if not others:
        return leads
    return [i for i in voltages if channels[i].fs == channels[others[0]].fs]


def _is_comment(event: Event) -> bool:
    return event.onset == 0 and event.text.startswith(COMMENT)


def _marks(
    events: Sequence[Event], fs: float
) -> tuple[dict[str, Annotations], dict[int, list[tuple[float, float]]], int | None]:
    """Marks; what is missing of each signal, in s; where the recording ends, if said."""
    marks: list[tuple[int, str]] = []
    missing: dict[int, list[tuple[float, float]]] = {}
    end = None
    for event in events:
        length = event.duration
        gap = re.match(rf"{MISSING}(\d{{1,4}}) ", event.text)
        if gap and length is not None:
            missing.setdefault(int(gap[1]) - 1, []).append((event.onset, event.onset + length))
        elif event.text == ENDS:
            end = round(event.onset * fs)
        elif not _is_comment(event) and abs(event.onset * fs) < 2**62:
            note = event.text if length is None else f"{event.text} [{length:g} s]"
            marks.append((round(event.onset * fs), note))
    return description.from_events(marks), missing, end


def _kept(channel: AuxiliaryChannel) -> AuxiliaryChannel:
    """The same with its samples in memory, whatever becomes of the file."""
    values: Any = channel.read(0, channel.samples)
    return dataclasses.replace(channel, read=partial(_slice, values))


def _slice(values: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
    return values[first:stop]
