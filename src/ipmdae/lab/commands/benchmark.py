"""The commands ``ipmdae benchmark run`` and ``ipmdae benchmark report``."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipmdae import termination
from ipmdae.console import err, out, progress_bars, warnings_in_one_line

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.benchmarks import Mapper

benchmark = typer.Typer(no_args_is_help=True)

ProtocolOption = Annotated[
    str,
    typer.Option(
        help="Protocol: deepfilter, clinic, clinical, robustness, hearts, reference, fgdae or "
        "tfcdiff."
    ),
]
OutputOption = Annotated[Path, typer.Option(help="Folder for the tables and figures.")]
ResultsOption = Annotated[Path, typer.Option(help="Folder of the stored results.")]
AgainstOption = Annotated[
    str | None, typer.Option(help="Method to compare the others with in the tables.")
]


@benchmark.callback()
def common() -> None:
    """Compare methods on a benchmark."""


@benchmark.command(
    epilog="Example: ipmdae benchmark run --protocol clinic --methods none,iir,ipmdae-base"
)
def run(
    protocol: ProtocolOption = "deepfilter",
    methods: Annotated[
        str,
        typer.Option(
            help="Methods and model files, comma-separated; by default all methods and all "
            "trained networks."
        ),
    ] = "",
    datasets: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path(
        "datasets"
    ),
    output: OutputOption = Path("docs/results"),
    results: ResultsOption = Path("results/benchmark"),
    runs: Annotated[
        Path, typer.Option(help="Folder of the runs of 'ipmdae benchmark train'.")
    ] = Path("results"),
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    part: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Use only this many beats of each version (deepfilter), segments of each lead "
            "(clinic, robustness), records (clinical), leads and records (hearts), windows of "
            "each record (reference) or of each version (fgdae, tfcdiff), evenly spaced.",
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help="Training seeds of networks, comma-separated, or all (deepfilter); by default "
            "the lowest."
        ),
    ] = "",
    against: AgainstOption = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Ignore stored results, as after a change to a classical method."
        ),
    ] = False,
) -> None:
    """Run methods on a benchmark, store all scores, write the tables and figures.

    Methods with a stored result are skipped, so that an interrupted run can be continued; a network
    whose weights have changed is run again.
    """
    require_scipy()
    from rich.progress import MofNCompleteColumn, TextColumn

    from ipmdae.lab.evaluation import candidates
    from ipmdae.lab.evaluation import results as stored_results
    from ipmdae.lab.evaluation.benchmarks import open_benchmark

    refuse_unknown(protocol)
    if seeds:
        refuse_seeds(protocol)
    test = open_benchmark(protocol, datasets, runs)
    chosen = [name.strip() for name in methods.split(",") if name.strip()] or test.methods
    if seeds:
        chosen = candidates.with_seeds(chosen, seeds, protocol, runs)
    versions = {name: test.version(name) for name in chosen}
    refuse_namesakes(chosen)
    with warnings_in_one_line(), err.status("reading the databases"):
        size = test.size(part)
    failed = []
    columns = MofNCompleteColumn(), TextColumn(test.unit)
    with processes(jobs) as mapper, progress_bars(*columns) as bars:
        for name in chosen:
            path = results / protocol / f"{stored_results.name_of(name)}.npz"
            if not force and is_stored(path, versions[name], size):
                out.print(f"{path.stem}: already stored")
                continue
            advance = partial(bars.advance, bars.add_task(path.stem, total=size))
            try:
                result = test.run(name, part=part, mapper=mapper, done=advance)
            except (ValueError, RuntimeError, ArithmeticError, ModuleNotFoundError) as error:
                failed.append(f"{name} ({error})")
                continue
            stored_results.save(result, path)
            scored = (
                f"diverged on {result.diverged} of" if result.diverged else test.summary(result)
            )
            out.print(f"{result.method}: {scored} on {result.done} {test.unit}")
    if len(failed) < len(chosen):
        write_report(protocol, results, output, against)
    if failed:
        raise RuntimeError(f"could not be run: {'; '.join(failed)}")


@benchmark.command(epilog="Example: ipmdae benchmark report --protocol clinic")
def report(
    protocol: ProtocolOption = "deepfilter",
    output: OutputOption = Path("docs/results"),
    results: ResultsOption = Path("results/benchmark"),
    against: AgainstOption = None,
) -> None:
    """Write the tables and figures again from the stored results."""
    refuse_unknown(protocol)
    write_report(protocol, results, output, against)


def require_scipy() -> None:
    """Check that the extra ``benchmark`` is installed; the error names the command."""
    if find_spec("scipy") is None:
        raise ModuleNotFoundError(
            "benchmarks need SciPy: pip install 'ultralight-ipm-dae[benchmark]'"
        )


def refuse_unknown(protocol: str) -> None:
    """Check that the benchmark exists."""
    from ipmdae.lab.evaluation.benchmarks import NAMES

    if protocol not in NAMES:
        raise ValueError(f"unknown protocol {protocol!r}; there are: {', '.join(NAMES)}")


def refuse_seeds(protocol: str) -> None:
    """Check that the protocol distinguishes training seeds."""
    from ipmdae.lab.evaluation.benchmarks import WITH_SEEDS

    if protocol not in WITH_SEEDS:
        raise ValueError(f"--seeds is for protocol {', '.join(WITH_SEEDS)}, not for {protocol}")


def refuse_namesakes(methods: list[str]) -> None:
    """Check that no two methods would be stored under one name."""
    from ipmdae.lab.evaluation.results import name_of

    by_name: dict[str, str] = {}
    for method in methods:
        other = by_name.setdefault(name_of(method), method)
        if other != method:
            raise ValueError(f"{other} and {method} have one name: give one file another name")


def is_stored(path: Path, version: str, size: int) -> bool:
    """Check for a stored result of this version that covers at least ``size`` items."""
    from ipmdae.lab.evaluation.results import load

    if not path.is_file():
        return False
    stored = load(path)
    return stored.version == version and stored.done >= size


def write_report(protocol: str, results: Path, output: Path, against: str | None) -> None:
    """Write tables and figures of all stored results of a protocol."""
    require_scipy()
    from ipmdae.lab.evaluation.benchmarks import open_reporter

    with warnings_in_one_line():
        paths = open_reporter(protocol).write(results, output, against=against)
    if not paths:
        raise FileNotFoundError(
            f"no results in {results / protocol}; make some with: ipmdae benchmark run "
            f"--protocol {protocol}"
        )
    for path in paths:
        out.print(f"written to {path}", markup=False)


@contextmanager
def processes(jobs: int) -> Iterator[Mapper]:
    """Provide a ``map`` over items, in this process or in ``jobs`` others."""
    if jobs == 1:
        yield map
        return
    # A forked child would inherit the locks of the progress bars' thread.
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=termination.begin_worker
    )
    try:
        yield pool.map
    except KeyboardInterrupt:
        termination.end_workers()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
