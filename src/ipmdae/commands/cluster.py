"""Denoising of several recordings on a Dask cluster, a recording at a time in each worker."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipmdae import __version__, native, stores, temporaries
from ipmdae.commands.batch import signals_wait
from ipmdae.commands.job import Job, Outcome, Settings, clean
from ipmdae.methods import Method

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

LOCAL = "local"
"""Address that stands for processes of this machine."""

_TIMEOUT = 10.0
"""Seconds to wait for the scheduler, and for the first worker."""

_IDLE = 60.0
"""Seconds without any worker after which the batch ends; a dead one is usually started again."""

_TICK = 0.2  # s between updates of the progress
_REPORT = 1.0  # s between reports of a worker
_PROGRESS = "ipmdae-progress"
"""Topic of the reports."""


class UnfitWorkerError(RuntimeError):
    """A worker cannot do any recording of the batch; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Settings that a worker gets with each recording, and checks once.

    Attributes:
        settings: settings for all recordings.
        version: version of this package on the machine of the command.
        probes: temporary files in the folders of the results that are not in a store.
    """

    settings: Settings
    version: str
    probes: tuple[Path, ...]


def run(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    address: str,
    workers: int | None,
    tick: Callable[[Sequence[float]], None],
) -> Iterator[Outcome]:
    """Denoise recordings on the workers of a scheduler; yield each outcome as soon as it is known.

    A recording whose worker dies is done again by another. No more are submitted than there are
    workers, so that none waits behind one that kills its worker; signals do not pass through here.

    Args:
        jobs: recordings to denoise.
        settings: settings for all of them.
        address: of the scheduler, ``"tcp://host:8786"``, or ``"local"``.
        workers: number of local workers, by default one per processor.
        tick: called repeatedly with the finished share of each job.

    Raises:
        ModuleNotFoundError: Dask is not installed.
        ValueError, OSError: the method cannot be opened, the scheduler does not answer, it has no
            workers, or one has another version of this package or other folders.
    """
    settings.open()
    settings = replace(settings, method=_shared(settings.method))
    shares = [0.0] * len(jobs)
    remote = [_on_workers(job) for job in jobs]
    with ExitStack() as stack:
        probes = tuple(stack.enter_context(_probe(folder)) for folder in _folders(remote))
        client = stack.enter_context(_connected(address, workers))
        batch = Batch(settings=settings, version=__version__, probes=probes)

        def note(event: tuple[float, tuple[int, float]]) -> None:
            index, share = event[1]
            shares[index] = max(shares[index], share)

        client.subscribe_topic(_PROGRESS, note)
        for index, outcome in _outcomes(client, remote, batch, lambda: tick(shares)):
            shares[index] = 1.0
            tick(shares)
            outcome.job = jobs[index]
            yield outcome


def _outcomes(
    client: Client, jobs: Sequence[Job], batch: Batch, tick: Callable[[], None]
) -> Iterator[tuple[int, Outcome]]:
    """Submit recordings, and yield index and outcome of each that is finished."""
    from distributed import wait

    todo = list(enumerate(jobs))[::-1]
    pending: dict[Future, int] = {}
    seen = time.monotonic()
    try:
        while todo or pending:
            alive = len(client.scheduler_info()["workers"])
            seen = time.monotonic() if alive else seen
            if time.monotonic() > seen + _IDLE:
                raise OSError(f"the cluster has had no worker for {_IDLE:g} s; add --resume")
            free = alive - len(pending)
            for _ in range(min(free, len(todo))):
                index, job = todo.pop()
                future = client.submit(_clean, index, job, batch, pure=False, priority=-index)
                pending[future] = index
            done: set[Future] = set()
            with suppress(TimeoutError):
                done = wait(list(pending), _TICK, FIRST_COMPLETED).done
            tick()
            for future in done:
                index = pending.pop(future)
                yield index, _outcome_of(future, jobs[index])
    finally:
        client.cancel(list(pending))


def _outcome_of(future: Future, job: Job) -> Outcome:
    """Outcome of a finished task.

    Raises:
        ValueError: no recording can be done on the cluster.
    """
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return Outcome(job=job, error=f"{job.name}: its workers died; is memory short?")
    if isinstance(error, UnfitWorkerError):
        raise ValueError(str(error))
    said = " ".join(f"{type(error).__name__} {error}".split())
    raise ValueError(
        f"the scheduler or a worker cannot do this ({said:.200}): install ipmdae {__version__} "
        "there, with the same versions of Python and Dask"
    )


@contextmanager
def _connected(address: str, workers: int | None) -> Iterator[Client]:
    """A client of the scheduler at an address, or of processes that it starts."""
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            '--cluster needs Dask: pip install "ultralight-ipm-dae[cluster]"'
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if address == LOCAL:
            resource_tracker.ensure_running()  # its start would unblock the signal
            with signals_wait({signal.SIGINT}):
                cluster = LocalCluster(
                    n_workers=workers or native.processors(),
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    security=True,  # other users of this machine cannot connect
                    silence_logs=logging.CRITICAL,
                )
            where: Any = stack.enter_context(cluster)
        elif workers is not None:
            raise ValueError("--jobs is for this machine: a cluster does as many as it has workers")
        else:
            where = address
        try:
            if address != LOCAL:
                asyncio.run(asyncio.wait_for(_identity(address), _TIMEOUT))
            client = stack.enter_context(Client(where, timeout=_TIMEOUT))
            client.wait_for_workers(1, timeout=_TIMEOUT)
        except (OSError, TimeoutError, ValueError, TypeError, MemoryError) as error:
            said = " ".join(str(error).split())
            raise OSError(
                f"--cluster {address}: no scheduler with a worker answers there ({said:.200}); "
                "start them with: dask scheduler; dask worker ADDRESS --nthreads 1"
            ) from error
        yield client


async def _identity(address: str) -> Any:
    """Ask a scheduler who it is: of another kind of server, Dask's client would ask for ever."""
    from distributed import Security
    from distributed.core import rpc

    arguments = Security().get_connection_args("client")
    async with rpc(address, connection_args=arguments) as scheduler:
        return await scheduler.identity()


