"""The command ``ipmdae web``: a real server of a page, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from ipmdae import cli
from ipmdae.commands import web_server
from ipmdae.commands.web_server import HEADERS, PageServer, page_files
from ipmdae.engine import find_model


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>ECG</h1>")
    (folder / "ipmdae.wasm").write_bytes(b"\0asm")
    (folder / "assets" / "index-1.js").write_text("1")
    (tmp_path / "secret").write_text("not of the page")
    return folder


@pytest.fixture
def server(page: Path) -> Iterator[PageServer]:
    with PageServer("127.0.0.1", 0, page_files(page)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: PageServer, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.putrequest(method, path)  # the path as it is: not normalised
    connection.endheaders()
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/?from=elsewhere", "text/html; charset=utf-8"),
        ("/assets/index-1.js", "text/javascript; charset=utf-8"),
        ("/ipmdae.wasm", "application/wasm"),
        ("/example/118e06_excerpt.hea", "application/octet-stream"),
    ],
)
def test_files_of_the_page(server: PageServer, path: str, kind: str) -> None:
    response, content = ask(server, path)
    assert (response.status, response.headers["Content-Type"]) == (200, kind)
    assert len(content) == int(response.headers["Content-Length"]) > 0
    assert HEADERS.items() <= dict(response.headers).items()
    response, empty = ask(server, path, "HEAD")
    assert (int(response.headers["Content-Length"]), empty) == (len(content), b"")


def test_models_are_those_of_the_package(server: PageServer) -> None:
    _, content = ask(server, "/models/ipmdae-nano.safetensors")
    assert content == find_model("ipmdae-nano").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        *("/assets", "/assets/", "/models/", "/.", "/secret", "secret", "*"),
        *("/../secret", "/%2e%2e/secret", "/assets/../../secret", "/models/../__init__.py"),
        *("/..%5csecret", "/%00", "/index.html/", "//etc/passwd", "/models/ipmdae-nano.json"),
    ],
)
def test_nothing_else_is_given_out(server: PageServer, path: str) -> None:
    response, content = ask(server, path)
    assert response.status == 404
    assert b"not of the page" not in content
    assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_an_address_that_is_none_is_a_bad_request(server: PageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), 10) as connection:
        connection.sendall(b"GET http://[ HTTP/1.1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_other_methods_are_refused(server: PageServer) -> None:
    assert ask(server, "/", "POST")[0].status == 501


def test_the_policy_is_that_of_the_page() -> None:
    source = Path(__file__).parents[2] / "web" / "index.html"
    found = re.search(r'content="(default-src[^"]*)"', source.read_text(encoding="utf-8"))
    assert found
    # Only a header may forbid frames.
    assert HEADERS["Content-Security-Policy"] == f"{found[1]}; frame-ancestors 'none'"


def test_the_lock_file_holds_digests_and_no_addresses_of_packages() -> None:
    lock = Path(__file__).parents[2] / "web" / "package-lock.json"
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    for name, package in packages.items():
        assert "resolved" not in package
        assert "integrity" in package or not name


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["web", "--no-open", *arguments])
    return done.exit_code, done.stderr


def test_without_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(web_server, "PAGE", tmp_path)
    code, said = run()
    assert (code, said.count("\n")) == (1, 1)
    assert "python -m tools.build_web" in said


def test_bad_addresses(monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    monkeypatch.setattr(web_server, "PAGE", page)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for host, port in (("127.0.0.1", taken.getsockname()[1]), ("192.0.2.1", 0)):
            code, said = run("--host", host, "--port", str(port))
            assert (code, said.count("\n")) == (1, 1)
            assert f"cannot listen on {host}, port {port}" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_served_until_interrupted(page: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ipmdae import cli\n"
        "from ipmdae.commands import web_server; web_server.PAGE = Path(sys.argv.pop(1)); cli.app()"
    )
    command = [sys.executable, "-c", code, str(page), "web", "--port", "0", "--no-open"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as in a terminal
    ) as process:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        assert found
        with urlopen(found[0]) as response:
            assert response.read() == b"<h1>ECG</h1>"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
