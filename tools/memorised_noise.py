"""Gain of models on noise that training cannot have held: ``python -m tools.memorised_noise``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ipmdae.lab.evaluation import clinic, pages
from ipmdae.lab.evaluation.clinic import ClinicBenchmark
from ipmdae.lab.protocols.clinic_test import KINDS, Piece
from tools import show

MODELS = (
    *("ipmdae-base", "ipmdae-small", "ipmdae-nano"),
    *("ipmdae-base+augmented", "lunet+augmented"),
)
"""Models that saw the test minutes of bw and em, and networks that did not."""

Change = Callable[[Piece, Piece], Piece]
"""A segment with other noise, given another segment, too."""


def reversed_in_time(piece: Piece, other: Piece) -> Piece:
    """The segment with its noise reversed in time."""
    del other
    return replace(piece, noise=piece.noise[:, ::-1])


def summed(piece: Piece, other: Piece) -> Piece:
    """The segment with the sum of its noise and that of another one, of equal power."""
    parts = (of.noise / of.noise.std(axis=1, keepdims=True) for of in (piece, other))
    return replace(piece, noise=sum(parts))


CHANGES: dict[str, Change] = {"reversed in time": reversed_in_time, "sum of two segments": summed}


@dataclass(frozen=True)
class Changed(ClinicBenchmark):
    """Protocol clinic with changed noise."""

    change: Change = reversed_in_time

    def units(self, part: int | None) -> list[Piece]:
        """The segments, record by record and lead by lead."""
        return changed(super().units(part), self.change)


_MEASURE = "snr_improvement"
_COLUMNS = ("model", "noise", "as recorded", *CHANGES)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.memorised_noise",
        description="Compare the gain on test noise with that on changed test noise.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", type=Path, default=Path("datasets"), help="folder that holds the databases")
    add("--runs", type=Path, default=Path("release", "runs"), help="folder of trained networks")
    add("--methods", nargs="+", default=list(MODELS), help="models or other methods")
    add("--part", type=int, metavar="N", help="segments of each lead, for a quick look")
    add("--output", type=Path, metavar="FILE", help="write a page in Markdown, too")
    args = parser.parse_args(arguments)
    harness = ClinicBenchmark(args.datasets, args.runs)
    rows = [row for name in args.methods for row in cells(name, harness, args.part)]
    show.table("SNR improvement (dB) by noise", list(_COLUMNS), rows)
    if args.output:
        command = f"python -m tools.memorised_noise --output {args.output}"
        command += f" --methods {' '.join(args.methods)}" if args.methods != [*MODELS] else ""
        command += f" --part {args.part}" if args.part else ""
        page = pages.render(
            "memorised_noise.md.j2",
            table=pages.table(_COLUMNS, rows),
            command=command,
            part=args.part,
        )
        pages.write(page, args.output)


def cells(method: str, harness: ClinicBenchmark, part: int | None = None) -> list[list[str]]:
    """One row per kind of noise: the gain, then paired differences to it for each change."""
    recorded = harness.run(method, part=part)
    others = [
        Changed(harness.datasets, harness.runs, change).run(method, part=part)
        for change in CHANGES.values()
    ]
    return [
        [
            f"`{method}`",
            kind,
            pages.estimate(clinic.mean(recorded, _MEASURE, kind), 2),
            *(
                pages.estimate(clinic.mean_less(other, recorded, _MEASURE, kind), 2)
                for other in others
            ),
        ]
        for kind in KINDS
    ]


def changed(units: Sequence[Piece], change: Change) -> list[Piece]:
    """Segments with other noise; the second segment of each is half the test away."""
    apart = len(units) // 2
    return [change(piece, units[(i + apart) % len(units)]) for i, piece in enumerate(units)]


if __name__ == "__main__":
    show.run(main)
