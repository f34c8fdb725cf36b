"""Recordings at URLs (``https://``, ``s3://``, …): fetched to be read, uploaded when written.

Of the formats of several files only WFDB is fetched whole, and only from a store; the others
(Unisens, BIDS, EDAN) must be fetched by the user.
"""

from __future__ import annotations

import atexit
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ipmdae import stores
from ipmdae.formats.blocks import SignalReader, SignalWriter
from ipmdae.formats.errors import FormatError
from ipmdae.stores import shown

LARGEST = 1 << 33
"""Bytes that are fetched at most: 8 GiB."""

_STEP = 1 << 20
_RECORD = ("", ".hea", ".dat")
"""Suffixes by which a WFDB record is named."""

_LAST = (".hea", ".json")
"""Suffixes of the files by which readers find those that belong to them."""


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A local copy of a file, which is removed after the block.

    Warnings and errors within the block that name the copy name the URL instead.

    Raises:
        FormatError: the URL is of another kind, names no file, or the file is larger than 8 GiB.
        OSError: it cannot be fetched.
        ModuleNotFoundError: a library that is needed for this kind of URL is not installed.
    """
    with stores.temporary_folder() as folder:
        file = fetch(url, folder)
        with _named(file, shown(url)):
            yield file


class RemoteReader(SignalReader):
    """A reader of a local copy, which is removed when it is closed; see :func:`fetched`."""

    def __init__(self, url: str, opener: Callable[[Path], SignalReader]) -> None:
        """Fetch a file and let ``opener`` open its copy."""
        self._url = shown(url)
        with ExitStack() as stack:
            folder = stack.enter_context(stores.temporary_folder())
            self._file = fetch(url, folder)
            with _named(self._file, self._url):
                self._reader = stack.enter_context(opener(self._file))
            self.info, self.rate_from = self._reader.info, self._reader.rate_from
            self._stack = stack.pop_all()

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        with _named(self._file, self._url):
            return self._reader.read(first, stop)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def keep(url: str) -> Path:
    """A local copy of a file, which is removed when the program ends; see :func:`fetched`."""
    stack = ExitStack()
    atexit.register(stack.close)
    return fetch(url, stack.enter_context(stores.temporary_folder()))


class RemoteWriter(SignalWriter):
    """A writer of a local file that is uploaded when it is complete."""

    def __init__(self, url: str, opener: Callable[[Path], SignalWriter]) -> None:
        """Let ``opener`` open the local file."""
        self._url = shown(url)
        with ExitStack() as stack:
            self._file = stack.enter_context(stores.staged(url, last=_LAST))
            with _named(self._file, self._url):
                self._writer = stack.enter_context(opener(self._file))
            self._stack = stack.pop_all()

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        with _named(self._file, self._url):
            self._writer.write(block)

    def __exit__(self, *error: Any) -> None:
        with _named(self._file, self._url):
            self._stack.__exit__(*error)


def fetch(url: str, folder: Path) -> Path:
    """Copy a file, or the files of a WFDB record, into a folder; see :func:`fetched`."""
    name, scheme = _name(url), url.partition("://")[0]
    if scheme not in stores.SCHEMES or "::" in url:
        raise FormatError(shown(url), f"is not fetched; known are {', '.join(stores.SCHEMES)}")
    with stores.one_line(url, "fetched"):
        files, place = stores.system(url)
        if stores.in_store(url) and Path(name).suffix in _RECORD:
            stem = place.removesuffix(Path(name).suffix)
            if files.exists(f"{stem}.hea"):
                _fetch_record(url, files, stem, folder)
                return folder / name
        _fetch_file(url, files, place, folder / name)
    return folder / name


def _fetch_record(url: str, files: Any, stem: str, folder: Path) -> None:
    """Copy the files of a WFDB record, and those in its folder that its header names."""
    above, _, name = stem.rpartition("/")
    for place in files.glob(f"{stem}.*"):
        _fetch_file(url, files, place, folder / place.rpartition("/")[2])
    for other in _names_in(folder / f"{name}.hea"):
        if "/" in other or (folder / other).exists() or (folder / f"{other}.hea").exists():
            continue
        if files.exists(f"{above}/{other}.hea"):
            _fetch_record(url, files, f"{above}/{other}", folder)
        elif files.exists(f"{above}/{other}"):
            _fetch_file(url, files, f"{above}/{other}", folder / other)


def _names_in(header: Path) -> set[str]:
    """Names of signal files, or of segments, in a WFDB header, which is checked when it is read."""
    lines = header.read_text(encoding="latin-1").splitlines()
    described = [line.split() for line in lines if line.strip() and not line.startswith("#")][1:]
    return {fields[0] for fields in described if fields and fields[0] not in ("~", ".", "..")}


def _fetch_file(url: str, files: Any, place: str, target: Path) -> None:
    options = {"block_size": 0} if url.startswith("http") else {}
    with files.open(place, "rb", **options) as source:
        _copy(url, source, target)


def _copy(url: str, source: IO[bytes], target: Path) -> None:
    copied = 0
    with target.open("wb") as file:
        while part := source.read(_STEP):
            copied += len(part)
            if copied > LARGEST:
                raise FormatError(shown(url), f"is larger than {LARGEST >> 30} GiB; fetch it first")
            file.write(part)


def _name(url: str) -> str:
    """The name of the file, by which its format may be known."""
    name = shown(url).rpartition("/")[2]
    name = re.sub(r"[^\w.+-]", "_", name)[-100:]
    if not name.strip("._") or "/" not in shown(url).partition("://")[2]:
        raise FormatError(shown(url), "names no file")
    return name


@contextmanager
def _named(file: Path, url: str) -> Iterator[None]:
    """Within the block, messages that name a file name a URL."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except FileNotFoundError as error:
            raise FormatError(
                url, "belongs to other files; fetch them all into one folder first"
            ) from error
        except FormatError as error:
            said = re.sub(rf"^{re.escape(str(file))}\S*: ", "", str(error))
            raise FormatError(url, said) from error
    for warning in caught:
        text = str(warning.message).replace(str(file), url)
        warnings.warn(text, warning.category, stacklevel=4)
