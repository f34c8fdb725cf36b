"""Functions and commands in processes of their own, with a fixed number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks.part import ROOT, UnavailableError
from benchmarks.timing import Samples

T = TypeVar("T")

_LAUNCHER = Path(__file__).with_name("launcher.py")


def isolated(function: Callable[..., T], *arguments: object, threads: int) -> T:
    """The result of a function that runs in a new process, whose libraries use ``threads`` threads.

    Raises:
        Exception: what the function raised.
        concurrent.futures.process.BrokenProcessPool: the process was killed.
    """
    with (
        _environment(threads),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(function, *arguments).result()


def run_in_turn(
    commands: Mapping[str, Sequence[str]], rounds: int, threads: int
) -> dict[str, Samples]:
    """Run each command once a round, in an order that turns round after each.

    Args:
        commands: words after that of the Python interpreter, by name.
        rounds: how often.
        threads: threads of each command.

    Returns:
        By name, ``seconds`` of wall time, ``processor`` seconds and ``peak`` bytes, a round each.

    Raises:
        RuntimeError: a command failed; with the last line that it printed on stderr.
        UnavailableError: the system cannot start commands so.
    """
    used: dict[str, Samples] = {
        name: {"seconds": [], "processor": [], "peak": []} for name in commands
    }
    order = list(commands)
    with _environment(threads):
        for _ in range(rounds):
            for name in order:
                for key, value in _run(commands[name]).items():
                    used[name][key].append(value)
            order.reverse()
    return used


def _run(words: Sequence[str]) -> dict[str, float]:
    if not hasattr(os, "posix_spawn"):
        raise UnavailableError("peak memory is measured on POSIX systems only")
    launch = [sys.executable, "-I", "-S", str(_LAUNCHER), sys.executable, *words]
    done = subprocess.run(launch, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"python {' '.join(words)} failed: {last}")
    used: dict[str, float] = json.loads(done.stdout)
    return used


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """The number of threads for the processes started in the block."""
    before = dict(os.environ)
    for variable in ("IPMDAE", "OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{variable}_NUM_THREADS"] = str(threads)
    # A second OpenMP runtime in the process would slow torch down; and nothing is to be fetched.
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "MPLBACKEND": "agg"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
