"""The commands ``ipmdae benchmark run`` and ``ipmdae benchmark report``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipmdae.console import err, out, warnings_in_one_line

if TYPE_CHECKING:
    from rich.progress import Progress

    from ipmdae.evaluation.benchmark import Mapper, Result

benchmark = typer.Typer(no_args_is_help=True)

PROTOCOLS = ("deepfilter",)

ProtocolOption = Annotated[str, typer.Option(help="Protocol: deepfilter.")]
OutputOption = Annotated[Path, typer.Option(help="Folder for the tables and figures.")]
ResultsOption = Annotated[Path, typer.Option(help="Folder of the stored results.")]


@benchmark.callback()
def common() -> None:
    """Measure methods on a published benchmark, side by side."""


@benchmark.command(
    epilog="Example: ipmdae benchmark run --protocol deepfilter --methods none,fir,iir"
)
def run(
    protocol: ProtocolOption = "deepfilter",
    methods: Annotated[
        str, typer.Option(help="Methods with commas between them; by default all.")
    ] = "",
    datasets: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path(
        "datasets"
    ),
    output: OutputOption = Path("docs/results"),
    results: ResultsOption = Path("results/benchmark"),
    workers: Annotated[int, typer.Option(min=1, help="Processes that clean beats.")] = 1,
    beats: Annotated[
        int | None, typer.Option(min=1, help="Test so many beats of each version; default all.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is done again.")] = False,
) -> None:
    """Run methods on all test beats, store each beat's scores, write the tables and figures.

    A method whose result is stored is skipped, so that an interrupted run goes on.
    """
    require_scipy()
    from ipmdae import rivals
    from ipmdae.data import nstdb, qtdb
    from ipmdae.evaluation import benchmark as harness
    from ipmdae.protocols.deepfilter import VERSIONS, DeepFilter

    refuse_unknown(protocol, PROTOCOLS, "protocol")
    chosen = [name.strip() for name in methods.split(",") if name.strip()] or rivals.names()
    for name in chosen:
        refuse_unknown(name, rivals.names(), "method")
    source = DeepFilter(qtdb_folder=datasets / qtdb.FOLDER, nstdb_folder=datasets / nstdb.FOLDER)
    failed = []
    with warnings_in_one_line(), err.status("reading the databases"):
        available = len(source.noisy_beats("test", 1))
    wanted = len(VERSIONS) * min(beats or available, available)
    with processes(workers) as mapper, progress_bars() as bars:
        for name in chosen:
            path = results / protocol / f"{name}.npz"
            if not force and path.is_file() and len(harness.load(path)) >= wanted:
                out.print(f"{name}: is stored already")
                continue
            advance = partial(bars.advance, bars.add_task(name, total=wanted))
            try:
                result = harness.run(source, name, beats=beats, mapper=mapper, done=advance)
            except (ValueError, RuntimeError, ArithmeticError, ModuleNotFoundError) as error:
                failed.append(f"{name} ({error})")
                continue
            harness.save(result, path)
            out.print(summary(result))
    if len(failed) < len(chosen):
        write_report(protocol, results, output)
    if failed:
        raise RuntimeError(f"could not be run: {'; '.join(failed)}")


@benchmark.command(epilog="Example: ipmdae benchmark report --protocol deepfilter")
def report(
    protocol: ProtocolOption = "deepfilter",
    output: OutputOption = Path("docs/results"),
    results: ResultsOption = Path("results/benchmark"),
) -> None:
    """Write the tables and figures again from the stored results."""
    refuse_unknown(protocol, PROTOCOLS, "protocol")
    write_report(protocol, results, output)


def require_scipy() -> None:
    """Raise, with what to install, where the extra ``benchmark`` is missing."""
    if find_spec("scipy") is None:
        raise ModuleNotFoundError(
            "benchmarks need SciPy: pip install 'ultralight-ipm-dae[benchmark]'"
        )


def refuse_unknown(name: str, known: list[str] | tuple[str, ...], what: str) -> None:
    """Raise where a name is none of those known."""
    if name not in known:
        raise ValueError(f"unknown {what} {name!r}; there are: {', '.join(known)}")


def write_report(protocol: str, results: Path, output: Path) -> None:
    """Write tables and figures of all that is stored of a protocol."""
    require_scipy()
    from ipmdae import rivals
    from ipmdae.evaluation import benchmark as harness
    from ipmdae.evaluation import report as reports

    paths = [results / protocol / f"{name}.npz" for name in rivals.names()]
    stored = [harness.load(path) for path in paths if path.is_file()]
    if not stored:
        raise FileNotFoundError(
            f"no results in {results / protocol}; make some with: ipmdae benchmark run"
        )
    for path in reports.write(stored, output):
        out.print(f"written to {path}", markup=False)


def summary(result: Result) -> str:
    """One line about a result."""
    if result.diverged:
        return f"{result.method}: diverged on {result.diverged} of {len(result)} beats"
    ssd, cosine = (float(result.values[name].mean()) for name in ("ssd", "cosine"))
    return f"{result.method}: SSD {ssd:.3f}, CosSim {cosine:.3f} on {len(result)} beats"


@contextmanager
def processes(workers: int) -> Iterator[Mapper]:
    """What applies a function to many items, in this process or in ``workers`` others."""
    if workers == 1:
        yield map
        return
    # A forked child would inherit the locks of the progress bars' thread. Ctrl-C ends this process,
    # which then ends the others.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def progress_bars() -> Progress:
    """Bars with a count of beats and the time left, on stderr."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("beats"),
        progress.TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
