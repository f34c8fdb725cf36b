"""Ctrl-C of a live signal, which must not lose what has come already."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interruption:
    """Lets Ctrl-C through where a source is waited for, and puts it off elsewhere.

    In the middle of cleaning or printing it would lose samples. A second one is not put off.
    """

    def __init__(self) -> None:
        self._waiting = self._asked = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """While this lasts, Ctrl-C is handled so; where it is ignored, it stays so."""
        before = signal.getsignal(signal.SIGINT)
        if before is signal.SIG_IGN:
            yield
            return
        self._asked = False
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Here nothing gets lost: one that was put off comes now.

        Raises:
            KeyboardInterrupt: Ctrl-C, now or before.
        """
        if self._asked:
            raise KeyboardInterrupt
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def _on_signal(self, *_: object) -> None:
        if self._waiting or self._asked:
            raise KeyboardInterrupt
        self._asked = True


CTRL_C = Interruption()
