"""Remote files: URLs (``https://``, ``s3://``, …), downloaded by fsspec.

A format that needs several files at once (WFDB, Unisens, BIDS, EDAN) must be fetched by the user.
"""

from __future__ import annotations

import atexit
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.blocks import SignalReader
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.optional import PACKAGE, needs

LARGEST = 1 << 33
"""Bytes that are fetched at most: 8 GiB."""

_SCHEMES = ("http", "https", "s3", "gs", "gcs", "abfs", "az", "adl", "ftp", "sftp", "hf", "memory")
"""Schemes that are fetched; no chains, and nothing that reads local files."""

_LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "sftp": "paramiko"}
_LIBRARIES |= {"hf": "huggingface_hub"} | dict.fromkeys(("abfs", "az", "adl"), "adlfs")
"""Package that fsspec needs for a scheme."""

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])(.*)", re.IGNORECASE | re.DOTALL)
_STEP = 1 << 20
_NOT_FOUND = 404
_PATIENCE = 30
"""Seconds to wait for a server that sends nothing."""


def url_of(path: str | os.PathLike[str]) -> str | None:
    """The URL that a path is, also after :class:`~pathlib.Path` took one of its slashes."""
    text = os.fspath(path)
    found = _URL.fullmatch(text)
    if found is None or ("://" not in text and found[1].lower() not in _SCHEMES):
        return None
    return f"{found[1].lower()}://{found[2]}"


def shown(url: str) -> str:
    """A URL without user, password and query, which may hold keys."""
    scheme, _, rest = url.partition("://")
    place = re.split(r"[?#]", rest)[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A local copy of a file, which is removed after the block.

    Warnings and errors within the block that name the copy name the URL instead.

    Raises:
        FormatError: the URL is of another kind, names no file, or the file is larger than 8 GiB.
        OSError: it cannot be fetched.
        ModuleNotFoundError: a library that is needed for this kind of URL is not installed.
    """
    with TemporaryDirectory(prefix="ipmdae-") as folder:
        file = fetch(url, Path(folder))
        with _named(file, shown(url)):
            yield file


class RemoteReader(SignalReader):
    """A reader of a local copy, which is removed when it is closed; see :func:`fetched`."""

    def __init__(self, url: str, opener: Callable[[Path], SignalReader]) -> None:
        """Fetch a file and let ``opener`` open its copy."""
        self._url = shown(url)
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix="ipmdae-"))
            self._file = fetch(url, Path(folder))
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
    folder = TemporaryDirectory(prefix="ipmdae-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return fetch(url, Path(folder.name))


def fetch(url: str, folder: Path) -> Path:
    """Copy a file into a folder, under its own name; see :func:`fetched`."""
    name, scheme = _name(url), url.partition("://")[0]
    if scheme not in _SCHEMES or "::" in url:
        raise FormatError(shown(url), f"is not fetched; known are {', '.join(_SCHEMES)}")
    with needs("fsspec", "URLs"):
        import fsspec
    target = folder / name
    try:
        with _opened(fsspec, url, scheme) as source:
            _copy(url, source, target)
    except FormatError:
        raise
    except FileNotFoundError as error:
        # fsspec says so, too, of a server that cannot be reached or that refuses.
        cause = error.__cause__
        if cause is not None and getattr(cause, "status", None) != _NOT_FOUND:
            _fail(url, cause)
        raise FileNotFoundError(f"{shown(url)}: there is no such file") from error
    except ImportError as error:
        library = _LIBRARIES.get(scheme, f'"{PACKAGE}[remote]"')
        raise ModuleNotFoundError(
            f"{scheme}:// needs another library ({reason(error)}): pip install {library}"
        ) from error
    except Exception as error:
        _fail(url, error)
    return target


def _opened(fsspec: Any, url: str, scheme: str) -> Any:
    """A file of a file system, open to be read from its beginning to its end."""
    options: dict[str, Any] = {}
    if scheme in ("http", "https"):
        import aiohttp

        patience = aiohttp.ClientTimeout(total=None, sock_connect=_PATIENCE, sock_read=_PATIENCE)
        options["client_kwargs"] = {"timeout": patience}
    system, place = fsspec.core.url_to_fs(url, **options)
    return system.open(place, "rb", **({"block_size": 0} if options else {}))


def _copy(url: str, source: IO[bytes], target: Path) -> None:
    copied = 0
    with target.open("wb") as file:
        while part := source.read(_STEP):
            copied += len(part)
            if copied > LARGEST:
                raise FormatError(shown(url), f"is larger than {LARGEST >> 30} GiB; fetch it first")
            file.write(part)


def _fail(url: str, error: BaseException) -> NoReturn:
    said = reason(error).replace(url, shown(url))
    said = re.sub(r"\?[^\s'\")]+", "", said)
    raise OSError(f"{shown(url)}: cannot be fetched ({said})") from error


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
            raise FormatError(url, str(error).removeprefix(f"{file}: ")) from error
    for warning in caught:
        text = str(warning.message).replace(str(file), url)
        warnings.warn(text, warning.category, stacklevel=4)
