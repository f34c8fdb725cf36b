"""Fetching the public databases from PhysioNet, or from a mirror with the same layout.

A database lies under ``<base URL>/<name>/<version>/`` with a list SHA256SUMS.txt of its files.
All that the list names is fetched; what is already here and has the published checksum is not.
"""

from __future__ import annotations

import errno
import os
import shlex
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from urllib.parse import quote

from ipmdae.checksums import is_whole, parse
from ipmdae.files import replacing
from ipmdae.lab.data.transfer import Client, Retry, TransferError

BASE_URL = "https://physionet.org/files"
CHECKSUMS = "SHA256SUMS.txt"
# When so many files fail, the server or the network is at fault, and the rest would fail too.
MOST_FAILURES = 8
# Bytes of the list: of a hundred thousand files.
LARGEST_LIST = 1 << 23
# A database is given up when so many times its size has come: the server sends something else.
MOST_SURPLUS = 2.0
# Seconds after which a download that is to stop no longer waits for its connections.
LONGEST_STOP = 2.0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A published database.

    Attributes:
        name: the short name by which PhysioNet and ``ipmdae download`` know it.
        title: its full name.
        folder: the name of its folder on this machine, that of PhysioNet's own archive.
        url_path: path below the base URL.
        part: the folder of it that is fetched, with a slash at its end; empty for all of it.
        licence: under which its files may be used.
        size: of all its files in bytes, about.
    """

    name: str
    title: str
    folder: str
    url_path: str
    licence: str
    size: int
    part: str = ""


_ODC_BY = "Open Data Commons Attribution License 1.0"

DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="qtdb",
            title="QT Database",
            folder="qt-database-1.0.0",
            url_path="qtdb/1.0.0",
            licence=_ODC_BY,
            size=87_500_000,
        ),
        Dataset(
            name="nstdb",
            title="MIT-BIH Noise Stress Test Database",
            folder="mit-bih-noise-stress-test-database-1.0.0",
            url_path="nstdb/1.0.0",
            licence=_ODC_BY,
            size=61_000_000,
        ),
        Dataset(
            name="mitdb",
            title="MIT-BIH Arrhythmia Database",
            folder="mit-bih-arrhythmia-database-1.0.0",
            url_path="mitdb/1.0.0",
            licence=_ODC_BY,
            size=104_000_000,
        ),
        Dataset(
            name="cinc2017",
            title="PhysioNet/CinC Challenge 2017",
            folder="challenge-2017-1.0.0",
            url_path="challenge-2017/1.0.0",
            licence=_ODC_BY,
            size=171_000_000,
            part="training/",
        ),
        Dataset(
            name="cudb",
            title="CU Ventricular Tachyarrhythmia Database",
            folder="cu-ventricular-tachyarrhythmia-database-1.0.0",
            url_path="cudb/1.0.0",
            licence=_ODC_BY,
            size=7_000_000,
        ),
    )
}

#: What the benchmarks and the published networks need.
BENCHMARKS = ("qtdb", "nstdb")

Progress = Callable[[Dataset, int, int], None]
"""Called with a database, its bytes here so far, and its bytes in all (an estimate until it is
complete); from several threads, one at a time."""


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


class DownloadError(RuntimeError):
    """A database could not be fetched completely; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Result of the download of one database.

    Attributes:
        dataset: the database.
        folder: its folder.
        fetched: files that were fetched.
        present: files that were already there, with the published checksum.
        size: bytes of all of them.
        seconds: the time it took.
    """

    dataset: Dataset
    folder: Path
    fetched: int
    present: int
    size: int
    seconds: float


def download(
    names: Iterable[str],
    to: str | os.PathLike[str] = "datasets",
    *,
    base_url: str = BASE_URL,
    jobs: int = 4,
    progress: Progress | None = None,
    retry: Retry | None = None,
) -> list[Summary]:
    """Fetch databases into folders below ``to``, every file checked against its checksum.

    A file that is there but does not have the published checksum is replaced. Whatever stops a
    download, Ctrl-C included, leaves complete files and ``.part`` files; the next call resumes
    from there. SHA256SUMS.txt comes last: where it is, the database was complete. Several
    processes may fetch the same database to the same folder.

    Args:
        names: of ``DATASETS``.
        to: the folder that holds the databases; made where it is missing.
        base_url: URL with the layout of https://physionet.org/files.
        jobs: files fetched at once.
        progress: called with the progress of the download.
        retry: retry policy for a bad connection.

    Raises:
        ValueError: a name is unknown, or ``jobs`` is less than 1.
        DownloadError: no network, a file that is not there or keeps arriving damaged, a full
            disk, a folder that cannot be written to.
    """
    names = list(dict.fromkeys(names))
    unknown = [name for name in names if name not in DATASETS]
    if unknown:
        raise ValueError(f"unknown database {unknown[0]!r}: choose from {', '.join(DATASETS)}")
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    with Client(retry or Retry(), connections=jobs) as client:
        return [
            _download_one(DATASETS[name], Path(to), base_url, client, jobs, progress)
            for name in names
        ]


def _download_one(
    dataset: Dataset,
    to: Path,
    base_url: str,
    client: Client,
    jobs: int,
    progress: Progress | None,
) -> Summary:
    """Fetch one database; see :func:`download`."""
    started = time.monotonic()
    address, folder = f"{base_url.rstrip('/')}/{dataset.url_path}", to / dataset.folder
    try:
        published = client.fetch_bytes(f"{address}/{CHECKSUMS}", LARGEST_LIST)
        checksums = _checksums(published, address, dataset.part)
        client.release_parts(folder)
        present = {name for name, sha256 in checksums.items() if is_whole(folder / name, sha256)}
        missing = {name: checksums[name] for name in sorted(checksums.keys() - present)}
        meter = _Meter(dataset, progress, sum((folder / name).stat().st_size for name in present))
        _fetch_all(missing, address, folder, client, jobs, meter)
        with replacing(folder / CHECKSUMS) as aside:
            aside.write_bytes(_list(checksums) if dataset.part else published)
    except TransferError as error:
        raise DownloadError(f"{dataset.name}: {error}") from error
    except OSError as error:
        raise DownloadError(_disk_trouble(error, dataset, folder)) from error
    finally:
        client.release_parts(folder)
    return Summary(
        dataset=dataset,
        folder=folder,
        fetched=len(missing),
        present=len(present),
        size=meter.finish(),
        seconds=time.monotonic() - started,
    )


def _checksums(published: bytes, address: str, part: str) -> dict[str, str]:
    """File name -> digest, from the published list, of the files below ``part``."""
    try:
        checksums = parse(published.decode("utf-8", "replace"))
    except ValueError as error:
        raise DownloadError(
            f"{address}/{CHECKSUMS} is not a list of checksums ({error}); is the base URL right, "
            "and is there a login page in between?"
        ) from error
    wanted = {name: digest for name, digest in checksums.items() if name.startswith(part)}
    if not wanted:
        raise DownloadError(f"{address}/{CHECKSUMS} lists nothing below {part}")
    return wanted


def _list(checksums: dict[str, str]) -> bytes:
    """The list of what was fetched, as ``sha256sum`` reads it."""
    return "".join(f"{digest} {name}\n" for name, digest in checksums.items()).encode()


def _fetch_all(
    missing: dict[str, str], address: str, folder: Path, client: Client, jobs: int, meter: _Meter
) -> None:
    """Fetch files side by side."""
    names: SimpleQueue[str] = SimpleQueue()
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
    for name in missing:
        names.put(name)

    def work() -> None:
        with suppress(Empty):
            while True:
                name = names.get_nowait()
                url, report = f"{address}/{quote(name)}", partial(meter.report, name)
                try:
                    client.fetch_file(url, folder / name, missing[name], report)
                    outcomes.put(None)
                except BaseException as error:
                    outcomes.put(error)

    # Daemons, unlike the threads of a pool, do not hold up Ctrl-C while a connection stalls.
    threads = [Thread(target=work, daemon=True) for _ in range(min(jobs, len(missing)))]
    for thread in threads:
        thread.start()
    try:
        _await(outcomes, len(missing))
    except BaseException:
        client.stop()
        for thread in threads:
            thread.join(LONGEST_STOP / jobs)
        raise


def _await(outcomes: SimpleQueue[BaseException | None], files: int) -> None:
    """Wait for all; a few files that fail do not keep the others from coming."""
    failures: list[TransferError] = []
    for _ in range(files):
        outcome = outcomes.get()
        if isinstance(outcome, TransferError):
            failures.append(outcome)
            if len(failures) == MOST_FAILURES:
                break
        elif outcome is not None:
            raise outcome
    if failures:
        failed = "1 file" if len(failures) == 1 else f"{len(failures)} files"
        raise TransferError(
            f"{failed} of {files} could not be fetched: {failures[0]} "
            "What has come is kept; run the same command again to go on."
        )


class _Meter:
    """Counts the bytes of a database that exist, ``present`` at first, and reports them."""

    def __init__(self, dataset: Dataset, progress: Progress | None, present: int) -> None:
        self._dataset, self._progress = dataset, progress
        self._sizes: dict[str, int] = {}
        self._total = present
        self._largest = present + MOST_SURPLUS * dataset.size
        self._lock = Lock()

    def report(self, name: str, size: int) -> None:
        """Take note that ``size`` bytes of the file ``name`` are here.

        Raises:
            TransferError: they are more than the database can have.
        """
        with self._lock:
            self._total += size - self._sizes.get(name, 0)
            self._sizes[name] = size
            if self._total > self._largest:
                raise TransferError(
                    f"more than {self._largest / 1e6:.0f} MB have come of a database of about "
                    f"{self._dataset.size / 1e6:.0f} MB; does the mirror hold another?"
                )
            self._tell(max(self._total, self._dataset.size))

    def finish(self) -> int:
        """Tell that the database is complete; the bytes of it."""
        self._tell(self._total)
        return self._total

    def _tell(self, expected: int) -> None:
        if self._progress is not None:
            self._progress(self._dataset, self._total, expected)


def _disk_trouble(error: OSError, dataset: Dataset, folder: Path) -> str:
    """Advice on an error in writing files."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {folder} is full; the {dataset.title} takes about "
            f"{dataset.size / 1e6:.0f} MB. Free space and run the same command again: it resumes "
            "where it stopped."
        )
    return f"cannot write {error.filename or folder}: {error.strerror}; choose another folder"
