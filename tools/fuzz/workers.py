"""Child processes that read inputs, one after the other, until one ends them.

Memory is limited to a gigabyte more than a process has when it starts, an input to ten seconds of
processor time (the kernel ends the process then, also within code in C) and a minute in all.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from ipmdae.formats import isolated
from ipmdae.termination import end_with_parent
from tools.fuzz.mutations import Files, mutated
from tools.fuzz.targets import MemoryPromiseError, Target

SECONDS = 10.0
_SECONDS_ISOLATED = 1.0
MEMORY = 1 << 30

_STUCK = 60.0
"""Seconds for an input that does not even use the processor."""
_LIFE = 20_000
"""Inputs after which a process is replaced, since libraries keep some memory."""


class Finding(NamedTuple):
    """An input that is neither read nor refused as it should be.

    Attributes:
        target: target of the input.
        number: number of the input.
        reason: description in one line.
        details: a traceback, if there is one.
    """

    target: str
    number: int
    reason: str
    details: str = ""


class Report(NamedTuple):
    """Outcome of some inputs.

    Attributes:
        inputs: number of inputs.
        accepted: number of inputs that were read.
        seconds: duration.
        findings: those that are neither read nor refused as they should be.
        contained: number of crashes of a process that is isolated in normal use too.
    """

    inputs: int
    accepted: int
    seconds: float
    findings: list[Finding]
    contained: int = 0


def input_of(target: str, seeds: list[Files], seed: int, index: int) -> tuple[Files, random.Random]:
    """An input by its number, and the source of chance by which it is read."""
    rng = random.Random(f"{seed} {target} {index}")
    return mutated(rng.choice(seeds), rng), rng


class Worker:
    """A child process and what it is doing."""

    def __init__(
        self, targets: dict[str, Target], seeds: dict[str, list[Files]], seed: int
    ) -> None:
        context = multiprocessing.get_context("fork")  # all is imported already
        self.connection, theirs = context.Pipe()
        self._progress = context.Array("d", 4, lock=False)  # input, since, accepted, first
        self._process = context.Process(
            target=_work, args=(theirs, self._progress, targets, seeds, seed), daemon=True
        )
        self._process.start()
        theirs.close()
        self._targets = targets
        self._target = ""
        self._first = 0
        self._begun = 0

    def begin(self, target: str, first: int, count: int) -> None:
        """Give some inputs to read."""
        self._target, self._first = target, first
        self._begun += count
        self._progress[:] = (first, time.monotonic(), 0, time.monotonic())
        self.connection.send((target, first, count))

    @property
    def old(self) -> bool:
        """True if the process has lived long enough."""
        return self._begun >= _LIFE

    def result(self, timeout: float) -> Report | None:
        """Outcome of the inputs; ``None`` while they are in work.

        When the process has ended, the report is of the inputs up to the one that ended it.
        """
        try:
            if self.connection.poll(timeout):
                report: Report = self.connection.recv()
                return report
        except (EOFError, OSError):
            pass
        else:
            if self._process.is_alive():
                if time.monotonic() - self._progress[1] < _STUCK:
                    return None
                self._process.kill()
        self._process.join()
        index = int(self._progress[0])
        seconds = min(time.monotonic() - self._progress[3], SECONDS)
        report = Report(index + 1 - self._first, int(self._progress[2]), seconds, [])
        if self._targets[self._target].isolated:
            return report._replace(contained=1)
        finding = Finding(self._target, index, _end(self._process.exitcode or 0))
        return report._replace(findings=[finding])

    @property
    def alive(self) -> bool:
        """True if it can be given more."""
        return self._process.is_alive()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _end(code: int) -> str:
    if code == -signal.SIGPROF:
        return f"takes more than {SECONDS:g} s of processor time"
    if code == -signal.SIGKILL:
        return f"does not end within {_STUCK:g} s"
    return f"ends its process by {signal.Signals(-code).name if code < 0 else f'status {code}'}"


def _work(
    connection: Connection,
    progress: Any,
    targets: dict[str, Target],
    seeds: dict[str, list[Files]],
    seed: int,
) -> None:
    """Read inputs until the parent ends."""
    os.setsid()  # Ctrl-C is the parent's
    end_with_parent()
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    faulthandler.disable()
    warnings.simplefilter("ignore")
    isolated.enabled = False
    folder = Path(os.environ["IPMDAE_FUZZ_FOLDER"], str(os.getpid()))
    folder.mkdir()
    limit_memory()
    while True:
        try:
            name, first, count = connection.recv()
        except (EOFError, OSError):
            return
        target, findings, accepted, contained = targets[name], [], 0, 0
        limit = _SECONDS_ISOLATED if target.isolated else SECONDS
        started = time.process_time()
        for index in range(first, first + count):
            progress[0], progress[1], progress[2] = index, time.monotonic(), accepted
            files, rng = input_of(name, seeds[name], seed, index)
            path = put(files, folder)
            signal.setitimer(signal.ITIMER_PROF, limit)
            try:
                accepted += target.read(path, rng)
            except Exception as error:
                if target.isolated and isinstance(error, MemoryPromiseError):
                    contained += 1
                    continue
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                findings.append(Finding(name, index, reason, traceback.format_exc()))
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send(Report(count, accepted, time.process_time() - started, findings, contained))


def put(files: Files, folder: Path) -> Path:
    """Write an input, and return the file that is to be read."""
    for name, content in files.items():
        with open(folder / name, "wb") as file:
            file.write(content)
    return folder / next(iter(files))


def limit_memory() -> None:
    """Limit this process to a gigabyte more than it has."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
