"""Places that cannot be written to, too little memory: one line, and no output partly written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ipmdae import cli, examples, formats
from ipmdae.commands import job

SOURCES = str(Path(cli.__file__).parents[1])


@pytest.fixture(autouse=True)
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of two leads, and a result of before."""
    monkeypatch.chdir(tmp_path)
    recording = formats.read(examples.path("118e06_excerpt"), annotations=False)
    formats.write(recording, "noisy.edf")
    Path("cleaned.edf").write_bytes(b"of before")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cleaned.edf", "cleaned.csv", "cleaned.npz", "wfdb/cleaned"])
def test_a_full_disk_is_told_and_leaves_what_was_there(target: str) -> None:
    """A limit on the size of files stands for a disk with 20 kB left."""
    Path("wfdb").mkdir()
    before = sorted(Path().rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "ipmdae", "denoise", "noisy.edf", "-o", target, "--overwrite"],
        env=os.environ | {"PYTHONPATH": SOURCES},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before
    assert Path("cleaned.edf").read_bytes() == b"of before"


@pytest.mark.parametrize("folder", ["noisy.edf", "/proc"])
def test_a_folder_that_takes_no_files_is_told(folder: str) -> None:
    done = CliRunner().invoke(cli.app, ["denoise", "noisy.edf", "-o", f"{folder}/cleaned.edf"])
    assert done.exit_code == 1
    assert folder in done.stderr
    assert "Traceback" not in done.output


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("not enough memory for the working space: pass shorter or fewer signals")

    monkeypatch.setattr(job, "denoise_file", fail)
    done = CliRunner().invoke(cli.app, ["denoise", "noisy.edf", "-o", "cleaned.csv"])
    assert done.exit_code == 1
    assert "pass shorter or fewer signals" in done.stderr
    assert not Path("cleaned.csv").exists()
