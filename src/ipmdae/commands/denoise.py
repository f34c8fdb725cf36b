"""The command ``ipmdae denoise``."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipmdae.commands.options import (
    Array,
    Columns,
    ConsistentLeads,
    Mains,
    MaxAttenuation,
    MethodName,
    Mode,
    Rate,
    Resample,
    Strength,
    Unit,
    Unreadable,
    method_settings,
    read_options,
    split_names,
)
from ipmdae.console import complain
from ipmdae.termination import exit_code

if TYPE_CHECKING:
    from ipmdae.commands.job import Outcome, Settings
    from ipmdae.commands.outputs import Plan

Run = Callable[..., "Iterator[Outcome]"]
"""Denoises the recordings of a plan: :func:`ipmdae.commands.batch.run` or that of a cluster."""


def paths(incomplete: str) -> list[str]:
    """Files and folders for shell completion; a folder's name ends in its separator."""
    matches = (Path(match) for match in glob.glob(f"{glob.escape(incomplete)}*"))
    return [f"{match}{os.sep}" if match.is_dir() else str(match) for match in matches]


def denoise(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN",
            help="Recordings of any format, folders, patterns or URLs; a WFDB record with or "
            "without .hea; - for CSV on stdin.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="Recording to write, or folder for several; it is created.",
            autocompletion=paths,
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Format to write, by its suffix: wfdb, edf, csv, ...")
    ] = None,
    method: MethodName = None,
    mains: Mains = None,
    mode: Mode = None,
    strength: Strength = 1.0,
    unreadable: Unreadable = None,
    max_attenuation_db: MaxAttenuation = None,
    consistent_leads: ConsistentLeads = True,
    leads: Annotated[
        str, typer.Option(help="Leads to denoise, comma-separated: II,V1; by default all.")
    ] = "",
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Recordings denoised in parallel; by default 1.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Denoise on the workers of a Dask scheduler, tcp://HOST:8786, or on processes of "
            "this machine: local.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report of the result: report.html.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw strips before and after to this picture.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="Write a table with one row per recording and lead: quality, heart rate, removed "
            "noise. CSV, or JSON lines if it ends in .jsonl."
        ),
    ] = None,
    rpeaks: Annotated[
        bool,
        typer.Option(
            "--rpeaks",
            help="Write R peaks next to each result: as a table, or as WFDB annotations (.rpeaks).",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip recordings whose result is complete and newer than its source. Settings are "
            "not compared.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing results.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON lines, one per recording and lead, for scripts."),
    ] = False,
) -> None:
    """Denoise ECG recordings of any format, length, sampling rate and number of leads, in mV.

    The command lists the denoised leads, the unchanged ones with the reason, and the grades of
    each. A folder's tree is kept. A recording that fails does not stop the others: it is listed at
    the end, and the exit code is 1.
    """
    from ipmdae.commands import outputs
    from ipmdae.commands.job import Settings

    settings = Settings(
        **method_settings(method, mains, mode, unreadable),
        leads=split_names(leads),
        strength=strength,
        max_attenuation_db=max_attenuation_db,
        consistent_leads=consistent_leads,
        reading=read_options(fs, unit, columns, array, resample),
        resume=resume,
        heart_rates=bool(report or summary or as_json),
    )
    if Path("-") in recordings or output == "-":
        need_files = {
            "--report": report,
            "--figure": figure,
            "--summary": summary,
            "--rpeaks": rpeaks,
            "--to": to not in (None, "csv"),
            "--jobs": jobs,
            "--cluster": cluster,
            "--resume": resume,
            "--json": as_json,
        }
        for option, given in need_files.items():
            if given:
                raise ValueError(f"- stands for one recording as CSV: name files for {option}")
        pipe(recordings, output, settings, overwrite)
        return
    if output is None:
        raise ValueError("name the result: -o OUT")
    requested = outputs.OutputOptions(
        output=Path(output),
        is_folder=output.endswith((os.sep, "/")),
        to=to,
        report=report,
        figure=figure,
        summary=summary,
        peaks=rpeaks,
        overwrite=overwrite,
        resume=resume,
    )
    plan = outputs.plan([str(path) for path in recordings], requested)
    carry_out(plan, settings, _runner(cluster, jobs), as_json)


