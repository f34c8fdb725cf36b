"""A local HTTP server with PhysioNet's layout, and on demand with the faults of real servers."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal, NamedTuple
from urllib.parse import unquote

Fault = Literal["none", "break off", "ignore range", "corrupt", "stall"] | int
"""What goes wrong with one answer; a number is an HTTP status sent instead of the file."""


class Answer(NamedTuple):
    """Which bytes of which file one answer sent."""

    name: str
    first: int
    sent: int


class Mirror(ThreadingHTTPServer):
    """Serves ``files`` as the database at ``path`` (``nstdb/1.0.0``) below :attr:`url`."""

    daemon_threads = True

    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/files"
        self.prefix = f"/files/{path}/"
        self.files = dict(files)
        self.publish()
        self.answers: list[Answer] = []
        self.faults: dict[str, Iterator[Fault]] = {}
        self.closing = Event()

    def publish(self) -> None:
        """Write the list of checksums of the files as they are now."""
        self.files.pop("SHA256SUMS.txt", None)
        lines = [f"{hashlib.sha256(self.files[name]).hexdigest()} {name}\n" for name in self.files]
        self.files["SHA256SUMS.txt"] = "".join(lines).encode()

    def fail(self, name: str, faults: Iterable[Fault]) -> None:
        """Let the next answers for ``name`` go wrong, one fault each; the ones after are right."""
        self.faults[name] = itertools.chain(faults, itertools.repeat("none"))

    def sent(self, name: str) -> list[Answer]:
        """The answers for one file, in order."""
        return [answer for answer in self.answers if answer.name == name]

    def nothing_is_half_written(self, files: dict[str, bytes]) -> bool:
        """Whether files are whole under their own names, or begin rightly under ``.part``."""
        return all(
            self.files[name.removesuffix(".part")].startswith(content)
            if name.endswith(".part")
            else self.files[name] == content
            for name, content in files.items()
        )

    @contextmanager
    def running(self) -> Iterator[Mirror]:
        """Serve until the block ends."""
        thread = Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self.shutdown()
            thread.join()
            self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the tests' output."""

    def do_GET(self) -> None:
        name = unquote(self.path).removeprefix(self.server.prefix)
        fault = next(self.server.faults[name]) if name in self.server.faults else "none"
        if name not in self.server.files:
            fault = 404
        if isinstance(fault, int):
            self.answer(fault)
        else:
            self.send_file(name, fault)

    def answer(self, status: int, length: int = 0, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()

    def send_file(self, name: str, fault: Fault) -> None:
        content, asked = self.server.files[name], self.headers.get("Range")
        first = int(asked[len("bytes=") : -1]) if asked and fault != "ignore range" else 0
        body, span = content[first:], f"bytes {first}-{len(content) - 1}/{len(content)}"
        if first >= len(content) > 0:
            self.answer(416)
            return
        if first:
            self.answer(206, len(body), Content_Range=span)
        else:
            self.answer(200, len(body))
        if fault == "corrupt":
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault in ("break off", "stall"):
            body = body[: len(body) // 2]
            self.close_connection = True
        self.server.answers.append(Answer(name, first, len(body)))
        self.wfile.write(body)
        if fault == "stall":
            self.server.closing.wait()
