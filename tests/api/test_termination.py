"""Processes end when they are asked to, with the right code, and with the one they work for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from ipmdae.termination import Terminated, exit_code, script, terminations

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def python(code: str, **options: object) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], text=True, **(pipes | options))  # type: ignore[call-overload,no-any-return]


def started(code: str) -> subprocess.Popen[str]:
    """A process that has printed "ready"."""
    process = python(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_termination_is_an_interruption_with_a_code_of_its_own() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as caught, terminations():
        signal.raise_signal(signal.SIGTERM)
    assert isinstance(caught.value, Terminated)
    assert exit_code(caught.value) == 143
    assert exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) == before


def test_handlers_of_the_calling_program_stay() -> None:
    def own(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        with terminations():
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_change_no_handlers() -> None:
    seen = []

    def look() -> None:
        with terminations():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exits", "code"), [("raise", 1), ("pass", -signal.SIGALRM)], ids=["in time", "not in time"]
)
def test_a_worker_leaves_even_where_its_exit_is_lost(exits: str, code: int) -> None:
    process = started(
        "import signal, time\n"
        "from ipmdae import termination\n"
        "signal.signal(signal.SIGTERM, termination.leave)\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "except SystemExit:\n"
        f"    {exits}\n"
        "time.sleep(60)\n"
    )
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == code


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_does_not_disturb_the_clearing_up(number: int) -> None:
    process = started(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # nohup ignores it
        "from ipmdae.termination import script\n"
        "with script():\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(30)\n"
        "    finally:\n"
        "        print('clearing up', flush=True)\n"
        "        time.sleep(1.5)\n"
        "        print('cleared up', flush=True)\n"
    )
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stdout.readline() == "clearing up\n"
    if number != signal.SIGINT:  # Ctrl-C twice is a user in a hurry
        process.send_signal(number)
    rest, complaint = process.communicate(timeout=30)
    assert rest == "cleared up\n"
    assert complaint == "interrupted: no file is partly written\n"
    assert process.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_python_drops_is_not_forgotten(number: int) -> None:
    process = python(
        "import os, signal\n"
        "from ipmdae.termination import script\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "        all(range(1, 1000))\n"
        "with script():\n"
        "    Dropping()\n"
        "    print('goes on', flush=True)\n"
    )
    out, complaint = process.communicate(timeout=30)
    assert "Exception ignored in" in complaint
    assert out == "goes on\n"
    assert process.returncode == 128 + number


def test_an_error_of_a_script_is_one_line() -> None:
    with pytest.raises(SystemExit, match="error: no such record"), script():
        raise ValueError("no such record")


@pytest.mark.slow
def test_a_process_ends_with_the_one_that_started_it() -> None:
    """Without the pipe of multiprocessing, as the processes that Lightning starts."""
    child = (
        "import time\n"
        "from ipmdae.termination import end_with_parent\n"
        "end_with_parent()\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = started(
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "time.sleep(60)\n"
    )
    parent.kill()
    killed = time.monotonic()
    parent.communicate(timeout=20)  # ends when no process holds the other end of its pipes
    assert time.monotonic() - killed < 10
