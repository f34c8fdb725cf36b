"""The command ``ipmdae``.

What a command needs is imported when it runs, so that ``ipmdae --help`` is quick.
"""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from ipmdae import __version__
from ipmdae.benchmark_cli import benchmark
from ipmdae.console import complain, err, out, warnings_in_one_line

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBars
    from rich.progress import TaskID

    from ipmdae.data.download import Dataset, Progress
    from ipmdae.recording import Recording


class OneLineErrors(TyperGroup):
    """Tells of errors that a user can mend in one line, without a traceback, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (OSError, ValueError, RuntimeError, ModuleNotFoundError) as error:
            complain("error", str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interruption:
            complain("interrupted", "nothing is half-written; run the same command again")
            raise typer.Exit(130) from interruption


app = typer.Typer(cls=OneLineErrors, no_args_is_help=True, add_completion=False)
app.add_typer(benchmark, name="benchmark")


def print_version(wanted: bool) -> None:
    """Print the version and end the command."""
    if wanted:
        out.print(f"ipmdae {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Clean noise out of ECG recordings with a small neural network."""


@app.command(epilog="Example: ipmdae denoise example/118e06_excerpt -o example/cleaned")
def denoise(
    record: Annotated[
        Path, typer.Argument(help="Recording to clean: a WFDB record, with or without .hea.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Recording to write; its folder is made.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Name of a model (see: ipmdae models), or a model file.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw strips before and after to this picture.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a recording that is there already.")
    ] = False,
) -> None:
    """Clean a recording: any length, rate and number of leads; millivolts stay millivolts."""
    refuse_output(record, output, overwrite)
    from ipmdae import formats
    from ipmdae.denoiser import Denoiser

    with warnings_in_one_line():
        noisy = formats.read(record)
        describe(record, noisy)
        denoiser = Denoiser(model) if model else Denoiser()
        started = time.perf_counter()
        with err.status("cleaning"):
            cleaned = denoiser.denoise(noisy)
        seconds = time.perf_counter() - started
        out.print(
            f"cleaned in {seconds:.2f} s: real-time factor {seconds / noisy.duration:.2g}, "
            f"{noisy.duration / seconds:,.0f} times as fast as recorded"
        )
        if figure:
            from ipmdae import figures

            figures.save(figures.before_after(noisy, cleaned), figure)
            out.print(f"drawn to {figure}", markup=False)
        formats.write(cleaned, output)
        out.print(f"written to {output}", markup=False)


def refuse_output(record: Path, output: Path, overwrite: bool) -> None:
    """Raise, before any work is done, where the result could not or should not be written."""
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a record in it, {output / 'cleaned'}")
    if stem(output).resolve() == stem(record).resolve():
        raise FileExistsError(f"{output} is the recording itself: choose another name for -o")
    for suffix in (".hea", ".dat"):
        file = stem(output).with_name(stem(output).name + suffix)
        if file.exists() and not overwrite:
            raise FileExistsError(f"{file} exists: choose another name, or add --overwrite")


def stem(record: Path) -> Path:
    """The name of a WFDB record, which may be given by the name of one of its files."""
    return record.with_suffix("") if record.suffix in (".hea", ".dat") else record


def describe(record: Path, recording: Recording) -> None:
    """Print what a recording is."""
    leads = recording.leads
    out.print(
        f"{record}: {recording.duration:.1f} s at {recording.fs:g} Hz, "
        f"{len(leads)} {'lead' if len(leads) == 1 else 'leads'} ({', '.join(leads)})",
        markup=False,
    )


@app.command(epilog="Example: ipmdae models")
def models() -> None:
    """List the models that come with the package, for: ipmdae denoise --model NAME."""
    from ipmdae.engine import model_names, model_path, read_model

    table = Table("model", "leads at once", "Hz", "window (s)", "parameters", box=None)
    for name in model_names():
        model = read_model(model_path(name))
        preprocessing = model.preprocessing
        table.add_row(
            name,
            str(model.architecture.leads),
            f"{preprocessing.fs:g}",
            f"{preprocessing.window / preprocessing.fs:g}",
            f"{sum(tensor.size for tensor in model.tensors.values()):,}",
        )
    out.print(table if table.row_count else "no model comes with this package")


class Target(str, Enum):
    """What a model can be exported to."""

    ONNX = "onnx"


@app.command(epilog="Example: ipmdae export ipmdae-small --to onnx -o ipmdae-small.onnx")
def export(
    model: Annotated[
        str, typer.Argument(help="Name of a model (see: ipmdae models), or a model file.")
    ],
    to: Annotated[Target, typer.Option(help="Format to write.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; its folder is made.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there already.")
    ] = False,
) -> None:
    """Write a model for other runtimes: any batch and any length, with all that describes it."""
    from ipmdae.engine import find_model, read_model

    source = find_model(model)
    contents = read_model(source)
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder: name a file in it")
    if output.exists() and (not overwrite or output.samefile(source)):
        raise FileExistsError(f"{output} exists: choose another name, or add --overwrite")
    if to is Target.ONNX:
        from ipmdae.engine.onnx import difference
        from ipmdae.engine.onnx_export import write_onnx

        deviations = difference(contents)
        out.print(f"ONNX Runtime is within {deviations:.1e} standard deviations of the original")
        write_onnx(output, contents)
    out.print(f"written to {output}", markup=False)


@app.command(epilog="Example: ipmdae example && ls example")
def example(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to copy to.")] = Path(
        "example"
    ),
) -> None:
    """Copy the recordings that come with the package to a folder, to try the others on them."""
    from ipmdae import examples
    from ipmdae.files import replacing

    for name in examples.names():
        source = examples.path(name)
        for file in sorted(source.parent.glob(f"{name}.*")):
            target, content = output / file.name, file.read_bytes()
            if target.exists() and target.read_bytes() != content:
                raise FileExistsError(f"{target} exists, and is another file: choose another -o")
            with replacing(target) as aside:
                aside.write_bytes(content)
        out.print(str(output / name), markup=False)


@app.command(epilog="Example: ipmdae download qtdb nstdb --to datasets")
def download(
    names: Annotated[
        list[str], typer.Argument(help="qtdb (QT Database), nstdb (MIT-BIH Noise Stress Test).")
    ],
    to: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path("datasets"),
    base_url: Annotated[
        str | None, typer.Option(help="Mirror with the layout of https://physionet.org/files.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Files fetched at once.")] = 4,
) -> None:
    """Fetch the databases for training and testing from PhysioNet, every file checked.

    Run it again after an interruption: it goes on where it stopped.
    """
    from ipmdae.data import download as databases

    with progress_bars() as bars:
        summaries = databases.download(
            names,
            to,
            base_url=base_url or databases.BASE_URL,
            jobs=jobs,
            progress=progress_to(bars),
        )
    for done in summaries:
        out.print(
            f"{done.dataset.title}: {done.fetched} files fetched, {done.present} were there, "
            f"{done.size / 1e6:.1f} MB in {done.seconds:.0f} s; in {done.folder} "
            f"({done.dataset.licence})",
            markup=False,
        )


def progress_bars() -> ProgressBars:
    """Bars with size, speed and time left, on stderr."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def progress_to(bars: ProgressBars) -> Progress:
    """What shows the progress of a download on ``bars``, one for each database."""
    tasks: dict[str, TaskID] = {}

    def show(dataset: Dataset, here: int, expected: int) -> None:
        if dataset.name not in tasks:
            tasks[dataset.name] = bars.add_task(dataset.title, total=expected, completed=here)
        bars.update(tasks[dataset.name], completed=here, total=expected)

    return show
