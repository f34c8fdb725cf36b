"""The command ``ipmdae denoise`` in processes of its own: signals, killed parents, workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ipmdae import cli, examples, formats
from ipmdae.recording import Recording

SOURCES = str(Path(cli.__file__).parents[1])


@pytest.fixture(autouse=True)
def folder(tree: Path) -> Path:
    return tree


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_recording_with_it() -> None:
    program = (
        "import os, sys\n"
        "from ipmdae.commands import job\n"
        "real = job.denoise_file\n"
        "def deadly(source, *rest, **others):\n"
        "    return os._exit(9) if source.name == 'a' else real(source, *rest, **others)\n"
        "job.denoise_file = deadly\n"
    )
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text(program)
    done = command("data", "-o", "out", "--jobs", "2", path="site").communicate(timeout=120)
    failed = [line for line in done[1].splitlines() if line.startswith("ipmdae: error: ")]
    assert ["its process died" in line for line in failed] == [True, False], done
    assert "1 cleaned, 2 failed" in done[0]
    assert [p.as_posix() for p in Path("out").rglob("*.*")] == ["out/deep/b.edf"]


def command(*words: str, path: str = "") -> subprocess.Popen[str]:
    """The command in a process of its own, which listens to Ctrl-C."""
    return subprocess.Popen(
        [sys.executable, "-m", "ipmdae", "denoise", *words, "--method", "tiny.safetensors"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, SOURCES]))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None
        if sys.platform == "win32"
        else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc")
@pytest.mark.parametrize(
    ("number", "code", "jobs"),
    [(signal.SIGINT, 130, "1"), (signal.SIGINT, 130, "2"), (signal.SIGTERM, 143, "2")],
)
def test_a_signal_leaves_no_half_of_a_file_and_no_process(
    folder: Path, number: int, code: int, jobs: str
) -> None:
    started = time.monotonic()
    process, children = at_work(jobs)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code, complaint
    assert complaint == "ipmdae: interrupted: no file is partly written; add --resume to continue\n"
    assert not list(Path("out").glob(".*"))
    for file in Path("out").glob("*"):
        assert formats.read(file).duration == 3600
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() - started < 120
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interruption_that_became_an_error_of_one_file_ends_the_command(folder: Path) -> None:
    program = (
        "import signal\n"
        "from ipmdae.commands import job\n"
        "def interrupted(source, *rest, **others):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        raise TypeError('a library replaced the interruption') from None\n"
        "job.denoise_file = interrupted\n"
    )
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text(program)
    process = command("data", "-o", "out", "--jobs", "1", path="site")
    out, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, (out, complaint)
    assert complaint == "ipmdae: interrupted: no file is partly written; add --resume to continue\n"
    assert "failed" not in out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc")
def test_workers_end_with_a_killed_parent_and_what_they_left_is_removed(folder: Path) -> None:
    process, children = at_work("2")
    assert len(children) > 2
    process.kill()
    process.communicate(timeout=60)
    killed = time.monotonic()
    while any(is_running(pid) for pid in children):
        assert time.monotonic() - killed < 10
        time.sleep(0.05)
    assert not list(Path("out").glob(".*"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc")
def test_a_worker_that_is_asked_to_end_costs_no_recording(folder: Path) -> None:
    process, children = at_work("2", seconds=600)
    for pid in children:
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGTERM)
            break
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    assert [formats.read(f"out/{name}.edf").duration for name in "xyz"] == [600] * 3


def at_work(jobs: str, seconds: int = 3600) -> tuple[subprocess.Popen[str], list[int]]:
    """The command that cleans three long recordings, when it has begun, and its children."""
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False)
    long = Recording.from_array(np.tile(noisy.signal, (seconds // 60, 1)), noisy.fs, noisy.leads)
    for name in ("x", "y", "z"):
        formats.write(long, f"long/{name}.edf")
    process = command("long", "-o", "out", "--jobs", jobs)
    started = time.monotonic()
    while not list(Path("out").glob(".*")) and process.poll() is None:
        assert time.monotonic() - started < 60
        time.sleep(0.01)
    return process, workers_of(process.pid)


def is_running(pid: int) -> bool:
    """Whether a process is there, and not only waits for its exit code to be read."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]
