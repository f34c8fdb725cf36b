"""Denoising of several recordings, in sequence or in parallel processes, and its progress."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, MutableSequence, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

from rich.progress import Progress, TaskProgressColumn, TextColumn

from ipmdae import native, temporaries, termination
from ipmdae.commands.job import Job, Outcome, Settings, clean
from ipmdae.console import progress_bars
from ipmdae.methods import Method

_TICK = 0.1  # s between updates of the progress


class BatchProgress:
    """Finished share and speed of a batch, shown by a progress bar."""

    def __init__(self, jobs: Sequence[Job], bar: Progress) -> None:
        self._weights = [job.weight for job in jobs]
        self._started = time.perf_counter()
        self._recorded = 0.0
        self._finished = 0
        self._bar = bar
        self._task = bar.add_task("cleaning", total=sum(self._weights), speed="")

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


@contextmanager
def progress_of(jobs: Sequence[Job]) -> Iterator[BatchProgress]:
    """A progress bar over all recordings on stderr; silent without a terminal."""
    with progress_bars(TaskProgressColumn(), TextColumn("{task.fields[speed]}")) as bar:
        yield BatchProgress(jobs, bar)


def run(
    jobs: Sequence[Job],
    settings: Settings,
    workers: int,
    tick: Callable[[MutableSequence[float]], None],
) -> Iterator[Outcome]:
    """Denoise recordings, and yield each outcome as soon as it is known.

    Args:
        jobs: recordings to denoise.
        settings: settings for all of them.
        workers: number of parallel jobs; a single one runs in this process.
        tick: called repeatedly with the finished share of each job.

    Raises:
        ValueError, OSError: the method cannot be opened.
    """
    method = settings.open()
    if min(workers, len(jobs)) <= 1:
        shares = [0.0] * len(jobs)

        def progress(index: int, share: float) -> None:
            shares[index] = share
            tick(shares)

        for i, job in enumerate(jobs):
            outcome = clean(job, settings, method, partial(progress, i))
            termination.check()
            yield outcome
            progress(i, 1.0)
        return
    yield from _in_processes(jobs, settings, min(workers, len(jobs)), tick)


Task = tuple[int, Job]
"""A recording to denoise, and its index."""


def _in_processes(
    jobs: Sequence[Job],
    settings: Settings,
    workers: int,
    tick: Callable[[MutableSequence[float]], None],
) -> Iterator[Outcome]:
    """Denoise recordings in ``workers`` processes.

    A process that dies, usually because memory runs out, breaks its pool. The recordings in work
    at that moment are tried again, one at a time: one whose process dies again has failed.
    """
    context = get_context("spawn")
    shares = context.Array("d", len(jobs), lock=False)
    todo: list[Task] = list(enumerate(jobs))[::-1]
    suspects: list[Task] = []
    while todo or suspects:
        again = bool(suspects)
        tasks, width = ([suspects.pop()], 1) if again else (todo, workers)
        pool = ProcessPoolExecutor(
            width, context, initializer=_begin, initargs=(settings, shares, workers)
        )
        lost: list[Task] = []
        try:
            yield from _in_pool(pool, tasks, width, lost, lambda: tick(shares))
        except BaseException:
            termination.end_workers()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            for folder in {job.target.parent for job in jobs}:
                temporaries.remove_stale(folder)  # of workers that had no time to do it
        if not again:
            suspects += lost
        else:
            for index, job in lost:
                shares[index] = 1.0
                yield Outcome(job=job, error=f"{job.name}: its process died; is memory short?")


def _in_pool(
    pool: ProcessPoolExecutor,
    tasks: list[Task],
    workers: int,
    lost: list[Task],
    tick: Callable[[], None],
) -> Iterator[Outcome]:
    """Denoise recordings until ``tasks`` is empty or a process dies.

    No more are submitted than can be in work, so that ``lost`` lists what was in work then.
    """
    pending: dict[Future[Outcome], Task] = {}
    try:
        while tasks or pending:
            while tasks and len(pending) < workers:
                with signals_wait(termination.INTERRUPTS):
                    pending[pool.submit(_clean, *tasks[-1])] = tasks[-1]
                tasks.pop()
            done, _ = wait(pending, _TICK, FIRST_COMPLETED)
            tick()
            for future in done:
                yield future.result()
                del pending[future]
    except BrokenProcessPool:
        for future, task in pending.items():
            if future.done() and future.exception() is None:
                yield future.result()
            else:
                lost.append(task)


@contextmanager
def signals_wait(numbers: Collection[int]) -> Iterator[None]:
    """Start a process with signals blocked, since Ctrl-C reaches all processes of a terminal."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: tuple[Settings, Method, MutableSequence[float]]


def _begin(settings: Settings, shares: MutableSequence[float], workers: int) -> None:
    """Initialise a worker: on SIGTERM it removes its temporary files and exits."""
    global _worker
    signal.signal(signal.SIGTERM, termination.leave)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    termination.begin_worker()
    if native.available():
        native.set_threads(max(native.processors() // workers, 1))
    _worker = settings, settings.open(), shares


def _clean(index: int, job: Job) -> Outcome:
    settings, method, shares = _worker

    def progress(share: float) -> None:
        shares[index] = share

    try:
        outcome = clean(job, settings, method, progress)
    except SystemExit:  # the pool would treat it as a result and continue
        os._exit(128 + signal.SIGTERM)
    progress(1.0)
    return outcome