def _shared(method: str) -> str:
    """A method by its name, a model file by its whole path."""
    return str(Path(method).absolute()) if Path(method).is_file() else method


def _on_workers(job: Job) -> Job:
    """A job with whole paths.

    Raises:
        ValueError: its source was fetched to this machine.
    """
    if stores.url_of(job.name) and not stores.in_store(job.source):
        raise ValueError(f"{job.name}: a cluster reads stores (s3://…) and files, not other URLs")

    def whole(path: Path) -> Path:
        return path if stores.in_store(path) else path.absolute()

    return replace(
        job,
        source=whole(job.source),
        target=whole(job.target),
        page=job.page and whole(job.page),
        figure=job.figure and whole(job.figure),
        peaks=job.peaks and whole(job.peaks),
    )


def _folders(jobs: Sequence[Job]) -> list[Path]:
    """Folders of this machine in which workers are to write results, reports and pictures."""
    kinds = ([job.target for job in jobs], [job.page for job in jobs], [job.figure for job in jobs])
    local = ([p.parent for p in kind if p is not None and not stores.in_store(p)] for kind in kinds)
    return [Path(os.path.commonpath(folders)) for folders in local if folders]


@contextmanager
def _probe(folder: Path) -> Iterator[Path]:
    """A file by which workers see that a folder is shared; at last, what dead ones left goes."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / temporaries.marker()
    try:
        probe.touch()
        yield probe
    finally:
        probe.unlink(missing_ok=True)
        for below in {folder, *(path.parent for path in folder.rglob(".tmp-*"))}:
            temporaries.remove_stale(below)


_at_work = threading.Lock()
"""A worker process does one recording at a time, with as many threads of the engine as it has."""


def _clean(index: int, job: Job, batch: Batch) -> Outcome:
    """Denoise one recording in a worker.

    Raises:
        UnfitWorkerError: this worker can do no recording of the batch.
    """
    from distributed import get_worker

    worker = get_worker()
    reported = time.monotonic()

    def progress(share: float) -> None:
        nonlocal reported
        if time.monotonic() > reported + _REPORT:
            reported = time.monotonic()
            worker.log_event(_PROGRESS, (index, share))

    with _at_work:
        return clean(job, batch.settings, _prepare(batch, worker), progress)


@lru_cache(maxsize=1)
def _prepare(batch: Batch, worker: Worker) -> Method:
    """Check that a worker fits a batch, and open its method."""
    if batch.version != __version__:
        raise UnfitWorkerError(
            f"worker {worker.address} has ipmdae {__version__}, this machine {batch.version}: "
            "install the same version"
        )
    for probe in batch.probes:
        if not probe.exists():
            raise UnfitWorkerError(
                f"worker {worker.address} does not see the folder {probe.parent}: write to a "
                "folder that all machines share, or to a store (s3://…)"
            )
    if native.available():
        native.set_threads(worker.state.nthreads)
    try:
        return batch.settings.open()
    except (OSError, ValueError) as error:
        raise UnfitWorkerError(f"worker {worker.address}: {error}") from error
