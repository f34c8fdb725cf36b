"""The text of a table: expanded, out of an archive, in one encoding; and its beginning."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ipmdae.formats.errors import FormatError, check_expansion, reason
from ipmdae.formats.table_layout import Layout, lay_out

BytesFile = IO[bytes] | gzip.GzipFile

HEAD = 1 << 16
"""Bytes of a file that are looked at."""

_LIST = re.compile(
    rb"(?:^|[,;\t\"' ])\[\s*(?:-?\d+(?:\.\d+)?(?:e-?\d+)?\s*,\s*){50}", re.IGNORECASE | re.MULTILINE
)
"""A list of many numbers in one cell."""

_TABLES = (".csv", ".tsv", ".txt")
_ECG_FOLDER = "electrocardiograms/"
"""Folder of the ECGs in Apple Health's archive, among tables and files of all kinds."""


def members(path: Path) -> list[Path]:
    """The tables in a zip archive, as paths that lead into it; empty for other files.

    ``export.zip`` holds ``export.zip/apple_health_export/electrocardiograms/ecg_2026-03-14.csv``.
    """
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.lower().endswith(_TABLES)]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return []
    ecgs = [name for name in names if _ECG_FOLDER in name]
    return [path / name for name in sorted(ecgs or names) if ".." not in Path(name).parts]


def is_archive(path: Path) -> bool:
    """True if a path is that of a zip archive of tables, or leads into one."""
    return bool(members(path)) or _archive_of(path) is not None


def stored_size(path: Path) -> int:
    """Bytes of a file, or of the archive that its path leads into."""
    return (_archive_of(path) or path).stat().st_size


def _archive_of(path: Path) -> Path | None:
    """The archive that a path leads into."""
    if path.exists():
        return None
    return next((p for p in path.parents if p.is_file() and zipfile.is_zipfile(p)), None)


@contextmanager
def expanding(path: Path) -> Iterator[None]:
    """Turn errors of broken compression within the block into a :class:`FormatError`."""
    try:
        yield
    except (FormatError, FileNotFoundError, PermissionError):
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        raise FormatError(path, f"cannot be expanded ({reason(error)})") from error


def open_text(path: Path) -> BytesFile:
    r"""The bytes of a table, expanded, in an encoding in which lines end in ``\n``.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: its compression is broken, or it expands to much more than a recording does.
    """
    stream = _expanded(path)
    try:
        with expanding(path):
            start = stream.read(HEAD)
            stream.seek(0)
            encoding = _wide(start)
            if encoding is None and (b"\n" in start or b"\r" not in start):
                return stream
            return _transcoded(stream, encoding or _narrow(start))
    except BaseException:
        stream.close()
        raise


def _expanded(path: Path) -> BytesFile:
    archive = _archive_of(path)
    if archive is not None:
        return _member(path, archive, path.relative_to(archive).as_posix())
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    tables = members(path) if magic == b"PK\x03\x04" else []
    if len(tables) > 1:
        raise FormatError(path, f"holds {len(tables)} tables; name one of them: {tables[0]}")
    if tables:
        return _member(path, path, tables[0].relative_to(path).as_posix())
    return path.open("rb")


def _member(path: Path, archive: Path, name: str) -> IO[bytes]:
    """A file in a zip archive."""
    with expanding(path), zipfile.ZipFile(archive) as opened:
        if name not in opened.namelist():
            raise FileNotFoundError(f"{path}: there is no such file in {archive}")
        entry = opened.getinfo(name)
        check_expansion(path, entry.compress_size, entry.file_size)
        return opened.open(entry)


def _transcoded(stream: BytesFile, encoding: str) -> IO[bytes]:
    r"""A copy in UTF-8 with ends of lines that are ``\n``, in a file without a name."""
    copy = TemporaryFile()  # noqa: SIM115
    try:
        with io.TextIOWrapper(stream, encoding, "replace", newline=None) as reader:
            while text := reader.read(1 << 20):
                copy.write(text.encode("utf-8", "replace"))
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return copy


def _wide(head: bytes) -> str | None:
    """The encoding of wide text, which has a mark at its beginning or zeros in between."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    for encoding, zeros, text in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        if half > 3 and zeros.count(0) > 0.9 * half and not text.count(0):
            return encoding
    return None


def _narrow(head: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # it may end within a character
        return "utf-8"
    except UnicodeDecodeError:
        return "latin-1"


def sniff(path: Path) -> tuple[Layout, int, str]:
    """Look at the beginning of a file.

    Returns:
        The layout of the table, the first byte of its data, and the encoding.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is not a text table of numbers.
    """
    with open_text(path) as file:
        head = file.read(HEAD)
        complete = not file.read(1)
    if b"\0" in head:
        raise FormatError(path, "is not text")
    if _LIST.search(head):
        raise FormatError(
            path,
            "holds a list in a cell, as Withings and Fitbit export ECGs: write the numbers of one "
            "recording in lines of their own, below a heading with their unit, such as ecg (uV); "
            "Fitbit's, divided by scalingFactor, are in mV",
        )
    lines = head.split(b"\n")
    if not complete and len(lines) > 1:
        lines.pop()
    encoding = _narrow(b"\n".join(lines))
    texts = [line.decode(encoding).lstrip("\ufeff").strip("\r") for line in lines]
    name = path.name.lower().removesuffix(".gz")
    try:
        layout = lay_out(texts, path.name[: len(name) - len(Path(name).suffix)])
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    filled = [i for i in range(layout.first, len(texts)) if texts[i].strip()]
    return layout, sum(len(line) + 1 for line in lines[: filled[layout.head.skip]]), encoding
