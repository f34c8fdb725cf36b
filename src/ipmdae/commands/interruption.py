"""Ctrl-C and SIGTERM in a live signal, without loss of received samples."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ipmdae.termination import INTERRUPTS, interruption


class Interruption:
    """Delivers Ctrl-C and SIGTERM while waiting for input, and defers them elsewhere.

    During denoising or printing they would lose samples. A second signal is not deferred.
    """

    def __init__(self) -> None:
        self._waiting = False
        self._asked = 0

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Install the handlers while the context lasts; ignored signals stay ignored."""
        before = {number: signal.getsignal(number) for number in INTERRUPTS}
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
        """Deliver a deferred signal; safe because no samples are in flight.

        Raises:
            KeyboardInterrupt: Ctrl-C, now or deferred.
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
