"""How a process ends: asked by a signal as by Ctrl-C, and never later than the one it works for."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children, parent_process
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Requests to end, from a service manager or a closed terminal, that are handled like Ctrl-C."""

GRACE = 2.0
"""Seconds that a process has to remove what it was writing, before it ends without."""

_POLL = 0.5  # s between looks at whether the parent is there, where nothing tells of its end


class Terminated(KeyboardInterrupt):
    """A request to end by one of :data:`SIGNALS`; whatever handles Ctrl-C handles it too.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def interruption(number: int) -> KeyboardInterrupt:
    """The exception that stands for a signal: ``KeyboardInterrupt`` for Ctrl-C."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def exit_code(interrupted: KeyboardInterrupt) -> int:
    """The exit code by which shells tell a signal: 130 for Ctrl-C, 143 for SIGTERM."""
    number = interrupted.number if isinstance(interrupted, Terminated) else signal.SIGINT
    return 128 + number


class _Handler:
    """Raises :class:`Terminated`; signals that follow soon do not disturb the clearing up."""

    def __init__(self) -> None:
        self.received: Terminated | None = None
        self._time = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.received is None or time.monotonic() > self._time + GRACE:
            self._time = time.monotonic()
            self.received = Terminated(number)
            raise self.received


@contextmanager
def terminations() -> Iterator[None]:
    """While this lasts, each of :data:`SIGNALS` raises :class:`Terminated` in the main thread.

    One that is ignored (``nohup``) or handled by the calling program stays so; in another thread
    than the main one nothing changes.

    Raises:
        Terminated: at the end, if not before: Python drops what is raised in some places, such as
            a destructor, and what was asked to end has not succeeded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    handler = _Handler()
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
    if handler.received is not None:
        raise handler.received


@contextmanager
def script() -> Iterator[None]:
    """The frame of a command outside ``ipmdae``: one line for an error, and its exit code.

    Raises:
        SystemExit: with 1 and a line for an error that a user can mend, with the code of
            :func:`exit_code` after a signal.
    """
    try:
        with terminations():
            yield
    except (OSError, ValueError, ModuleNotFoundError) as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt as interrupted:
        print("interrupted: nothing is half-written", file=sys.stderr)
        raise SystemExit(exit_code(interrupted)) from interrupted


def begin_worker() -> None:
    """Prepare a process of a pool: SIGTERM ends it, Ctrl-C does not, and nor does it outlive.

    Ctrl-C reaches all processes of a terminal; the parent then ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """Let this process end, by SIGTERM, when the one that started it is gone, even if killed.

    One that does not follow within :data:`GRACE` seconds ends at once.
    """
    threading.Thread(target=_outlive_not, args=(os.getppid(),), daemon=True).start()


def _outlive_not(parent: int) -> None:
    started_by = parent_process()
    if started_by is not None:
        started_by.join()  # a pipe that only the parent holds open
    elif sys.platform == "win32":
        return  # a process there knows no change of its parent
    else:
        while os.getppid() == parent:
            time.sleep(_POLL)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


def end_workers() -> None:
    """Ask the processes that :mod:`multiprocessing` started here to end."""
    for child in active_children():
        child.terminate()
