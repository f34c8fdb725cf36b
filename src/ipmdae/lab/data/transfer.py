"""One file over HTTP: resumed where it broke off, tried again, and refused unless it is whole.

The file grows under a name that is the transfer's alone and takes its own only when its SHA-256 is
the published one. What an interruption leaves behind is a ``<name>.part`` at most, and the next
call resumes at its end; of several processes that fetch the same file, one takes it over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event

import requests
from requests.adapters import HTTPAdapter

from ipmdae import temporaries
from ipmdae.checksums import digest, is_whole

PART = ".part"
CHUNK = 1 << 14
LONGEST_WAIT = 60.0


class TransferError(Exception):
    """A file cannot be had; the message names its address and the reason."""


class StoppedError(Exception):
    """The transfer was stopped; the ``.part`` file stays for the next call."""


class _PassingError(Exception):
    """A failure that may pass, with the seconds that the server asks us to wait."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Retry policy of a transfer.

    Attributes:
        attempts: tries in a row that brought nothing new before a file is given up.
        pause: seconds before the second try; doubled before each further one.
        timeout: seconds without a byte after which a connection counts as broken.
    """

    attempts: int = 5
    pause: float = 1.0
    timeout: float = 30.0


class Client:
    """Fetches files with several threads over connections that it keeps open.

    Args:
        retry: when to give up.
        connections: threads that will use it at once.
    """

    def __init__(self, retry: Retry, connections: int) -> None:
        self.retry = retry
        self._stop = Event()
        self._marker = temporaries.marker()
        self._session = requests.Session()
        # A compressed body would make a byte range count compressed bytes.
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._session.close()

    def stop(self) -> None:
        """End every transfer at its next chunk, and every wait now; they raise StoppedError."""
        self._stop.set()

    def fetch_bytes(self, url: str, limit: int) -> bytes:
        """The content at ``url``, of at most ``limit`` bytes, for a file of unknown checksum.

        Raises:
            TransferError: it is larger, cannot be had, or not in ``retry.attempts`` tries.
            StoppedError: the client was stopped.
        """
        patience = _Patience(self.retry, self._stop)
        while True:
            try:
                content = bytearray()
                with self._get(url) as response:
                    for piece in self._pieces(response):
                        content += piece
                        if len(content) > limit:
                            raise TransferError(
                                f"{url} is larger than {limit / 1e6:.0f} MB; is the base URL right?"
                            )
                return bytes(content)
            except _PassingError as failure:
                patience.after(failure)

    def fetch_file(
        self, url: str, target: Path, sha256: str, report: Callable[[int], None]
    ) -> None:
        """Fetch ``url`` to ``target``, going on from ``<target>.part`` where that exists.

        Whatever ends this early, :meth:`release_parts` then leaves what came for the next time.

        Args:
            sha256: the published digest, lower-case hexadecimal.
            report: called with the bytes of this file that are here so far; they become fewer
                when a transfer has to start over. What it raises ends the transfer.

        Raises:
            TransferError: the server has no such file, breaks off or answers with errors again
                and again, or what it sends never has the published digest.
            StoppedError: the client was stopped.
            OSError: the disk is full, or the folder cannot be written to.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_whole(target, sha256):  # another process was quicker
            report(_size(target))
            return
        part = target.with_name(target.name + self._marker + PART)
        with suppress(FileNotFoundError):
            os.replace(target.with_name(target.name + PART), part)
        patience, largest = _Patience(self.retry, self._stop), _size(part)
        while True:
            try:
                self._append(url, part, report)
                if digest(part) == sha256:
                    os.replace(part, target)
                    return
                part.unlink()
                report(0)
                raise _PassingError(
                    f"{url} arrives damaged: its SHA-256 is not the published one; does a proxy "
                    "on the way change it, or a mirror hold another version?"
                )
            except _PassingError as failure:
                patience.after(failure, gained=_size(part) > largest)
                largest = max(largest, _size(part))

    def release_parts(self, folder: Path) -> None:
        """Rename what this client, or a dead process, has of files in a folder to ``<name>.part``.

        The next process that fetches one of them resumes from there.
        """
        for path in list(folder.rglob(f"*{PART}")):
            if self._marker in path.name or temporaries.is_stale(path.name):
                with suppress(OSError):  # another process did it just now
                    name = temporaries.without_marker(path.name)
                    os.replace(path, path.with_name(name + PART))

    def _append(self, url: str, part: Path, report: Callable[[int], None]) -> None:
        """Add to ``part`` what it lacks; start over where the server does not send ranges."""
        have = _size(part)
        with self._get(url, f"bytes={have}-" if have else None) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # the server has no more; the digest decides if the file is complete
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                have = 0
            with part.open("ab" if have else "wb") as file:
                for piece in self._pieces(response):
                    file.write(piece)
                    have += len(piece)
                    report(have)

    def _get(self, url: str, byte_range: str | None = None) -> requests.Response:
        """Ask for ``url``; the body is still to be read, and the response to be closed."""
        if self._stop.is_set():
            raise StoppedError
        headers = {"Range": byte_range} if byte_range else None
        try:
            response = self._session.get(
                url, headers=headers, timeout=self.retry.timeout, stream=True
            )
        except ValueError as error:  # what requests raises for an address without sense
            raise TransferError(f"{url} is not an address that can be fetched: {error}") from error
        except requests.RequestException as error:
            raise _PassingError(
                f"cannot reach {url}: {_reason(error)}; is there a network, and does it need a "
                "proxy (HTTPS_PROXY)?"
            ) from error
        try:
            _check_status(response)
        except BaseException:
            response.close()
            raise
        return response

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The body, in chunks, as it arrives."""
        try:
            for piece in response.iter_content(CHUNK):
                if self._stop.is_set():
                    raise StoppedError
                yield piece
        except requests.RequestException as error:
            raise _PassingError(f"{response.url} broke off: {_reason(error)}") from error


class _Patience:
    """Waits between tries, ever longer, until too many in a row brought nothing."""

    def __init__(self, retry: Retry, stop: Event) -> None:
        self._retry, self._stop = retry, stop
        self._failures = 0

    def after(self, failure: _PassingError, *, gained: bool = False) -> None:
        """Wait after ``failure``; raise TransferError when it was one too many."""
        self._failures = 1 if gained else self._failures + 1
        if self._failures >= self._retry.attempts:
            raise TransferError(f"{failure} (tried {self._failures} times)") from failure
        backoff = self._retry.pause * 2.0 ** (self._failures - 1)
        if self._stop.wait(min(max(backoff, failure.wait), LONGEST_WAIT)):
            raise StoppedError


def _check_status(response: requests.Response) -> None:
    """Raise for an answer that is neither the file, nor a part of it, nor "no more bytes"."""
    status = response.status_code
    if status in (
        HTTPStatus.OK,
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    ):
        return
    message = f"{response.url}: the server answers {status} {response.reason}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        seconds = response.headers.get("Retry-After", "")
        raise _PassingError(message, float(seconds) if seconds.isdecimal() else 0.0)
    raise TransferError(f"{message}; is the base URL right?")


def _size(path: Path) -> int:
    """Bytes of a file, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _reason(error: BaseException) -> str:
    """The innermost cause of a connection's failure, such as "Connection refused"."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
