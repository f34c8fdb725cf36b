"""The server of the web page: a fixed set of files, nothing else."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from ipmdae import examples, weights

PAGE = Path(__file__).parents[1] / "_web"
"""Folder of the built page, without what the package has elsewhere."""

ELSEWHERE = {"models": (weights, "ipmdae-*.safetensors"), "example": (examples, "*.[dh]*")}
"""Folders of the page that are served from the package's own data."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


def page_files(folder: Path | None = None) -> dict[str, Path]:
    """Files of the page by the path of their URL.

    Args:
        folder: of the built page; by default :data:`PAGE`.

    Raises:
        FileNotFoundError: this installation has no page.
    """
    folder = folder or PAGE
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(
            "this installation has no web page: in a checkout, with Node.js, run "
            "python -m tools.build_web and install again"
        )
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in folder.rglob("*")
        if path.is_file()
    }
    for name, (package, pattern) in ELSEWHERE.items():
        for path in Path(package.__path__[0]).glob(pattern):
            files[f"/{name}/{path.name}"] = path
    return files | {"/": folder / "index.html"}


class PageServer(ThreadingTCPServer):
    """HTTP server of the files of a page.

    Attributes:
        files: the files by the path of their URL.
        url: address of the page.
        local: whether only this computer can reach it.

    Raises:
        OSError: the port is taken, or the address is not one of this computer.
    """

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # where it would let two servers share a port

    def __init__(self, host: str, port: int, files: Mapping[str, Path]) -> None:
        self.files = files
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self.address_family, address = found[0][0], found[0][4]
            super().__init__((str(address[0]), int(address[1])), _Handler)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(
                f"cannot listen on {host}, port {port}: {reason}; choose another --port or --host"
            ) from error
        bound, number = self.socket.getsockname()[:2]
        self.local = ip_address(bound).is_loopback
        self.url = f"http://[{bound}]:{number}/" if ":" in bound else f"http://{bound}:{number}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing of a browser that went away, as when a page is reloaded."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ipmdae", ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            path = self.server.files.get(unquote(urlsplit(self.path).path))
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = path.read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(path.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the address alone."""
