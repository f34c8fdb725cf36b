"""Fetching the public databases from PhysioNet, or from a mirror with the same layout.

A database lies under ``<base URL>/<name>/<version>/`` with a list SHA256SUMS.txt of its files.
All that the list names is fetched; what is already here and has the published checksum is not.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ipmdae.checksums import is_whole, parse
from ipmdae.files import replacing
from ipmdae.stores import temporary_folder

BASE_URL = "https://physionet.org/files"
CHECKSUMS = "SHA256SUMS.txt"
# Bytes of the list: of a hundred thousand files.
LARGEST_LIST = 1 << 23
# A database is given up when so many times its size has come: the server sends something else.
MOST_SURPLUS = 2.0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published database.

    Attributes:
        name: the short name by which PhysioNet and ``ipmdae download`` know it.
        title: its full name.
        folder: the name of its folder on this machine, that of PhysioNet's own archive.
        url_path: path below the base URL.
        size: of all its files in bytes, about.
        part: the folder of it that is fetched, with a slash at its end; empty for all of it.
        licence: under which its files may be used.
    """

    name: str
    title: str
    folder: str
    url_path: str
    size: int
    part: str = ""
    licence: str = "Open Data Commons Attribution License 1.0"


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="qtdb",
            title="QT Database",
            folder="qt-database-1.0.0",
            url_path="qtdb/1.0.0",
            size=87_500_000,
        ),
        Dataset(
            name="nstdb",
            title="MIT-BIH Noise Stress Test Database",
            folder="mit-bih-noise-stress-test-database-1.0.0",
            url_path="nstdb/1.0.0",
            size=61_000_000,
        ),
        Dataset(
            name="mitdb",
            title="MIT-BIH Arrhythmia Database",
            folder="mit-bih-arrhythmia-database-1.0.0",
            url_path="mitdb/1.0.0",
            size=104_000_000,
        ),
        Dataset(
            name="cinc2017",
            title="PhysioNet/CinC Challenge 2017",
            folder="challenge-2017-1.0.0",
            url_path="challenge-2017/1.0.0",
            size=171_000_000,
            part="training/",
        ),
        Dataset(
            name="cudb",
            title="CU Ventricular Tachyarrhythmia Database",
            folder="cu-ventricular-tachyarrhythmia-database-1.0.0",
            url_path="cudb/1.0.0",
            size=7_000_000,
        ),
    )
}

#: What the benchmarks and the published networks need.
BENCHMARKS = ("qtdb", "nstdb")

Progress = Callable[[Dataset, int, int], None]
"""Called with a database, its bytes here so far, and its bytes in all (an estimate until it is
complete)."""


class DatasetNotFoundError(FileNotFoundError):
    """A database is not where it was looked for; the message says how to fetch it."""

    def __init__(self, name: str, looked_in: str | os.PathLike[str]) -> None:
        dataset, looked_in = DATASETS[name], Path(looked_in)
        inside = (looked_in, *looked_in.parents)
        to = next((f.parent for f in inside if f.name == dataset.folder), looked_in)
        wanted = BENCHMARKS if name in BENCHMARKS else (name,)
        super().__init__(
            f"the {dataset.title} is not in {looked_in}; fetch it with: "
            f"ipmdae download {' '.join(wanted)} --to {shlex.quote(str(to))}"
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Result of the download of one database.

    Attributes:
        dataset: the database.
        folder: its folder.
        fetched: files that were fetched.
        present: files that were already there, with the published checksum.
        size: bytes of all of them.
    """

    dataset: Dataset
    folder: Path
    fetched: int
    present: int
    size: int


def download(
    names: Iterable[str],
    to: str | os.PathLike[str] = "datasets",
    *,
    base_url: str = BASE_URL,
    jobs: int = 4,
    progress: Progress = lambda dataset, here, expected: None,
) -> list[Summary]:
    """Fetch databases into folders below ``to``, every file checked against its checksum.

    A file that is there but does not have the published checksum is replaced. Whatever stops a
    download, Ctrl-C included, leaves whole files only; the next call fetches the others.
    SHA256SUMS.txt comes last: where it is, the database was complete. Several processes may fetch
    the same database to the same folder.

    Args:
        names: of ``DATASETS``.
        to: the folder that holds the databases; made where it is missing.
        base_url: URL with the layout of https://physionet.org/files.
        jobs: files fetched at once.
        progress: called with the progress of the download.

    Raises:
        ValueError: a name is unknown, or ``jobs`` is less than 1.
        ipmdae.lab.data.transfer.DownloadError: no network, a file that is not there or keeps
            arriving damaged, a full disk, a folder that cannot be written to.
    """
    names = list(dict.fromkeys(names))
    unknown = [name for name in names if name not in DATASETS]
    if unknown:
        raise ValueError(f"unknown database {unknown[0]!r}: choose from {', '.join(DATASETS)}")
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    base_url = base_url.rstrip("/")
    return [_download_one(DATASETS[name], Path(to), base_url, jobs, progress) for name in names]


def _download_one(
    dataset: Dataset, to: Path, base_url: str, jobs: int, progress: Progress
) -> Summary:
    """Fetch one database; see :func:`download`."""
    from ipmdae.lab.data.transfer import DownloadError, Receiver, fetch, fetch_all

    address, folder = f"{base_url}/{dataset.url_path}", to / dataset.folder
    try:
        with temporary_folder() as scratch:
            listed = fetch(address, CHECKSUMS, None, scratch, Receiver(LARGEST_LIST))
            checksums = _checksums(listed, f"{address}/{CHECKSUMS}", dataset.part)
        present = {name for name, sha256 in checksums.items() if is_whole(folder / name, sha256)}
        missing = {name: checksums[name] for name in sorted(checksums.keys() - present)}
        before = _size(folder, present)

        def report(received: int) -> None:
            progress(dataset, before + received, max(before + received, dataset.size))

        fetch_all(missing, address, folder, Receiver(MOST_SURPLUS * dataset.size), jobs, report)
        with replacing(folder / CHECKSUMS) as aside:
            lines = (f"{sha256} {name}\n" for name, sha256 in checksums.items())
            aside.write_bytes("".join(lines).encode())
    except (DownloadError, ValueError) as error:
        raise DownloadError(f"{dataset.name}: {error}") from error
    except OSError as error:
        raise DownloadError(
            f"cannot write {error.filename or folder}: {error.strerror}; the {dataset.title} takes "
            f"about {dataset.size / 1e6:.0f} MB: free space or choose another folder"
        ) from error
    size = _size(folder, checksums)
    progress(dataset, size, size)
    return Summary(
        dataset=dataset, folder=folder, fetched=len(missing), present=len(present), size=size
    )


def _checksums(listed: Path, url: str, part: str) -> dict[str, str]:
    """File name -> SHA-256, from the published list, of the files below ``part``."""
    try:
        checksums = parse(listed.read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise ValueError(
            f"{url} is not a list of checksums ({error}); is the base URL right, and is there a "
            "login page in between?"
        ) from error
    wanted = {name: sha256 for name, sha256 in checksums.items() if name.startswith(part)}
    if not wanted:
        raise ValueError(f"{url} lists nothing below {part}")
    return wanted


def _size(folder: Path, names: Iterable[str]) -> int:
    """Bytes of files."""
    return sum((folder / name).stat().st_size for name in names)
