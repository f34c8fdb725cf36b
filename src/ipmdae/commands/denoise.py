"""The command ``ipmdae denoise``."""

from __future__ import annotations

import glob
import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ipmdae.commands.plot import split
from ipmdae.commands.reading import Array, Columns, Rate, Resample, Unit, read_options
from ipmdae.console import complain, err, out, print_json
from ipmdae.termination import exit_code

if TYPE_CHECKING:
    from ipmdae.commands.job import Job, Outcome, Settings
    from ipmdae.report import Entry


class Mains(str, Enum):
    """Mains frequencies of the world in Hz."""

    FIFTY = "50"
    SIXTY = "60"


class Modes(str, Enum):
    """Names of :data:`ipmdae.safeguards.MODES`."""

    DIAGNOSTIC = "diagnostic"
    MONITORING = "monitoring"
    BEATS = "beats"
    GENTLE = "gentle"


class Unreadables(str, Enum):
    """Values of :data:`ipmdae.safeguards.Unreadable`."""

    CLASSICAL = "classical"
    NETWORK = "network"
    RAW = "raw"
    BLANK = "blank"


def methods() -> list[str]:
    """Names of the methods, to complete them in a shell."""
    from ipmdae.methods import method_names

    return method_names()


def paths(incomplete: str) -> list[str]:
    """Files and folders, to complete them in a shell; a folder's name ends in its separator."""
    matches = (Path(match) for match in glob.glob(f"{glob.escape(incomplete)}*"))
    return [f"{match}{os.sep}" if match.is_dir() else str(match) for match in matches]


def denoise(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN",
            help="Recordings of any format, folders or patterns; a WFDB record with or without "
            ".hea; - for CSV on stdin.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Recording to write, or folder for several; it is made.",
            autocompletion=paths,
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Format to write, by its suffix: wfdb, edf, csv, ...")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Name of a network or of a classical method, such as iir.", autocompletion=methods
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of a model (see: ipmdae models), or a model file.")
    ] = None,
    leads: Annotated[
        str, typer.Option(help="Leads to clean, with commas between them: II,V1; by default all.")
    ] = "",
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the noise found that is removed.")
    ] = 1.0,
    mode: Annotated[
        Modes | None,
        typer.Option(
            help="What a network may change: diagnostic (nothing above 0.7 Hz unless noise exceeds "
            "4 % of the QRS), monitoring (2 %; the default), beats (all noise; for R peaks), "
            "gentle (baseline wander alone)."
        ),
    ] = None,
    unreadable: Annotated[
        Unreadables | None,
        typer.Option(
            help="What stands where the network is not trusted: a classical filter's result, the "
            "network's, the raw signal, or nothing."
        ),
    ] = None,
    max_attenuation_db: Annotated[
        float | None, typer.Option(min=0, help="Largest attenuation of the noise found, in dB.")
    ] = None,
    consistent_leads: Annotated[
        bool,
        typer.Option(
            help="Make limb leads obey Einthoven's and Goldberger's equations where the recorded "
            "ones do."
        ),
    ] = True,
    mains: Annotated[
        Mains | None, typer.Option(help="Remove the hum of mains of so many Hz first.")
    ] = None,
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    jobs: Annotated[int, typer.Option(min=1, help="Recordings cleaned at once.")] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write a page about what was done: report.html.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw strips before and after to this picture.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Leave out what is done already: results that are whole and newer than their "
            "sources. Settings are not compared.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are there already.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was done as JSON, for scripts.")
    ] = False,
) -> None:
    """Clean recordings: any format, length, rate and number of leads; millivolts stay millivolts.

    A folder's tree is kept. A recording that cannot be cleaned does not stop the others: it is
    named at the end, and the exit code is 1.
    """
    from ipmdae.commands import planning
    from ipmdae.commands.job import Settings
    from ipmdae.denoiser import DEFAULT_MODEL

    if method and model:
        raise ValueError("give either --method or --model")
    settings = Settings(
        method=method or model or DEFAULT_MODEL,
        mains=float(mains.value) if mains else None,
        leads=tuple(split(leads) or ()) or None,
        strength=strength,
        mode=mode.value if mode else None,
        unreadable=unreadable.value if unreadable else None,
        max_attenuation_db=max_attenuation_db,
        consistent_leads=consistent_leads,
        reading=read_options(fs, unit, columns, array, resample),
        resume=resume,
    )
    if Path("-") in recordings or output == "-":
        pipe(recordings, output, settings, overwrite)
        return
    if output is None:
        raise ValueError("say where results belong: -o OUT")
    wishes = planning.Wishes(
        output=Path(output),
        is_folder=output.endswith((os.sep, "/")),
        to=to,
        report=report,
        figure=figure,
        overwrite=overwrite,
        resume=resume,
    )
    plan = planning.plan([str(path) for path in recordings], wishes)
    try:
        outcomes = clean(plan.jobs, settings, jobs, quiet=as_json)
    except KeyboardInterrupt as interruption:
        complain("interrupted", "nothing is half-written; add --resume to go on")
        raise typer.Exit(exit_code(interruption)) from interruption
    if report and plan.several:
        from ipmdae.report import write_index

        write_index(report, [entry(outcome) for outcome in outcomes])
    if figure and not outcomes[0].error:
        draw(plan.jobs[0], figure, settings)
    finish(outcomes, plan.unknown, as_json)


