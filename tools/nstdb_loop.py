"""Repetitions within the records of the noise database: ``python -m tools.nstdb_loop``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ipmdae.figures import save
from ipmdae.files import replacing
from ipmdae.lab.data import nstdb, repetitions
from ipmdae.lab.data.repetitions import Repetition
from ipmdae.lab.evaluation.pages import table
from tools import show

_COLUMNS = ("noise", "from (s)", "to (s)", "repeats", "lag (s)", "r", "difference / noise (steps)")
_ADC_GAIN = 200.0
_TEST_SECONDS = 900
"""The last 15 minutes: the usual test part."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.nstdb_loop",
        description="Find the segments of the noise records that repeat earlier ones.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--path", type=Path, default=Path("datasets", nstdb.FOLDER), help="the database's folder")
    add("--output", type=Path, metavar="FILE", help="write a page in Markdown, too")
    add("--figure", type=Path, metavar="FILE", help="draw the first occurrence of each segment")
    args = parser.parse_args(arguments)
    found, seconds = {}, {}
    for kind in nstdb.KINDS:
        samples, fs = digital(args.path, kind)
        found[kind] = repetitions.find(samples, fs)
        seconds[kind] = len(samples) / fs
    rows = [row for kind in nstdb.KINDS for row in cells(kind, found[kind])]
    totals = [total(kind, found[kind], seconds[kind]) for kind in nstdb.KINDS]
    show.table("Segments that repeat earlier ones", list(_COLUMNS), rows)
    show.table("Distinct noise", list(_TOTALS), totals)
    if args.figure:
        save(draw(found, seconds), args.figure)
    if args.output:
        with replacing(args.output) as path:
            path.write_text(page(rows, totals, args.figure, args.output), encoding="utf-8")


_TOTALS = (
    "noise",
    "minutes",
    "distinct minutes",
    "last 15 min that repeat the first 15",
    "seconds shared by two sets",
)


def digital(folder: Path, kind: str) -> tuple[NDArray[np.float64], float]:
    """The record's integer samples, (time, 2), and the sampling rate."""
    recording = nstdb.read(folder, kind)
    gains = [how.gain if how else _ADC_GAIN for how in recording.resolution]
    return np.rint(recording.signal * np.array(gains)), recording.fs


def cells(kind: str, found: list[Repetition]) -> list[list[str]]:
    """One table row per repeated segment."""
    return [
        [
            kind,
            f"{r.first:.0f}",
            f"{r.last:.0f}",
            f"{r.first - r.lag:.0f} to {r.last - r.lag:.0f}",
            f"{r.lag:.3f}",
            f"{r.correlation:.2f}",
            f"{r.residual:.1f} / {r.size:.1f}",
        ]
        for r in found
    ]


def total(kind: str, found: list[Repetition], seconds: float) -> list[str]:
    """Table row of a record: distinct minutes, and repetitions in its last 15 minutes."""
    repeated = repetitions.repeated_seconds(found, seconds)
    last = np.arange(max(int(seconds) - _TEST_SECONDS, 0), int(seconds))
    of_first = [
        t for t in last if source(float(t), found) < seconds - _TEST_SECONDS and repeated[t]
    ]
    return [
        f"{kind} ({nstdb.TITLES[kind]})",
        f"{seconds / 60:.1f}",
        f"{np.sum(~repeated) / 60:.1f}",
        f"{100 * len(of_first) / max(len(last), 1):.0f} %",
        str(overlaps(kind, found)),
    ]


def source(second: float, found: list[Repetition]) -> float:
    """Time of the first occurrence of the noise at ``second``, in s."""
    for r in reversed(found):
        if r.first <= second < r.last:
            return source(second - r.lag, found)
    return second


def overlaps(kind: str, found: list[Repetition]) -> int:
    """Seconds of noise that the segments of two sets share."""
    owners: dict[int, set[str]] = {}
    for part, intervals in nstdb.INTERVALS[kind].items():
        for first, last in intervals:
            for second in range(int(first), int(last)):
                owners.setdefault(int(source(second + 0.5, found)), set()).add(part)
    return sum(len(parts) > 1 for parts in owners.values())


def draw(found: dict[str, list[Repetition]], seconds: dict[str, float]) -> Figure:
    """First occurrence of each second against time in the record, one panel per kind."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(found), sharey=True), found, strict=True):
        times = np.arange(int(seconds[kind])) + 0.5
        first = np.array([source(time, found[kind]) for time in times])
        new = first == times
        axes.plot(times[new] / 60, first[new] / 60, ".", markersize=2, color="C0")
        axes.plot(times[~new] / 60, first[~new] / 60, ".", markersize=2, color="C3")
        axes.set(title=f"{kind}: {new.sum() / 60:.1f} min", xlabel="time (min)", aspect="equal")
    figure.axes[0].set_ylabel("first occurrence (min)")
    return figure


def page(rows: list[list[str]], totals: list[list[str]], figure: Path | None, output: Path) -> str:
    """The page, in Markdown."""
    command = "python -m tools.nstdb_loop"
    command += f" --figure {figure} --output {output}" if figure else f" --output {output}"
    image = ""
    if figure:
        inside = output.parent in figure.parents
        where = figure.relative_to(output.parent) if inside else figure
        image = f"\n![First occurrence of each second of noise]({where.as_posix()})\n"
    return _PAGE.format(
        command=command,
        totals=table(_TOTALS, totals),
        rows=table(_COLUMNS, rows),
        image=image,
    )


_PAGE = """# Repetitions in the MIT-BIH Noise Stress Test Database

Two of the three noise records of this database, `bw` (baseline wander) and `em` (electrode motion),
are loops: about ten minutes of noise, repeated to fill half an hour. `ma` (muscle artefact) is half
an hour without repetition. To our knowledge this has not been published.

{totals}
A benchmark that trains on the first part of these records and tests on the last part therefore
tests on copies of its training noise. Most benchmarks do, including this project's protocols
`reference` (the paper's) and `deepfilter`.

## The evidence

The copies differ sample by sample, since the tape was digitised again for each repetition: power or
hashes of segments do not reveal them. A matched filter does. Windows of 4 s of the slope of both
channels are correlated with the whole record before them, and lags on which consecutive windows
agree are followed through the record. In the table, r is the median correlation of the slopes; the
difference is the root mean square of the record's integers minus those one lag earlier, each less
its mean over 4 s, next to that of the noise itself. Segment limits are accurate to about 2 s, lags
to one sample (2.8 ms). Repetitions shorter than about a minute may be missed: em at 289 to 326 s
repeats 6 to 43 s, so that only 9.2 min of it are distinct.

{rows}{image}
Made by `{command}`.

## A split without overlap

`ipmdae.lab.data.nstdb.Noise.segments` returns training, validation and test segments (`INTERVALS`)
that share no noise, repetitions included: for bw and em segments of the first occurrence of each
noise, for ma thirds of the record. The last column of the first table counts the seconds that two
of the sets share.

## Effect on results

Whether a network has memorised the test noise can be checked: the sum of two segments has the same
statistics but was not in training. [memorised_noise.md](results/memorised_noise.md) has the effect
on the models that ship.
"""


if __name__ == "__main__":
    show.run(main)
