"""The command ``ipmdae download``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ipmdae.console import out, progress_bars

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBars
    from rich.progress import TaskID

    from ipmdae.lab.data.download import Dataset, Progress


def download(
    names: Annotated[
        list[str],
        typer.Argument(
            help="qtdb (QT Database) and nstdb (MIT-BIH Noise Stress Test) for the benchmarks; "
            "mitdb (MIT-BIH Arrhythmia), cinc2017 (hand-held, with atrial fibrillation; its "
            "training set), cudb (ventricular fibrillation)."
        ),
    ],
    to: Annotated[Path, typer.Option(help="Folder that holds the databases.")] = Path("datasets"),
    base_url: Annotated[
        str | None, typer.Option(help="Mirror with the layout of https://physionet.org/files.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel downloads.")] = 4,
) -> None:
    """Download the databases for training and testing from PhysioNet and verify every file.

    Repeat the command after an interruption: it fetches the files that are missing.
    """
    from rich.progress import DownloadColumn, TransferSpeedColumn

    from ipmdae.lab.data import download as databases

    with progress_bars(DownloadColumn(), TransferSpeedColumn()) as bars:
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
            f"{done.size / 1e6:.1f} MB, in {done.folder} ({done.dataset.licence})",
            markup=False,
        )


def progress_to(bars: ProgressBars) -> Progress:
    """Create a callback that shows the progress of downloads, one bar per database."""
    tasks: dict[str, TaskID] = {}

    def show(dataset: Dataset, here: int, expected: int) -> None:
        if dataset.name not in tasks:
            tasks[dataset.name] = bars.add_task(dataset.title, total=expected, completed=here)
        bars.update(tasks[dataset.name], completed=here, total=expected)

    return show
