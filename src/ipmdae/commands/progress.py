"""Progress of a batch: a bar on stderr with the time left and the real-time factor."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich import progress

from ipmdae.commands.job import Job, Outcome
from ipmdae.console import err


class Watch:
    """Progress bar over all recordings, as a context manager; silent without a terminal."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._weights = [job.weight for job in jobs]
        self._started = time.perf_counter()
        self._recorded = 0.0
        self._finished = 0
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[speed]}"),
            console=err,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("cleaning", total=sum(self._weights), speed="")

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def tick(self, shares: Sequence[float]) -> None:
        """Show the finished share of each recording, 0 to 1."""
        done = sum(weight * share for weight, share in zip(self._weights, shares, strict=True))
        self._bar.update(self._task, completed=done)

    def done(self, outcome: Outcome) -> None:
        """Count a finished recording."""
        self._finished += 1
        self._recorded += outcome.duration
        seconds = time.perf_counter() - self._started
        self._bar.update(
            self._task,
            description=f"cleaned {self._finished} of {len(self._weights)}",
            speed=f"{self._recorded / seconds:,.0f} times real time",
        )
