"""Reading what was written before it takes its place: a format may hold less than it is given."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import checked
from ipmdae.formats import fields
from ipmdae.formats.blocks import SignalReader, SignalWriter
from ipmdae.formats.errors import FormatError, reason
from ipmdae.recording import Header

Open = Callable[[Path], SignalReader]


class ReadBackWriter(SignalWriter):
    """A writer whose file is read back before it takes its place; see :func:`check`."""

    def __init__(self, writer: SignalWriter, header: Header, path: Path, open: Open) -> None:
        self._writer, self._header, self._path, self._open = writer, header, path, open

    def __enter__(self) -> ReadBackWriter:
        self._writer.__enter__()
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._writer.write(block)

    def __exit__(self, *error: object) -> None:
        with checked(lambda aside: check(self._header, self._path, aside, self._open)):
            self._writer.__exit__(*error)  # type: ignore[arg-type]


def check(header: Header, path: Path, aside: Path, open: Open) -> None:
    """Compare a file with what it was to hold: leads, units, rate, length, start, patient, marks.

    Args:
        header: the header that should have been written.
        path: the file's name.
        aside: the temporary file, or the folder with the files of a WFDB record.
        open: opens it.

    Raises:
        FormatError: it cannot be read, or comes back as another recording.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open(aside / path.name if aside.is_dir() else aside) as reader:
                found = reader.info
    except (ValueError, OSError) as error:
        why = reason(error).replace(str(aside), path.name)
        raise FormatError(path, f"not written, as it could not be read again ({why})") from error
    different = _difference(header, found, path.name.lower())
    if different:
        raise FormatError(path, f"not written, as {different}")


def _difference(header: Header, found: Header, name: str) -> str:
    """The first thing that comes back otherwise, in words; empty if nothing does."""
    if found.samples != header.samples or len(found.leads) != len(header.leads):
        return (
            f"{header.samples} samples of {len(header.leads)} leads would come back as "
            f"{found.samples} of {len(found.leads)}"
        )
    if name.endswith(".npy"):
        return ""
    pairs: list[tuple[str, object, object]] = [
        ("the rate in Hz", f"{header.fs:.6g}", f"{found.fs:.6g}"),
        *(("the lead", *pair) for pair in zip(header.leads, found.leads, strict=True)),
        *(("the unit", *pair) for pair in zip(header.units, found.units, strict=True)),
    ]
    if not name.endswith(_WITHOUT_DATES):
        pairs.append(("the start", header.start and header.start.replace(tzinfo=None), found.start))
    if not name.endswith(_WITHOUT_MARKS):
        known = {key: header.metadata.get(key) for key in fields.PATIENT}
        pairs += [(f"the {k}", v, found.metadata.get(k)) for k, v in known.items() if v]
        pairs.append(("the annotators", _annotators(header), _annotators(found)))
    for what, before, after in pairs:
        if before != after:
            return f"{what} {before} would come back as {after}"
    return ""


_WITHOUT_DATES = ("_physio.tsv.gz", "_stim.tsv.gz")
"""Formats that hold no date, by the standard: data sets of BIDS are anonymous."""

_WITHOUT_MARKS = (".csv", ".tsv", ".txt", ".gz", ".json")
"""Formats that hold neither patients nor annotations, and say so when they lose them."""


def _annotators(header: Header) -> str:
    return ", ".join(sorted(name for name, marks in header.annotations.items() if len(marks)))
