"""Files over HTTP, compared with their published SHA-256 and retried by pooch, several at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import pooch
import requests

from ipmdae import temporaries

RETRIES = 3
TIMEOUT = 30.0  # s without a byte
# When so many files fail, the server or the network is at fault, and the rest would fail too.
MOST_FAILURES = 8


class DownloadError(RuntimeError):
    """A file or a database cannot be fetched; the message says why and what to do."""


class Receiver:
    """Downloader for pooch that keeps its connections and limits the bytes received in all."""

    def __init__(self, most: float) -> None:
        self.most, self.received = most, 0
        self._session, self._lock = requests.Session(), Lock()

    def __call__(self, url: str, output_file: str, _: pooch.Pooch) -> None:
        os.unlink(output_file)  # made by pooch, readable by its owner only
        with (
            self._session.get(url, stream=True, timeout=TIMEOUT) as response,
            open(output_file, "xb") as file,
        ):
            if response.status_code != requests.codes.ok:
                status = f"{response.status_code} {response.reason}"
                raise requests.HTTPError(f"the server answers {status}")
            for piece in response.iter_content(1 << 14):
                with self._lock:
                    self.received += len(piece)
                if self.received > self.most:
                    expected = f"the {self.most / 1e6:.0f} MB that can be expected"
                    raise DownloadError(f"{url}: more than {expected}; is the base URL right?")
                file.write(piece)


def fetch(address: str, name: str, sha256: str | None, folder: Path, receiver: Receiver) -> Path:
    """Fetch the file ``name`` at ``address`` into ``folder``, under a name without slashes.

    Raises:
        DownloadError: it cannot be fetched, or never has the published checksum.
        OSError: the disk is full.
    """
    # Without slashes: the threads would race for the folders that pooch makes.
    url, flat = f"{address}/{quote(name)}", quote(name, safe="")
    pooch.get_logger().setLevel("CRITICAL")
    store = pooch.Pooch(
        folder.absolute(), "", registry={flat: sha256}, urls={flat: url}, retry_if_failed=RETRIES
    )
    try:
        return Path(store.fetch(flat, downloader=receiver))
    except (requests.RequestException, ValueError) as error:
        if isinstance(error, (requests.HTTPError, ValueError)):
            hint = "is the base URL right?"
        else:
            hint = "is there a network, and does it need a proxy (HTTPS_PROXY)?"
        raise DownloadError(f"cannot fetch {url}: {_reason(error)}; {hint}") from error


def fetch_all(
    checksums: Mapping[str, str],
    address: str,
    folder: Path,
    receiver: Receiver,
    jobs: int,
    report: Callable[[int], None],
) -> None:
    """Fetch files, ``jobs`` at once; a few that fail do not keep the others from coming.

    Each moves to its place in ``folder`` when it is whole. The receiver cannot be used afterwards.

    Args:
        checksums: SHA-256 by file name.
        report: called with the bytes that have come so far.

    Raises:
        DownloadError: some cannot be fetched.
        OSError: the disk is full, or the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = list[DownloadError]()
    with (
        temporaries.folder_in(folder) as aside,
        # Its threads are daemons: they do not hold up Ctrl-C while a connection stalls.
        ThreadPool(max(1, min(jobs, len(checksums)))) as pool,
    ):

        def place(name: str) -> DownloadError | None:
            if not receiver.most:
                return None
            try:
                whole = fetch(address, name, checksums[name], aside, receiver)
            except DownloadError as error:
                return error
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(whole, folder / name)
            return None

        outcomes = pool.imap_unordered(place, checksums)
        try:
            while len(failures) < MOST_FAILURES:
                try:
                    failure = outcomes.next(0.1)
                    failures += [failure] if failure else []
                except multiprocessing.TimeoutError:
                    pass
                report(receiver.received)
        except StopIteration:
            pass
        finally:
            receiver.most = 0  # ends the other transfers
            with suppress(StopIteration, multiprocessing.TimeoutError):
                while True:
                    with suppress(OSError):
                        outcomes.next(0.5)  # a stalled connection is not waited for
    if failures:
        raise DownloadError(
            f"{len(failures)} of {len(checksums)} files could not be fetched: {failures[0]} "
            "What has come is kept; run the same command again to go on."
        )


def _reason(error: BaseException) -> str:
    """The innermost cause of a failure, such as "Connection refused"."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).rstrip(".")