def pipe(recordings: list[Path], output: str | None, settings: Settings, overwrite: bool) -> None:
    """Clean one recording from stdin, or to stdout, as CSV."""
    import shutil
    from tempfile import TemporaryDirectory, gettempdir

    from ipmdae import temporaries
    from ipmdae.commands.job import Job, clean, files_of
    from ipmdae.commands.planning import check_new, check_place

    if len(recordings) > 1:
        raise ValueError("- stands for one recording: clean the others apart")
    temporaries.sweep(Path(gettempdir()))
    with TemporaryDirectory(prefix=temporaries.marker()) as folder:
        source, target = recordings[0], Path(folder, "stdout.csv")
        to_stdout = output in (None, "-")
        if output is not None and not to_stdout:
            target = Path(output)
            check_place(target)
            check_new(files_of(target), overwrite)
        if source == Path("-"):
            source = Path(folder, "stdin.csv")
            with source.open("wb") as received:
                shutil.copyfileobj(sys.stdin.buffer, received)
        outcome = clean(
            Job(source=source, target=target), settings, settings.open(), lambda share: None
        )
        for warning in outcome.warnings:
            complain("warning", warning)
        if outcome.error:
            raise ValueError(outcome.error.replace(str(Path(folder, "stdin.csv")), "stdin"))
        if to_stdout:
            with target.open("rb") as cleaned:
                shutil.copyfileobj(cleaned, sys.stdout.buffer)


def clean(jobs: list[Job], settings: Settings, workers: int, quiet: bool) -> list[Outcome]:
    """Clean recordings under a progress bar, and tell of each one when it is done."""
    from ipmdae.commands.batch import run
    from ipmdae.commands.progress import Watch

    outcomes = []
    with Watch(jobs) as watch:
        for outcome in run(jobs, settings, workers, watch.tick):
            watch.done(outcome)
            outcomes.append(outcome)
            if not quiet:
                tell(outcome)
    order = {job.target: i for i, job in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: order[outcome.job.target])


def tell(outcome: Outcome) -> None:
    """Print what became of a recording, in a line, and its warnings."""
    job = outcome.job
    for warning in outcome.warnings:
        complain("warning", warning)
    if outcome.skipped:
        out.print(f"{job.target}: is there already", markup=False)
    elif not outcome.error:
        count = len(outcome.leads)
        factor = outcome.seconds / outcome.duration
        out.print(
            f"{job.source}: {outcome.duration:.1f} s at {outcome.fs:g} Hz, "
            f"{count} {'lead' if count == 1 else 'leads'} ({', '.join(outcome.leads)}); "
            f"cleaned in {outcome.seconds:.2f} s, real-time factor {factor:.2g}; "
            f"written to {job.target}",
            markup=False,
        )


def entry(outcome: Outcome) -> Entry:
    """A recording's row on the index of the reports."""
    from ipmdae.report import Entry

    page = outcome.job.page
    result = outcome.error or ("done already" if outcome.skipped else "cleaned")
    return Entry(
        name=str(outcome.job.source),
        page=page if page and page.exists() else None,
        duration=outcome.duration,
        result=result,
        warnings=len(outcome.warnings),
    )


def draw(job: Job, target: Path, settings: Settings) -> None:
    """Draw the first strips of a recording before and after."""
    from ipmdae import figures, formats
    from ipmdae.inspection.files import excerpt

    with (
        formats.open_reader(job.source, options=settings.reading) as source,
        formats.open_reader(job.target) as cleaned,
    ):
        drawn = figures.before_after(excerpt(source, 0, 10), excerpt(cleaned, 0, 10))
    figures.save(drawn, target)
    err.print(f"drawn to {target}", markup=False)


def finish(outcomes: list[Outcome], unknown: int, as_json: bool) -> None:
    """Print what became of all, those that failed last, and end with 1 if there are any."""
    failed = [outcome for outcome in outcomes if outcome.error]
    skipped = sum(outcome.skipped for outcome in outcomes)
    if as_json:
        print_json({"recordings": [summary(o) for o in outcomes], "unknown files": unknown})
    elif len(outcomes) > 1 or unknown:
        counts = {
            "cleaned": len(outcomes) - len(failed) - skipped,
            "done already": skipped,
            "failed": len(failed),
            "files of no known format": unknown,
        }
        out.print(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    for outcome in failed:
        source = str(outcome.job.source)
        complain(
            "error", outcome.error if source in outcome.error else f"{source}: {outcome.error}"
        )
    if failed:
        raise typer.Exit(1)


def summary(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON has it; times in s."""
    return {
        "input": str(outcome.job.source),
        "output": str(outcome.job.target),
        "report": str(outcome.job.page) if outcome.job.page else None,
        "duration": outcome.duration or None,
        "fs": outcome.fs or None,
        "seconds": outcome.seconds or None,
        "skipped": outcome.skipped,
        "leads": {
            "cleaned": list(outcome.cleaned),
            "unchanged": outcome.unchanged,
        },
        "warnings": outcome.warnings,
        "error": outcome.error or None,
    }
