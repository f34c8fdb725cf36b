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
    from ipmdae.lab.evaluation.benchmark import Mapper

benchmark = typer.Typer(no_args_is_help=True)

ProtocolOption = Annotated[
    str,
    typer.Option(help="Protocol: deepfilter, clinic, clinical, robustness, hearts or reference."),
]
OutputOption = Annotated[Path, typer.Option(help="Folder for the tables and figures.")]
ResultsOption = Annotated[Path, typer.Option(help="Folder of the stored results.")]
AgainstOption = Annotated[
    str | None, typer.Option(help="Method that the others are compared with in the tables.")
]


@benchmark.callback()
def common() -> None:
    """Measure methods on a benchmark, side by side."""


@benchmark.command(
    epilog="Example: ipmdae benchmark run --protocol clinic --methods none,iir,ipmdae-base"
)
def run(
    protocol: ProtocolOption = "deepfilter",
    methods: Annotated[
        str,
        typer.Option(
            help="Methods and model files with commas between them; by default all, of networks "
            "those that are trained."
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
    jobs: Annotated[int, typer.Option(min=1, help="Processes that clean and score.")] = 1,
    part: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Test only so many beats of each version (deepfilter), pieces of each lead "
            "(clinic, robustness), records (clinical), leads and records (hearts) or windows of "
            "each record (reference), evenly spread.",
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help="Seeds that networks were trained with, commas between them, or all "
            "(deepfilter); by default the lowest."
        ),
    ] = "",
    against: AgainstOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is done again.")] = False,
) -> None:
    """Put methods to a test, store all scores, write the tables and figures.

    A method whose result is stored is skipped, so that an interrupted run goes on; a network whose
    weights are others by now is run again.
    """
    require_scipy()
    from rich.progress import MofNCompleteColumn, TextColumn

    from ipmdae.lab.evaluation import benchmark as harness
    from ipmdae.lab.evaluation import trained
    from ipmdae.lab.evaluation.benchmarks import open_benchmark

    refuse_unknown(protocol)
    if seeds:
        refuse_seeds(protocol)
    test = open_benchmark(protocol, datasets, runs)
    chosen = [name.strip() for name in methods.split(",") if name.strip()] or test.methods
    if seeds:
        chosen = trained.with_seeds(chosen, seeds, protocol, runs)
    versions = {name: test.version(name) for name in chosen}
    refuse_namesakes(chosen)
    with warnings_in_one_line(), err.status("reading the databases"):
        size = test.size(part)
    failed = []
    columns = MofNCompleteColumn(), TextColumn(test.unit)
    with processes(jobs) as mapper, progress_bars(*columns) as bars:
        for name in chosen:
            path = results / protocol / f"{harness.label(name)}.npz"
            if not force and is_stored(path, versions[name], size):
                out.print(f"{path.stem}: is stored already")
                continue
            advance = partial(bars.advance, bars.add_task(path.stem, total=size))
            try:
                result = test.run(name, part=part, mapper=mapper, done=advance)
            except (ValueError, RuntimeError, ArithmeticError, ModuleNotFoundError) as error:
                failed.append(f"{name} ({error})")
                continue
            harness.save(result, path)
            told = f"diverged on {result.diverged} of" if result.diverged else test.summary(result)
            out.print(f"{result.method}: {told} on {result.done} {test.unit}")
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
    """Raise, with what to install, where the extra ``benchmark`` is missing."""
    if find_spec("scipy") is None:
        raise ModuleNotFoundError(
            "benchmarks need SciPy: pip install 'ultralight-ipm-dae[benchmark]'"
        )


def refuse_unknown(protocol: str) -> None:
    """Raise where there is no such benchmark."""
    from ipmdae.lab.evaluation.benchmarks import NAMES

    if protocol not in NAMES:
        raise ValueError(f"unknown protocol {protocol!r}; there are: {', '.join(NAMES)}")


def refuse_seeds(protocol: str) -> None:
    """Raise where the seeds of a network are not told apart."""
    from ipmdae.lab.evaluation.benchmarks import WITH_SEEDS

    if protocol not in WITH_SEEDS:
        raise ValueError(f"--seeds is for protocol {', '.join(WITH_SEEDS)}, not for {protocol}")


def refuse_namesakes(methods: list[str]) -> None:
    """Raise where two methods would be stored under one name."""
    from ipmdae.lab.evaluation.benchmark import label

    by_name: dict[str, str] = {}
    for method in methods:
        other = by_name.setdefault(label(method), method)
        if other != method:
            raise ValueError(f"{other} and {method} have one name: give one file another name")


def is_stored(path: Path, version: str, size: int) -> bool:
    """Whether a result of this version is there, of so much of the test at least."""
    from ipmdae.lab.evaluation.benchmark import load

    if not path.is_file():
        return False
    stored = load(path)
    return stored.version == version and stored.done >= size


def write_report(protocol: str, results: Path, output: Path, against: str | None) -> None:
    """Write tables and figures of all that is stored of a protocol."""
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
    """What applies a function to many items, in this process or in ``jobs`` others."""
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
