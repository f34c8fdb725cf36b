"""WFDB annotation files (MIT format): 16-bit words of a code (6 bits) and a value (10 bits).

Specification: https://wfdb.io/spec/annotation-files/. Any file beside a header that shares its name
and is neither signal nor a common kind of document may be one; the suffix names the annotator.

The ``wfdb`` package (4.3) decodes the files of databases to the same, but is not used: ``rdann``
takes a file without end mark or with unknown codes, hence any other file of an even size, for
annotations, cuts channels to 8 bits, and loses step where a field comes twice; ``wrann`` refuses a
negative ``num``, which real files have.
"""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.wfdb_header import beside
from ipmdae.recording import Annotations

_SYMBOLS = ' NLRaVFJASEj/Q~\0|\0sT*D"=pB^t+u?![]en@xf()r'
"""The symbol of each code; 15, 17 and 42 to 49 have none and are called ``[15]``, …; 0: no mark."""

_LAST, _SKIP, _NUM, _SUB, _CHN, _AUX = 49, 59, 60, 61, 62, 63
_RESOLUTION = re.compile(r"## time resolution: ([\d.]+)")
_NOTE = _SYMBOLS.index('"')
_MAX_NOTE = 255

_OTHERS = frozenset(
    "hea dat acq arc bdf csv dcm dicom ecg edf gz h5 hdf5 json mat mfer mfr mwf npy npz parquet pq "
    "rec scp tsv txt wav xdf xdfz xle xml xws "
    "bak bin bmp doc docx gif html jpeg jpg jsonl log m4a md md5 mp3 mp4 odt pdf pkl png ps py raw "
    "rtf sha256 svg tar tif tiff tmp xls xlsx yaml yml zip".split()
)
"""Suffixes of all formats (the first two lines), documents and media: none is an annotator's."""

_ANNOTATOR = re.compile(r"\w{1,30}", re.ASCII)

_LARGEST = 1 << 22
"""Bytes that annotations may have: those of a week of beats."""


def read_all(
    header: Path, fs: float, signal_fs: float, exclude: frozenset[str]
) -> dict[str, Annotations]:
    """All annotations beside a header, by annotator; other files are left alone.

    Args:
        header: path of the header.
        fs: rate in Hz in which the files count, where they do not say so themselves.
        signal_fs: rate of the signal, in which the result counts.
        exclude: names of files that are not annotations, such as the signal files.
    """
    result = {}
    for path in files(header):
        # A device or a pipe would keep a reader waiting.
        if path.name in exclude or not path.is_file():
            continue
        try:
            beside(header, path.name)
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST >> 20} MiB")
            marks, own_fs = decode(path.read_bytes())
            result[path.suffix[1:]] = marks.rescaled(signal_fs / (own_fs or fs))
        except (ValueError, OSError) as error:
            warnings.warn(f"{path}: not read as annotations ({error})", stacklevel=2)
    return result


def files(header: Path) -> list[Path]:
    """Paths beside a header that have its name and an annotator's, sorted."""
    found = header.parent.glob(f"{glob.escape(header.stem)}.*")
    return sorted(
        path for path in found if path.stem == header.stem and is_annotator(path.suffix[1:])
    )


def is_annotator(name: str) -> bool:
    """True if annotations of this name can lie beside a header, and are no other kind of file."""
    return _ANNOTATOR.fullmatch(name) is not None and name.lower() not in _OTHERS


def write_all(annotations: Mapping[str, Annotations], record: Path) -> None:
    """Write ``record.<annotator>`` for each of ``annotations``.

    Raises:
        ValueError: a name is not an annotator's, or numbers do not fit the format.
    """
    for annotator, marks in annotations.items():
        if not is_annotator(annotator):
            raise ValueError(
                f"annotations called {annotator!r} have no place in WFDB, whose annotators are "
                "letters, digits and _, and no suffix of other files; write EDF, or leave them out"
            )
        cut = sum(len(_octets(note)) > _MAX_NOTE for note in marks.note)
        if cut:
            warnings.warn(
                f"{record.name}.{annotator}: notes of more than {_MAX_NOTE} bytes are cut: {cut}",
                stacklevel=4,
            )
        record.with_name(f"{record.name}.{annotator}").write_bytes(encode(marks))


