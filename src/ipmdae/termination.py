"""Termination of processes: signals are handled like Ctrl-C, and workers end with their parent."""

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
"""Signals of a service manager or a closed terminal that are handled like Ctrl-C."""

INTERRUPTS = (signal.SIGINT, *SIGNALS)
"""Ctrl-C and the signals that are handled like it."""

GRACE = 2.0
"""Seconds that a process has to remove its temporary files before it is ended."""

_POLL = 0.5  # s between checks for the parent, where the system does not signal its end


class Terminated(KeyboardInterrupt):
    """Request to end by one of :data:`SIGNALS`; code that handles Ctrl-C handles it too.

    Attributes:
        number: number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def interruption(number: int) -> KeyboardInterrupt:
    """Exception for a signal: ``KeyboardInterrupt`` for Ctrl-C."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def exit_code(interrupted: KeyboardInterrupt) -> int:
    """Exit code of a signal as in shells: 130 for Ctrl-C, 143 for SIGTERM."""
    number = interrupted.number if isinstance(interrupted, Terminated) else signal.SIGINT
    return 128 + number


class _Handler:
    """Raises the exception of a signal; further ones but Ctrl-C do not disturb the cleanup."""

    def __init__(self) -> None:
        self.received: KeyboardInterrupt | None = None
        self._time = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        late = time.monotonic() > self._time + GRACE
        if self.received is None or late or number == signal.SIGINT:
            self._time = time.monotonic()
            self.received = interruption(number)
            raise self.received


@contextmanager
def terminations() -> Iterator[None]:
    """Within the context, each of :data:`INTERRUPTS` raises an exception in the main thread.

    Signals that are ignored (``nohup``) or handled by the calling program are left alone; outside
    the main thread nothing changes.

    Raises:
        Terminated, KeyboardInterrupt: at the end, if not before: Python drops exceptions in some
            places, such as destructors, and libraries replace them by others. An interrupted block
            has not succeeded. See also :func:`check`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    taken = {number: handler for number, handler in before.items() if handler in own}
    handler = _Handler()
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in taken.items():
            signal.signal(number, former)
    if handler.received is not None:
        raise handler.received


def check() -> None:
    """Raise the exception of a signal that :func:`terminations` has received, if there is one.

    For loops that go on after an error, which may be what became of an interruption.

    Raises:
        Terminated, KeyboardInterrupt: a signal was received.
    """
    for number in INTERRUPTS:
        handler = signal.getsignal(number)
        if isinstance(handler, _Handler) and handler.received is not None:
            raise handler.received


@contextmanager
def script() -> Iterator[None]:
    """Run a command outside ``ipmdae``: one line for an error, and its exit code.

    Raises:
        SystemExit: with 1 and one line for an error that a user can fix, with the code of
            :func:`exit_code` after a signal.
    """
    try:
        with terminations():
            yield
    except (OSError, ValueError, ModuleNotFoundError) as error:
        raise SystemExit(f"error: {error}") from error
    except KeyboardInterrupt as interrupted:
        print("interrupted: no file is partly written", file=sys.stderr)
        raise SystemExit(exit_code(interrupted)) from interrupted


def begin_worker() -> None:
    """Initialise a worker of a pool: SIGTERM ends it, Ctrl-C does not, and it ends with its parent.

    Ctrl-C reaches all processes of a terminal; the parent then ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def leave(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM in a worker: exit, after the cleanup of what it was doing.

    The system kills the process after :data:`GRACE` seconds: an exception can be lost, and within a
    queue it can leave a lock behind for which the process then waits for ever.

    Raises:
        SystemExit: always.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, GRACE)
    raise SystemExit(1)


def end_with_parent() -> None:
    """End this process by SIGTERM when its parent is gone, even if that was killed.

    A process that does not end within :data:`GRACE` seconds is killed.
    """
    threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()


def _end_after(parent: int) -> None:
    started_by = parent_process()
    if started_by is not None:
        started_by.join()  # a pipe that only the parent holds open
    elif sys.platform == "win32":
        return  # a process in that system does not notice a change of its parent
    else:
        while os.getppid() == parent:
            time.sleep(_POLL)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


def end_workers() -> None:
    """Terminate the processes that :mod:`multiprocessing` started here."""
    for child in active_children():
        child.terminate()
