"""URLs (``https://``, ``s3://``, …) by fsspec, and the stores among them that list and take files.

An object of a store appears when its upload is complete, so that none is ever half written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ipmdae import temporaries

SCHEMES = ("http", "https", "s3", "gs", "gcs", "abfs", "az", "adl", "ftp", "sftp", "hf", "memory")
"""Schemes that are fetched; no chains, and nothing that reads local files."""

_STORES = ("s3", "gs", "gcs", "abfs", "az", "adl", "memory")
"""Schemes whose folders are listed and where results are written."""

_PACKAGE = "ultralight-ipm-dae"
_LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "sftp": "paramiko"}
_LIBRARIES |= {"hf": "huggingface_hub"} | dict.fromkeys(("abfs", "az", "adl"), "adlfs")
"""Package that fsspec needs for a scheme."""

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])(.*)", re.IGNORECASE | re.DOTALL)
_NOT_FOUND = 404
_LISTED, _WRITTEN = "listed", "written to"
_TIMEOUT = 30
"""Seconds to wait for a server that sends nothing."""

AnyPath = str | os.PathLike[str]


def url_of(path: AnyPath) -> str | None:
    """The URL that a path is, also after :class:`~pathlib.Path` took one of its slashes."""
    text = os.fspath(path)
    found = _URL.fullmatch(text)
    if found is None or ("://" not in text and found[1].lower() not in SCHEMES):
        return None
    return f"{found[1].lower()}://{found[2]}"


def shown(url: str) -> str:
    """A URL without user, password and query, which may hold keys."""
    scheme, _, rest = url.partition("://")
    place = re.split(r"[?#]", rest)[0]
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def name_of(path: AnyPath) -> str:
    """A path in messages; of a URL as :func:`shown`."""
    url = url_of(path)
    return os.fspath(path) if url is None else shown(url)


def in_store(path: AnyPath) -> bool:
    """True if a path is the URL of a store."""
    url = url_of(path)
    return url is not None and url.partition("://")[0] in _STORES


def system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the place in it.

    Raises:
        ModuleNotFoundError: fsspec is not installed.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f'URLs need fsspec: pip install "{_PACKAGE}[remote]"') from error
    options: dict[str, Any] = {"use_listings_cache": False}
    if url.startswith("http"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT, sock_read=_TIMEOUT)
        options["client_kwargs"] = {"timeout": timeout}
    found: tuple[Any, str] = fsspec.core.url_to_fs(url, **options)
    return found


@contextmanager
def one_line(url: str, action: str) -> Iterator[None]:
    """Within the block, errors of libraries become one line that names the URL without keys.

    Args:
        url: the file or folder.
        action: what the block does, such as ``"fetched"``.

    Raises:
        OSError: the block failed; FileNotFoundError if there is no such file.
        ModuleNotFoundError: a library that is needed for this kind of URL is not installed.
    """
    try:
        yield
    except ValueError:
        raise
    except FileNotFoundError as error:
        # fsspec says so, too, of a server that cannot be reached or that refuses.
        cause = error.__cause__
        refused = getattr(cause, "status", _NOT_FOUND) != _NOT_FOUND
        if cause is not None and (refused or isinstance(cause, OSError)):
            raise _failure(url, action, cause) from error
        if action == _WRITTEN:  # there is no such bucket
            raise _failure(url, action, error) from error
        missing = "bucket" if action == _LISTED else "file"
        raise FileNotFoundError(f"{shown(url)}: there is no such {missing}") from error
    except ImportError as error:
        if "fsspec:" in str(error):
            raise
        scheme = url.partition("://")[0]
        library = _LIBRARIES.get(scheme, f'"{_PACKAGE}[remote]"')
        said = " ".join(str(error).split())
        raise ModuleNotFoundError(
            f"{scheme}:// needs another library ({said}): pip install {library}"
        ) from error
    except Exception as error:
        raise _failure(url, action, error) from error


def _failure(url: str, action: str, error: BaseException) -> OSError:
    said = " ".join(str(error).split()) or type(error).__name__
    said = re.sub(r"\?[^\s'\")]+", "", said.replace(url, shown(url)))
    return OSError(f"{shown(url)}: cannot be {action} ({said})")


def files_below(path: AnyPath) -> dict[Path, int]:
    """Files of a store with their sizes in bytes, in the order of their names.

    Args:
        path: a folder, which is listed with all below it, a file, or a pattern such as
            ``s3://bucket/**/*.edf``.

    Raises:
        OSError: the store cannot be listed.
    """
    url = _url(path)
    with one_line(url, _LISTED):
        files, place = system(url)
        if any(sign in place for sign in "*?["):
            matches: dict[str, Any] = files.glob(place, detail=True)
            folders = [name for name, info in matches.items() if info["type"] == "directory"]
            found = {name: info for name, info in matches.items() if info["type"] == "file"}
            for name in folders:
                found |= files.find(name, detail=True)
        else:
            found = files.find(place, detail=True)
    scheme = url.partition("://")[0]
    named = {
        Path(f"{scheme}://{name.strip('/')}"): int(info.get("size") or 0)
        for name, info in found.items()
        if not name.endswith("/")  # an empty object that stands for a folder
    }
    return dict(sorted(named.items()))


def existing(paths: Iterable[Path]) -> set[Path]:
    """Those of some paths of stores that exist, by one listing for each bucket."""
    by_bucket: dict[str, list[Path]] = {}
    for path in paths:
        by_bucket.setdefault("/".join(path.parts[:2]), []).append(path)
    found: set[Path] = set()
    for several in by_bucket.values():
        # The common folder is listed; of one file only itself.
        common = os.path.commonpath(several)
        found |= set(files_below(common)).intersection(several)
    return found


def exists(path: Path) -> bool:
    """True if there is a local file, or one of a store."""
    return bool(existing([path])) if in_store(path) else path.exists()


def modified(path: AnyPath) -> float:
    """Time of the last change of a file of a store, in seconds since 1970.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be asked for.
    """
    url = _url(path)
    with one_line(url, "examined"):
        files, place = system(url)
        return float(files.modified(place).timestamp())


def upload(folder: Path, to: AnyPath, last: str | tuple[str, ...] = ()) -> None:
    """Write the files of a local folder to a folder of a store: all of them or, if one fails, none.

    Args:
        folder: local folder without subfolders.
        to: folder of a store.
        last: suffixes of the file by which readers find the others. It is written last and, if it
            exists, removed first, so that no header stands beside the signal of another one.

    Raises:
        OSError: a file cannot be written.
    """
    url = _url(to)
    names = sorted(os.listdir(folder), key=lambda name: name.endswith(last))
    done: list[str] = []
    with one_line(url, _WRITTEN):
        files, place = system(url)
        try:
            if len(names) > 1 and names[-1].endswith(last) and files.exists(f"{place}/{names[-1]}"):
                files.rm_file(f"{place}/{names[-1]}")
            for name in names:
                files.put_file(str(folder / name), f"{place}/{name}")
                done.append(name)
        except BaseException:
            for name in done:
                with suppress(Exception):
                    files.rm_file(f"{place}/{name}")
            raise


@contextmanager
def staged(path: AnyPath, last: str | tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a local path; what is written there is uploaded when the block succeeds.

    Args:
        path: file of a store.
        last: see :func:`upload`.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    with temporary_folder() as folder:
        yield folder / target.name
        upload(folder, target.parent, last)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a temporary folder; what killed processes left of theirs is removed.

    What cannot be removed after the block, such as an open file, is removed by a later process.
    """
    with TemporaryDirectory(prefix=temporaries.marker(), ignore_cleanup_errors=True) as folder:
        temporaries.sweep(Path(folder).parent)
        yield Path(folder)


def _url(path: AnyPath) -> str:
    url = url_of(path)
    if url is None:
        raise ValueError(f"{path} is not a URL")
    return url
