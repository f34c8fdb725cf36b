"""Recordings read from URLs; nothing but this machine is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ipmdae import formats, temporaries
from ipmdae.cli import app
from ipmdae.formats import FormatError, remote
from ipmdae.recording import Recording

fsspec = pytest.importorskip("fsspec")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

SIGNAL = np.random.default_rng(0).normal(size=(600, 1)).round(3)


def content(folder: Path, name: str = "x.csv") -> bytes:
    r = Recording(signal=SIGNAL, fs=250, leads=("II",))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formats.write(r, folder / name)
    return (folder / name).read_bytes()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[str]:
    """The URL of a folder in memory that holds a recording."""
    system = fsspec.filesystem("memory")
    system.pipe("/ward/x.csv", content(tmp_path))
    yield "memory://ward"
    system.store.clear()


class Ward(BaseHTTPRequestHandler):
    """Serves one table under any name; ``/gone`` is missing, ``/moved`` elsewhere."""

    table = b""

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/x.csv")
            self.end_headers()
            return
        self.send_response(404 if self.path.startswith("/gone") else 200)
        self.send_header("Content-Length", str(len(self.table)))
        self.end_headers()
        self.wfile.write(self.table)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Ward.table = content(tmp_path)
    with HTTPServer(("127.0.0.1", 0), Ward) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_recording_in_memory(memory: str) -> None:
    r = formats.read(f"{memory}/x.csv")
    np.testing.assert_allclose(r.signal, SIGNAL)
    assert r.fs == 250


def test_a_recording_of_a_server_in_parts(server: str) -> None:
    with formats.open_reader(f"{server}/x.csv?key=secret") as reader:
        np.testing.assert_allclose(reader.read(100, 200), SIGNAL[100:200])
        np.testing.assert_allclose(reader.read(0, 100), SIGNAL[:100])


def test_a_path_has_lost_a_slash(memory: str) -> None:
    assert formats.read(Path(f"{memory}/x.csv")).samples == 600


def test_a_moved_recording_is_followed(server: str) -> None:
    assert formats.read(f"{server}/moved.csv").samples == 600


@pytest.mark.parametrize(
    "opening", [remote.fetched, formats.open_reader, lambda url: nullcontext(remote.keep(url))]
)
def test_the_copy_of_a_killed_process_is_removed(
    memory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opening: Callable[[str], AbstractContextManager[object]],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporaries.sweep.cache_clear()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    left = tmp_path / temporaries.marker().replace(f"-{os.getpid()}-", f"-{gone}-")
    left.mkdir()
    (left / "y.csv").write_text("half")
    with opening(f"{memory}/x.csv"):
        mine = list(tmp_path.glob("*/x.csv"))
        assert [path.parent.name.startswith(".tmp-") for path in mine] == [True]
        assert not left.exists()


@pytest.mark.parametrize("action", [formats.read, formats.open_reader])
def test_a_missing_recording(server: str, memory: str, action: object) -> None:
    assert callable(action)
    for url in (f"{server}/gone.csv?key=secret", f"{memory}/gone.csv"):
        with pytest.raises(FileNotFoundError, match="there is no such file") as caught:
            action(url)
        assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(OSError, match="cannot be fetched") as caught:
        formats.read("http://me:word@127.0.0.1:9/x.csv?key=secret")
    assert "secret" not in str(caught.value)
    assert "word" not in str(caught.value)


def test_messages_name_the_url(memory: str) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/ward/bad.csv", b"a,b\n1\n")
    with pytest.raises(FormatError, match=r"^memory://ward/bad\.csv: ") as caught:
        formats.read(f"{memory}/bad.csv")
    assert "/tmp" not in str(caught.value)
    system.pipe(
        "/ward/unit.csv", b"time (s),II\n" + b"".join(b"%.3f,1\n" % (i / 250) for i in range(9))
    )
    with pytest.warns(UserWarning, match=r"^memory://ward/unit\.csv: "):
        formats.read(f"{memory}/unit.csv")


def test_a_recording_of_several_files_is_a_sentence(memory: str) -> None:
    fsspec.filesystem("memory").pipe("/ward/r.hea", b"r 1 250 10\nr.dat 16 200 16 0 0 0 0 II\n")
    with pytest.raises(FormatError, match="fetch them all into one folder first"):
        formats.read(f"{memory}/r.hea")


def test_a_large_file_is_not_fetched(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "LARGEST", 100)
    with pytest.raises(FormatError, match="is larger than"):
        formats.read(f"{memory}/x.csv")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "is not fetched"),
        ("simplecache::memory://ward/x.csv", "no such file"),
        ("memory://ward::memory://ward/x.csv", "is not fetched"),
        ("reference://x/y.csv", "is not fetched"),
        ("https://host", "names no file"),
        ("memory://ward/", "names no file"),
        ("memory://ward/..", "names no file"),
    ],
)
def test_other_places_are_a_sentence(url: str, message: str) -> None:
    with pytest.raises((FormatError, FileNotFoundError), match=message):
        formats.read(url)


def test_without_a_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ModuleNotFoundError, match="pip install gcsfs"):
        formats.read("gs://bucket/x.csv")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .ultralight-ipm-dae\[remote\]"):
        formats.read("memory://ward/x.csv")


def test_a_recording_is_written_to_a_store_and_nowhere_else(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    r = Recording(signal=SIGNAL, fs=250, leads=("II",))
    formats.write(r, f"{memory}/new/y.edf")
    formats.write(r, f"{memory}/new/z")
    for name in ("y.edf", "z", "z.hea"):
        np.testing.assert_allclose(formats.read(f"{memory}/new/{name}").signal, SIGNAL, atol=1e-3)
    with pytest.raises(FormatError, match="is not a place to write to"):
        formats.write(r, "https://ward/y.csv")
    with pytest.raises(FormatError, match="is not a place to write to"):
        formats.open_writer(r.header, Path("sftp://ward/y.csv"))
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.slow
def test_commands_take_urls(server: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["info", f"{server}/x.csv?key=secret"])
    assert done.exit_code == 0, done.output
    assert f"{server}/x.csv: CSV/TSV, 2.4 s at 250 Hz" in done.output
    assert "secret" not in done.output
    target = tmp_path / "out.csv"
    done = CliRunner().invoke(app, ["denoise", f"{server}/x.csv?a=1", "-o", str(target)])
    assert done.stdout.startswith(f"{server}/x.csv: "), done.output
    assert done.exit_code == 0, done.output
    assert formats.read(target).samples == 600


def test_a_broken_file_is_named_by_its_url(memory: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/ward/bad.csv", b"a,b\n1\n")
    done = CliRunner().invoke(app, ["denoise", f"{memory}/bad.csv", "-o", str(tmp_path / "o.csv")])
    assert done.exit_code == 1
    assert "ipmdae: error: memory://ward/bad.csv: " in done.stderr
    assert "ipmdae-" not in done.output
