"""A local HTTP server with PhysioNet's layout, and on demand with the faults of real servers."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal
from urllib.parse import unquote

Fault = Literal["none", "break off", "corrupt", "endless", "stall"] | int
"""What goes wrong with one answer; a number is an HTTP status sent instead of the file."""


class Mirror(ThreadingHTTPServer):
    """Serves ``files`` as the database at ``path`` (``nstdb/1.0.0``) below :attr:`url`."""

    daemon_threads = True

    def __init__(self, path: str, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/files"
        self.prefix = f"/files/{path}/"
        self.files = dict(files)
        self.publish()
        self.answered: list[str] = []
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

    def answer(self, status: int, length: int | None = 0) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send_file(self, name: str, fault: Fault) -> None:
        body = self.server.files[name]
        self.answer(200, None if fault == "endless" else len(body))
        if fault == "corrupt":
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault in ("break off", "stall"):
            body = body[: len(body) // 2]
        self.close_connection = fault in ("break off", "endless", "stall")
        self.server.answered.append(name)
        self.wfile.write(body)
        while fault == "endless":  # until the client goes away
            self.wfile.write(bytes(1 << 14))
        if fault == "stall":
            self.server.closing.wait()
