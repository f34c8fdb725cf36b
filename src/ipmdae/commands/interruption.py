"""Ctrl-C and SIGTERM in a live signal, which must not lose what has come already."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ipmdae.termination import SIGNALS, interruption


class Interruption:
    """Lets Ctrl-C and SIGTERM through where a source is waited for, and puts them off elsewhere.

    In the middle of cleaning or printing they would lose samples. A second one is not put off.
    """

    def __init__(self) -> None:
        self._waiting = False
        self._asked = 0

    @contextmanager
    def handled(self) -> Iterator[None]:
        """While this lasts, signals are handled so; one that is ignored stays so."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, *SIGNALS)}
        heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
        self._asked = 0
        for number in heard:
            signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Here nothing gets lost: one that was put off comes now.

        Raises:
            KeyboardInterrupt: Ctrl-C, now or before.
            Terminated: SIGTERM, likewise.
        """
        if self._asked:
            raise interruption(self._asked)
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def _on_signal(self, number: int, frame: object) -> None:
        if self._waiting or self._asked:
            raise interruption(number)
        self._asked = number


CTRL_C = Interruption()
