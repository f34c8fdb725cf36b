"""The error of all readers and writers, and the limits that a file must keep.

Sizes are checked before memory is given to a file: a few bytes can announce terabytes. Names of
other files, which a file may choose, must lie in its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipmdae.text import visible

_LONGEST = 400
"""Characters of a reason; some libraries quote the file."""


class FormatError(ValueError):
    """A file that cannot be read or written as a recording: which one, and why.

    The message is one line. Control characters, which may come from the file, are escaped.

    Attributes:
        path: the file.
        reason: why, without the name of the file.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        self.path = os.fspath(path)
        self.reason = reason
        super().__init__(f"{_printable(self.path)}: {_printable(' '.join(reason.split()))}")

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


def reason(error: BaseException) -> str:
    """The message of a library's error, on one line of moderate length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def first_bytes(path: Path, size: int) -> bytes:
    """The first bytes of a file, by which formats recognise it; none of anything else."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(size)


@contextmanager
def format_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn any error of a reader within the block into a :class:`FormatError` of ``path``.

    Passed on as they are: errors of the operating system that name a file (it is missing, may not
    be read), a missing library, and warnings that the user has made errors.

    Raises:
        FormatError: for all others, :class:`MemoryError` and :class:`RecursionError` included.
    """
    try:
        yield
    except (FormatError, FileNotFoundError, PermissionError, ModuleNotFoundError, Warning):
        raise
    except MemoryError as error:
        raise FormatError(path, "does not fit into memory") from error
    except RecursionError as error:
        raise FormatError(path, "is nested too deeply") from error
    except OSError as error:
        if error.filename is not None:
            raise
        raise FormatError(path, f"cannot be read ({reason(error)})") from error
    except Exception as error:
        said = str(error).strip() and f": {reason(error)}"
        raise FormatError(path, f"is broken ({type(error).__name__}{said})") from error


def _printable(text: str) -> str:
    """Text of moderate length, in which what a terminal would not print is escaped."""
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )


MAX_SAMPLES = 1 << 31
"""Values of all leads together that a file may announce: 16 GiB in memory, 24 h of 12 leads at
2 kHz."""

_MAX_EXPANSION = 200
"""Largest ratio of decompressed to stored size; an ECG in float64 reaches 20."""

_ALWAYS_FINE = 1 << 27
"""Bytes up to which no expansion is suspicious."""


_MAX_GAPS = 16
"""Largest ratio of missing samples to stored ones."""

_ALWAYS_FINE_GAPS = 1 << 23
"""Values, missing ones included, up to which gaps have any length: 9 h of a lead at 250 Hz."""


def check_samples(
    path: str | os.PathLike[str], samples: int, leads: int, held: int | None = None
) -> None:
    """Refuse a recording of no samples or leads, or of more than memory can hold.

    Args:
        path: the file.
        samples: of each lead, missing ones included.
        leads: number of leads.
        held: samples of each lead that the file holds; the others are missing. By default all.

    Raises:
        FormatError: with the numbers.
    """
    if samples < 1 or leads < 1:
        raise FormatError(path, f"holds no signal ({max(samples, 0)} samples of {leads} leads)")
    if samples * leads > MAX_SAMPLES:
        raise FormatError(
            path, f"announces {samples} samples of {leads} leads, more than memory can hold"
        )
    if held is None or samples * leads <= _ALWAYS_FINE_GAPS:
        return
    if samples - held > _MAX_GAPS * held:
        raise FormatError(
            path,
            f"has gaps of {samples - held} samples in all between the {held} that are there; "
            "split it at its gaps",
        )


def check_expansion(path: str | os.PathLike[str], stored: int, expanded: int) -> None:
    """Refuse content that is implausibly larger than what is stored of it (bytes).

    Raises:
        FormatError: with the numbers.
    """
    if expanded > most(stored):
        raise FormatError(
            path,
            f"{stored} bytes expand to {expanded} or more, which no recording does; if you trust "
            "the file, expand it first",
        )


def most(stored: int) -> int:
    """Bytes that a file of ``stored`` bytes may become in memory."""
    return max(_ALWAYS_FINE, _MAX_EXPANSION * stored)


class Budget:
    """Memory that the content of a file may take, all of its entries together.

    Attributes:
        left: bytes that are not spent yet.
    """

    def __init__(self, path: str | os.PathLike[str], stored: int) -> None:
        """Begin with what a file of ``stored`` bytes may become."""
        self._path, self._stored = path, stored
        self.left = most(stored)
        self._whole = self.left

    def spend(self, size: int) -> None:
        """Take ``size`` bytes.

        Raises:
            FormatError: so many are not left.
        """
        self.left -= size
        if self.left < 0:
            check_expansion(self._path, self._stored, self._whole - self.left)


_LONG = re.compile(rb"[eE][-+]?\d{4}")
"""Part of :data:`_EXPONENT` that is quick to find."""

_EXPONENT = re.compile(rb"(?<![\w.,])[-+]?[\d.,]+[eE][-+]?\d{4}")


def check_exponents(path: str | os.PathLike[str], table: bytes) -> None:
    """Refuse a table with exponents of four digits, on which the parser of pandas may crash.

    Raises:
        FormatError: with the number.
    """
    if (b"e" not in table and b"E" not in table) or not _LONG.search(table):
        return
    found = _EXPONENT.search(table)
    if found:
        raise FormatError(path, f"holds a number with too large an exponent ({found[0]!r:.40})")


LONGEST_NAME = 255
"""Bytes that a name may have on the usual file systems."""


def check_name(path: Path, name: str) -> None:
    """Refuse a name that is too long for a file.

    Args:
        path: the file that names the other.
        name: of the other, perhaps with folders.

    Raises:
        FormatError: it is too long.
    """
    length = len(os.fsencode(name))
    if length > LONGEST_NAME:
        raise FormatError(path, f"names a file with a name of {length} bytes ({name!r:.100})")


def companion(path: Path, name: str) -> Path:
    """The file ``name`` in the folder of ``path``.

    Args:
        path: the file that names the other.
        name: a plain name, in any case.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: the name, or what it links to, leads out of the folder, or it is too long.
    """
    check_name(path, name)
    if not name or name in (".", "..") or any(sign in name for sign in ("/", "\\", "\0")):
        raise FormatError(path, f"names a file outside its folder ({name!r:.100})")
    found = path.with_name(name)
    if not found.is_file():
        same = (p for p in path.parent.iterdir() if p.name.lower() == name.lower())
        found = next(same, found)
    shown = visible(found.name)
    if not found.is_file():
        raise FileNotFoundError(f"{path}: {shown}, which belongs to it, is not in its folder")
    if found.resolve().parent != path.resolve().parent:
        raise FormatError(path, f"{shown}, which belongs to it, links out of its folder")
    return found
