"""Ablation study of the network and its recipe: ``python -m tools.ablation``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ipmdae.console import out, warnings_in_one_line
from ipmdae.lab.data import qtdb
from ipmdae.lab.evaluation import pages
from ipmdae.lab.evaluation.ablation import Comparison, Score, Study, compare
from ipmdae.lab.networks.complexity import measure
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training import flags, run, variants
from ipmdae.lab.training.variants import BASE, VARIANTS, Variant
from tools import show

_COLUMNS = (
    "variant",
    "change",
    "parameters",
    "MMAC",
    "validation loss",
    "SNR improvement (dB)",
    "to the base (dB)",
    "verdict",
    "SNR of clean leads after denoising (dB)",
)
_SECONDS = 5


@dataclass(frozen=True)
class Line:
    """A variant and its scores by seed."""

    variant: Variant
    scores: dict[int, Score]


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    study = Study(
        datasets=args.datasets,
        results=args.results,
        model=args.use_model,
        epochs=args.epochs,
        steps=args.steps,
        batch_size=args.batch_size,
    )
    chosen = [variants.get(name) for name in args.variants]
    if not args.report:
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        train(study, chosen, args.seeds, run.machine(args.gpu, 1, args.workers))
    lines = [Line(variant, stored(study, variant, args.seeds)) for variant in VARIANTS]
    lines = [line for line in lines if line.scores]
    if not lines or lines[0].variant is not BASE:
        raise FileNotFoundError(
            f"no score of the base with these seeds and this budget in {args.results}: "
            "the variants cannot be compared"
        )
    written = pages.write(page(study, lines, args.seeds, args.output), args.output)
    print(f"written to {written}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.ablation",
        description="Train variants of a network, one factor at a time, with a small equal budget. "
        "Repeat the command to resume: finished runs are skipped, killed runs continue.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", type=Path, default=Path("datasets"), help="folder that holds the databases")
    add("--results", type=Path, default=Path("results", "ablation"), help="folder of the runs")
    add("--output", type=Path, default=Path("docs/results/ablation.md"), help="page to write")
    add("--use_model", default=Study.model, help="the base of the study")
    names = [variant.name for variant in VARIANTS]
    add("--variants", nargs="+", default=names, metavar="NAME", help="variants to train")
    add("--seeds", type=int, nargs="+", default=[0, 1], help="seeds of weights, order and noise")
    add("--epochs", type=flags.positive, default=Study.epochs, help="epochs per run")
    add(
        "--steps",
        type=flags.positive,
        default=Study.steps,
        help="largest number of steps per epoch",
    )
    add("--batch_size", type=flags.positive, default=Study.batch_size, help="windows per step")
    add("--gpu", type=int, default=None, help="number of the GPU to use")
    add("--workers", type=int, default=0, help="processes that prepare batches")
    add("--report", action="store_true", help="do not train: write the page from finished runs")
    return parser.parse_args(arguments)


def train(
    study: Study, chosen: Sequence[Variant], seeds: Sequence[int], machine: run.Machine
) -> None:
    """Train missing runs: all variants with the first seed, then with the next."""
    jobs = [(variant, seed) for seed in seeds for variant in chosen]
    for index, (variant, seed) in enumerate(jobs, 1):
        with warnings_in_one_line():
            score, trained = study.work(variant, seed, machine)
        outcome = f"{score.improvement:.2f} dB{'' if trained else ' (already)'}"
        out.print(f"{index} of {len(jobs)}: {variant.name}, seed {seed}: {outcome}", markup=False)


def stored(study: Study, variant: Variant, seeds: Sequence[int]) -> dict[int, Score]:
    """Stored scores of a variant by seed."""
    found = {seed: study.stored(variant, seed) for seed in seeds}
    return {seed: score for seed, score in found.items() if score is not None}


def page(study: Study, lines: Sequence[Line], seeds: Sequence[int], output: Path) -> str:
    """Format the page: setup, table, command."""
    base = lines[0].scores
    differences = [
        [line.scores[seed].improvement - base[seed].improvement for seed in line.scores]
        for line in lines[1:]
    ]
    compared: list[Comparison | None] = [None, *compare(differences)]
    rows = [
        cells(study.model, line, comparison)
        for line, comparison in zip(lines, compared, strict=True)
    ]
    return pages.render(
        "ablation.md.j2",
        study=study,
        seeds=len(seeds),
        table=pages.table(_COLUMNS, rows),
        seconds=_SECONDS,
        command=command(study, lines, seeds, output),
    )


def cells(model: str, line: Line, comparison: Comparison | None) -> list[str]:
    """Table row of a variant; the base has no difference."""
    variant, scores = line.variant, list(line.scores.values())
    samples = round(_SECONDS * qtdb.FS)
    cost = measure(variant.build(model, Clinic.leads), samples, Clinic.leads)
    return [
        f"`{variant.name}`",
        variant.change,
        f"{cost.parameters:,}",
        f"{cost.multiply_accumulates / 1e6:.2f}",
        pages.mean_and_deviation([score.loss for score in scores]),
        pages.mean_and_deviation([score.improvement for score in scores], 2),
        "-" if comparison is None else signed(list(comparison.differences)),
        "-" if comparison is None else comparison.verdict,
        pages.mean_and_deviation([score.kept for score in scores], 1),
    ]


def signed(differences: Sequence[float]) -> str:
    """Format ``mean ± sd`` with its sign."""
    text = pages.mean_and_deviation(differences, 2)
    return text if text.startswith("-") else f"+{text}"


def command(study: Study, lines: Sequence[Line], seeds: Sequence[int], output: Path) -> str:
    """Command that repeats the study, with databases in the default folder."""
    names = [line.variant.name for line in lines]
    chosen = f"--variants {' '.join(names)} " if len(names) < len(VARIANTS) else ""
    return (
        f"python -m tools.ablation --use_model {study.model} {chosen}"
        f"--seeds {' '.join(map(str, seeds))} --epochs {study.epochs} --steps {study.steps} "
        f"--batch_size {study.batch_size} --output {output}"
    )


if __name__ == "__main__":
    show.run(main)
