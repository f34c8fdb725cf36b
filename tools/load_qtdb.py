"""Summarise the QT Database and draw a segment of it: ``python -m tools.load_qtdb``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ipmdae import figures
from ipmdae.lab.data import qtdb, splits
from ipmdae.recording import Recording
from tools import show

_WINDOW_SECONDS = 5
_FIGURE_SECONDS = 10.0


def main(arguments: list[str] | None = None) -> None:
    args = show.parser(
        "tools.load_qtdb", "Summarise the QT Database and draw a recording.", qtdb.FOLDER, "sel100"
    ).parse_args(arguments)
    names = qtdb.record_names(args.path)
    if args.record not in names:
        raise ValueError(
            f"there is no record {args.record!r} in {args.path}, which has: {', '.join(names)}"
        )
    recordings = {name: qtdb.read(args.path, name) for name in names}
    summarise(args.path, recordings)
    drawn = figures.ecg_paper(recordings[args.record], seconds=_FIGURE_SECONDS)
    show.figure(drawn, args.save, "load_qtdb.png")


def summarise(folder: Path, recordings: dict[str, Recording]) -> None:
    """Print what is there, and how it divides into windows by the published protocol."""
    show.table(
        f"QT Database in {folder}",
        ["record", "minutes", "Hz", "leads", "offset (mV)"],
        [
            [name, f"{r.duration / 60:.2f}", f"{r.fs:g}", ", ".join(r.leads), offsets(r)]
            for name, r in recordings.items()
        ],
    )
    minutes = sum(recording.duration for recording in recordings.values()) / 60
    rates = Counter(f"{recording.fs:g} Hz" for recording in recordings.values())
    leads = Counter(len(recording.leads) for recording in recordings.values())
    print(f"\nrecords    {len(recordings)}, {minutes:.1f} min together")
    print(f"rates      {', '.join(f'{rate} ({count})' for rate, count in rates.items())}")
    print(f"leads      {', '.join(f'{number} ({count})' for number, count in leads.items())}")
    order = [name for name in splits.load("reference", "sorted") if name in recordings]
    boundary = splits.PUBLISHED_TRAINING_RECORDS
    for side, part in (("training", order[:boundary]), ("validation", order[boundary:])):
        count = sum(windows(recordings[name]) for name in part)
        print(
            f"{side:<10} {len(part)} records, {count:,} windows of {_WINDOW_SECONDS} s "
            '(split "sorted")'
        )


def offsets(recording: Recording) -> str:
    """The constant offset of each lead in mV: some headers put zero somewhere else."""
    return ", ".join(f"{value:+.2f}" for value in np.nanmedian(recording.signal, axis=0))


def windows(recording: Recording) -> int:
    """Number of whole windows in the recording."""
    return int(len(recording.signal) // (_WINDOW_SECONDS * recording.fs))


if __name__ == "__main__":
    show.run(main)
