"""EDF, EDF+, BDF and BDF+: polysomnography, Holters, BioSemi.

What is no ECG, or has another rate than the ECG, travels along as
:attr:`~ipmdae.recording.Recording.auxiliary` and is written back to EDF unchanged.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import annotation_text, edf_labels, edf_writer, fields
from ipmdae.formats.blocks import SignalReader, SignalWriter
from ipmdae.formats.description import metadata_in
from ipmdae.formats.edf_file import COMMENT, ENDS, MAGIC, MISSING, Channel, EdfFile
from ipmdae.formats.edf_labels import leads_by_rule
from ipmdae.formats.edf_tal import Event
from ipmdae.formats.errors import FormatError
from ipmdae.formats.lead_names import is_ecg
from ipmdae.formats.limits import check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.spool import SpoolingWriter
from ipmdae.recording import Annotations, AuxiliaryChannel, Header, Recording, millivolts

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "EDF/BDF"
SUFFIXES: tuple[str, ...] = (".edf", ".bdf", ".rec")


def recognises(path: Path) -> bool:
    """True if the file begins as EDF or BDF does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) in MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    reader = EdfReader(path, annotations=annotations)
    info = reader.info
    kept = tuple(_kept(channel) for channel in info.auxiliary)
    signal = reader.read(0, info.samples)
    return Recording.from_header(dataclasses.replace(info, auxiliary=kept), signal)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a file.

    Its leads are the signals that are named as ECGs are, or, where none is, all in a unit of
    voltage, or, where none is, all; of these, those of the highest rate. Signals of the same rate
    that are not voltages (respiration) are leads too, in their own unit. All others are auxiliary.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: the header is malformed or the file cut off.
    """
    return EdfReader(path)


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
    """A file that is read record by record."""

    def __init__(self, path: Path, *, annotations: bool = True) -> None:
        """Read header and annotations; see :func:`open_reader`."""
        self._file = file = EdfFile(path)
        self._channels, others, comments = _parted(file)
        # Without annotations, missing samples would look like samples.
        marks, self._missing, end = _events(file, self._channels[0].fs)
        samples = file.samples(self._channels[0])
        last = samples - self._channels[0].count
        self._samples = end if end is not None and last < end <= samples else samples
        check_samples(path, self._samples, len(self._channels))
        scales = [
            (millivolts(channel.unit) or 1.0) if channel.resolution else 1.0
            for channel in self._channels
        ]
        self._scales = np.array(scales)
        cut = (samples - self._samples) / self._channels[0].fs
        try:
            self.info = Header(
                samples=self._samples,
                fs=self._channels[0].fs,
                leads=tuple(c.label or f"lead {i + 1}" for i, c in enumerate(self._channels)),
                units=tuple(
                    "mV" if c.resolution and millivolts(c.unit) else c.unit for c in self._channels
                ),
                start=file.start,
                annotations=marks if annotations else {},
                resolution=tuple(c.resolution for c in self._channels),
                comments=comments,
                metadata=file.metadata | metadata_in(comments, fields.ALL),
                auxiliary=tuple(self._auxiliary(channel, cut) for channel in others),
            )
        except ValueError as error:
            raise FormatError(path, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        values = self._read(self._channels, first, stop)
        values *= self._scales
        return values

    def __exit__(self, *_: object) -> None:
        """Nothing is kept open."""

    def _read(self, channels: tuple[Channel, ...], first: int, stop: int) -> NDArray[np.float64]:
        values = self._file.read(channels, first, stop)
        for column, channel in zip(values.T, channels, strict=True):
            for a, b in self._missing.get(channel.place, ()):
                begin, end = round(a * channel.fs) - first, round(b * channel.fs) - first
                if end > 0:
                    column[max(begin, 0) : end] = np.nan
        return values

    def _auxiliary(self, channel: Channel, cut: float) -> AuxiliaryChannel:
        """A signal that is copied, less the last ``cut`` seconds that were filled up."""

        def values(first: int, stop: int) -> NDArray[np.float64]:
            if stop <= first:
                return np.empty(0)
            return self._read((channel,), first, stop)[:, 0]

        return AuxiliaryChannel(
            name=channel.label,
            unit=channel.unit,
            fs=channel.fs,
            samples=self._file.samples(channel) - round(cut * channel.fs),
            place=channel.place,
            read=values,
            resolution=channel.resolution,
        )


def _parted(file: EdfFile) -> tuple[tuple[Channel, ...], list[Channel], tuple[str, ...]]:
    """The signals that make the recording, those that ride along, and the comments."""
    usable = [channel for channel in file.channels if channel.count]
    if not usable or not file.records:
        raise FormatError(file.path, "holds no samples")
    texts = [e.text.removeprefix(COMMENT) for e in file.events if _is_comment(e)]
    usable, listed, comments = edf_labels.restored(usable, texts)
    # A unit without a scale is not used.
    known = [c if c.resolution else dataclasses.replace(c, unit="") for c in usable]
    chosen = leads_by_rule(known) if listed is None else listed
    leads = tuple(usable[i] for i in chosen)
    named = [c for c in known if millivolts(c.unit) and is_ecg(c.label)]
    slower = ", ".join(f"{c.label} ({c.fs:g} Hz)" for c in named if c.fs != leads[0].fs)
    if slower and listed is None:
        warnings.warn(
            f"{file.path}: leads are read at {leads[0].fs:g} Hz; carried along as they are: "
            f"{slower}",
            stacklevel=5,
        )
    return leads, [c for c in usable if c not in leads], tuple(comments)


def _is_comment(event: Event) -> bool:
    return event.onset == 0 and event.text.startswith(COMMENT)


def _events(
    file: EdfFile, fs: float
) -> tuple[dict[str, Annotations], dict[int, list[tuple[float, float]]], int | None]:
    """Marks; what is missing of each signal, in s; where the recording ends, if said."""
    marks: list[tuple[int, str]] = []
    missing: dict[int, list[tuple[float, float]]] = {}
    end = None
    for event in file.events:
        length = event.duration
        gap = re.match(rf"{MISSING}(\d{{1,4}}) ", event.text)
        if gap and length is not None:
            place = int(gap[1]) - 1
            missing.setdefault(place, []).append((event.onset, event.onset + length))
        elif event.text == ENDS:
            end = round(event.onset * fs)
        elif not _is_comment(event) and abs(event.onset * fs) < 2**62:
            note = event.text if length is None else f"{event.text} [{length:g} s]"
            marks.append((round(event.onset * fs), note))
    return annotation_text.from_events(marks), missing, end


def _kept(channel: AuxiliaryChannel) -> AuxiliaryChannel:
    """The same with its samples in memory, whatever becomes of the file."""
    values: Any = channel.read(0, channel.samples)
    return dataclasses.replace(channel, read=partial(_slice, values))


def _slice(values: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
    return values[first:stop]