def _runner(cluster: str | None, jobs: int | None) -> Run:
    """Runner of the jobs: processes of this machine, or the workers of a cluster."""
    if cluster is None:
        from ipmdae.commands import batch

        return partial(batch.run, workers=jobs or 1)
    from ipmdae.commands import cluster as clusters

    return partial(clusters.run, address=cluster, workers=jobs)


def carry_out(plan: Plan, settings: Settings, run: Run, as_json: bool) -> None:
    """Denoise the recordings of a plan with a progress bar, print each outcome, write the tables.

    Raises:
        typer.Exit: with 1 if a recording failed, with 130 after Ctrl-C, 143 after SIGTERM.
    """
    from ipmdae.commands import results
    from ipmdae.commands.batch import progress_of
    from ipmdae.files import no_more_readable_than

    outcomes: list[Outcome] = []
    stopped: Exception | None = None
    show = results.print_lines if as_json else results.print_outcome
    try:
        with progress_of(plan.jobs) as progress:
            for outcome in run(plan.jobs, settings, tick=progress.tick):
                progress.done(outcome)
                outcomes.append(outcome)
                show(outcome)
    except KeyboardInterrupt as interruption:
        complain("interrupted", "no file is partly written; add --resume to continue")
        raise typer.Exit(exit_code(interruption)) from interruption
    except (OSError, ValueError) as error:  # no recording can be done any more
        stopped = error
    finally:
        order = {job.target: i for i, job in enumerate(plan.jobs)}
        outcomes.sort(key=lambda outcome: order[outcome.job.target])
        if plan.summary and outcomes:
            with no_more_readable_than(plan.sources):
                results.write_summary(plan.summary, outcomes, settings.resume)
    if plan.index:
        from ipmdae.report import write_index

        with no_more_readable_than(plan.sources):
            write_index(plan.index, [results.entry(outcome) for outcome in outcomes])
    results.print_totals(outcomes, plan.unknown, quiet=as_json)
    if stopped:
        raise stopped
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


def pipe(recordings: list[Path], output: str | None, settings: Settings, overwrite: bool) -> None:
    """Denoise one recording from stdin, or to stdout, as CSV."""
    import shutil
    from tempfile import TemporaryDirectory, gettempdir

    from ipmdae import temporaries
    from ipmdae.commands.job import Job, clean
    from ipmdae.commands.outputs import check_new, check_place
    from ipmdae.formats import files_of

    if len(recordings) > 1:
        raise ValueError("- stands for one recording: denoise the others separately")
    temporaries.sweep(Path(gettempdir()))
    with TemporaryDirectory(prefix=temporaries.marker()) as folder:
        source, target = recordings[0], Path(folder, "stdout.csv")
        name = str(source)
        to_stdout = output in (None, "-")
        if output is not None and not to_stdout:
            target = Path(output)
            check_place(target)
            check_new(files_of(target), overwrite)
        if source == Path("-"):
            source, name = Path(folder, "stdin.csv"), "stdin"
            with source.open("wb") as received:
                shutil.copyfileobj(sys.stdin.buffer, received)
        job = Job(source=source, name=name, target=target)
        outcome = clean(job, settings, settings.open(), lambda share: None)
        shown = "stdout" if to_stdout else str(target)
        for warning in outcome.warnings:
            complain("warning", warning.replace(str(target), shown))
        if outcome.error:
            raise ValueError(outcome.error.replace(str(target), shown))
        if to_stdout:
            with target.open("rb") as cleaned:
                shutil.copyfileobj(cleaned, sys.stdout.buffer)