def decode(data: bytes) -> tuple[Annotations, float | None]:
    """The annotations in a file's bytes, and the rate in Hz at which it counts, if it says so.

    Raises:
        ValueError: these are not annotations: the end mark is missing, or there is an unknown code.
    """
    sample: list[int] = []
    code: list[int] = []
    note: list[str] = []
    small: dict[int, list[int]] = {_SUB: [], _CHN: [], _NUM: []}
    time = 0
    for kind, value, rest in _words(data):
        if kind == _SKIP:
            time += value
        elif kind <= _LAST:
            time += value
            sample.append(time)
            code.append(kind)
            note.append("")
            small[_SUB].append(0)
            # Channel and number stay as they were until they change.
            for sticky in (_CHN, _NUM):
                small[sticky].append(small[sticky][-1] if small[sticky] else 0)
        elif not sample:
            raise ValueError("it begins with no mark")
        elif kind == _AUX:
            note[-1] = rest.rstrip(b"\0").decode("utf-8", "surrogateescape")
        else:
            small[kind][-1] = value
    resolution = _RESOLUTION.fullmatch(note[0]) if note else None
    kept = [i for i, kind in enumerate(code) if kind and not (i == 0 and resolution)]
    marks = Annotations(
        sample=np.array(sample, np.int64)[kept],
        symbol=tuple(_symbol(code[i]) for i in kept),
        note=tuple(note[i] for i in kept),
        subtype=_signed(small[_SUB])[kept],
        channel=np.array(small[_CHN], np.int64)[kept],
        number=_signed(small[_NUM])[kept],
    )
    return marks, float(resolution[1]) if resolution else None


def encode(marks: Annotations) -> bytes:
    """The inverse of :func:`decode`, of marks in order of time.

    A symbol that WFDB does not know becomes a note; notes are cut at 255 bytes.

    Raises:
        ValueError: a number does not fit the format, or the first note would be read as a rate.
    """
    _check_numbers(marks)
    out = bytearray()

    def put(kind: int, value: int) -> None:
        out.extend((kind << 10 | value & 0x3FF).to_bytes(2, "little"))

    order = np.argsort(marks.sample, kind="stable")
    time = channel = number = 0
    for i in order.tolist():
        step = int(marks.sample[i]) - time
        if not 0 <= step < 1024:
            put(_SKIP, 0)
            out += (step >> 16 & 0xFFFF).to_bytes(2, "little")
            out += (step & 0xFFFF).to_bytes(2, "little")
            step = 0
        code, note = _code(marks.symbol[i]), marks.note[i]
        if code is None:
            code, note = _NOTE, f"{marks.symbol[i]} {note}".strip()
        put(code, step)
        time = int(marks.sample[i])
        if marks.subtype[i]:
            put(_SUB, int(marks.subtype[i]) & 0xFF)
        if marks.channel[i] != channel:
            channel = int(marks.channel[i])
            put(_CHN, channel)
        if marks.number[i] != number:
            number = int(marks.number[i])
            put(_NUM, number & 0xFF)
        if note:
            text = _octets(note)[:_MAX_NOTE]
            put(_AUX, len(text))
            out += text + b"\0" * (len(text) % 2)
    return bytes(out + b"\0\0")


def _octets(note: str) -> bytes:
    return note.encode("utf-8", "surrogateescape")


def _check_numbers(marks: Annotations) -> None:
    """Refuse what would come back as something else."""
    if not len(marks):
        return
    steps = np.diff(np.sort(marks.sample), prepend=0)
    if np.abs(steps).max() >= 1 << 31:
        raise ValueError("marks are too far apart for WFDB")
    for numbers, low, high in (
        (marks.subtype, -128, 127),
        (marks.channel, 0, 1023),
        (marks.number, -128, 127),
    ):
        if numbers.min() < low or numbers.max() > high:
            raise ValueError(f"WFDB has no place for {numbers.min()} to {numbers.max()} in a mark")
    first = int(np.argmin(marks.sample))
    if _RESOLUTION.fullmatch(marks.note[first]):
        raise ValueError(f"the note {marks.note[first]!r} would be read as a rate")


def _words(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Code, value and text of each entry; the value of a skip is its interval in samples."""
    words: list[int] = np.frombuffer(data[: len(data) // 2 * 2], "<u2").tolist()
    at = 0
    while at < len(words):
        kind, value = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if kind == value == 0:
            return
        if _LAST < kind < _SKIP:
            raise ValueError(f"unknown code {kind}")
        if kind == _SKIP:
            if at + 2 > len(words):
                break
            interval = words[at] << 16 | words[at + 1]
            yield kind, interval - (interval >> 31 << 32), b""
            at += 2
        elif kind == _AUX:
            yield kind, value, data[2 * at : 2 * at + value]
            at += (value + 1) // 2
        else:
            yield kind, value, b""
    raise ValueError("the end mark is missing")


def _signed(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64).astype(np.int8).astype(np.int64)


def _symbol(code: int) -> str:
    known = code < len(_SYMBOLS) and _SYMBOLS[code] != "\0"
    return _SYMBOLS[code] if known else f"[{code}]"


def _code(symbol: str) -> int | None:
    if len(symbol) == 1 and symbol != "\0":
        found = _SYMBOLS.find(symbol)
        return found if found >= 0 else None
    numbered = re.fullmatch(r"\[(\d+)\]", symbol)
    return int(numbered[1]) if numbered and int(numbered[1]) <= _LAST else None
