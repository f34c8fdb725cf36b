"""Ablation study of the network and its recipe: ``python -m tools.ablation``."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipmdae.console import out, warnings_in_one_line
from ipmdae.lab.data import qtdb
from ipmdae.lab.evaluation import pages
from ipmdae.lab.evaluation.ablation import (
    MEASURES,
    Comparison,
    Score,
    Study,
    compare,
    equality_of_variances,
)
from ipmdae.lab.networks.complexity import measure
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training import flags, run, variants
from ipmdae.lab.training.callbacks import OutOfTimeError
from ipmdae.lab.training.variants import BASE, VARIANTS, Variant
from tools import show

_COLUMNS = (
    "variant",
    "change",
    "parameters",
    "MMAC",
    "validation loss",
    *(title if key == "improvement" else f"SNR improvement {title}"
      for key, title in MEASURES.items()),
    "SNR of clean leads after denoising (dB)",
)  # fmt: skip
_SECONDS = 5

_IDEAS = {
    "no-mamba": "the MF-IPM modules",
    "convolution": "Mamba instead of convolutions of equal cost",
    "lstm": "Mamba instead of an LSTM of equal cost",
    "branches-1": "several branches instead of one wider and costlier one",
    "shared-state": "a state matrix for each branch",
    "no-fusion": "multi-scale information fusion (MS-IF)",
    "forward-only": "both directions in time",
}
"""The paper's ideas, by the variant that lacks each."""


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
        started = time.time()
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        for variant in chosen:
            study.check_databases(variant)
        deadline = None if args.minutes is None else started + 60 * args.minutes
        try:
            train(study, chosen, args.seeds, run.machine(args.gpu, 1, args.workers), deadline)
        except OutOfTimeError:
            print("out of time: the same command continues; --report tables the finished runs")
            return
    base = stored(study, BASE, args.seeds)
    if not base:
        raise FileNotFoundError(
            f"no score of the base with these seeds and this budget in {args.results}: "
            "the variants cannot be compared"
        )
    lines = [Line(variant, stored(study, variant, list(base))) for variant in VARIANTS]
    lines = [line for line in lines if line.scores]
    written = pages.write(page(study, lines, list(base), args.output), args.output)
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
    add("--minutes", type=float, default=None, help="stop after this time, to be continued")
    add("--report", action="store_true", help="do not train: write the page from finished runs")
    return parser.parse_args(arguments)


def train(
    study: Study,
    chosen: Sequence[Variant],
    seeds: Sequence[int],
    machine: run.Machine,
    deadline: float | None,
) -> None:
    """Train missing runs: all variants with the first seed, then with the next.

    Raises:
        OutOfTimeError: the deadline (time since the epoch in s) has come.
    """
    jobs = [(variant, seed) for seed in seeds for variant in chosen]
    for index, (variant, seed) in enumerate(jobs, 1):
        with warnings_in_one_line():
            score, trained = study.work(variant, seed, machine, deadline)
        outcome = f"{score.improvement:.2f} dB{'' if trained else ' (already)'}"
        out.print(f"{index} of {len(jobs)}: {variant.name}, seed {seed}: {outcome}", markup=False)


def stored(study: Study, variant: Variant, seeds: Sequence[int]) -> dict[int, Score]:
    """Stored scores of a variant by seed."""
    found = {seed: study.stored(variant, seed) for seed in seeds}
    return {seed: score for seed, score in found.items() if score is not None}


def page(study: Study, lines: Sequence[Line], seeds: Sequence[int], output: Path) -> str:
    """Format the page: setup, scores, differences from the base, command."""
    compared = {title: differences(lines, measure) for measure, title in MEASURES.items()}
    header = [cell for title in MEASURES.values() for cell in (f"difference {title}", "the change")]
    rows = [
        [f"`{line.variant.name}`", *(cell for c in found for cell in (difference(c), c.verdict))]
        for line, *found in zip(lines[1:], *compared.values(), strict=True)
    ]
    return pages.render(
        "ablation.md.j2",
        study=study,
        seeds=len(seeds),
        scores=pages.table(_COLUMNS, [cells(study.model, line) for line in lines]),
        differences=pages.table(["variant", *header], rows),
        power={
            title: (equality_of_variances([c.differences for c in found]), found)
            for title, found in compared.items()
            if found and found[0].freedom
        },
        decided=decided(lines[1:], compared[MEASURES["improvement"]]),
        ideas=ideas(lines[1:], compared),
        seconds=_SECONDS,
        command=command(study, lines, seeds, output),
    )


def decided(lines: Sequence[Line], found: Sequence[Comparison]) -> dict[str, list[str]]:
    """Names of the variants by verdict."""
    names: dict[str, list[str]] = {}
    for line, comparison in zip(lines, found, strict=True):
        verdict = comparison.verdict.partition(",")[0]
        names.setdefault(verdict, []).append(f"`{line.variant.name}`")
    return names


def ideas(lines: Sequence[Line], compared: Mapping[str, Sequence[Comparison]]) -> str:
    """Table of the paper's ideas with their effect on each measure; empty without any."""
    rows = [
        [_IDEAS[line.variant.name], *(_effect(comparison) for comparison in found)]
        for line, *found in zip(lines, *compared.values(), strict=True)
        if line.variant.name in _IDEAS
    ]
    return pages.table(["idea", *compared], rows) if rows else ""


def _effect(without: Comparison) -> str:
    """Effect of an idea, by the difference of the variant that lacks it."""
    return {"hurts": "helps", "helps": "hurts"}.get(without.verdict, without.verdict.split(",")[0])


def differences(lines: Sequence[Line], measure: str) -> list[Comparison]:
    """Compare all variants with the base, the first line, by a field of their scores."""
    base, *others = (
        {seed: getattr(score, measure) for seed, score in line.scores.items()} for line in lines
    )
    return compare(base, others)


def difference(comparison: Comparison) -> str:
    """Format ``mean ± standard error`` with its sign."""
    return f"{comparison.mean:+.2f} ± {pages.number(comparison.error, 2)}"


def cells(model: str, line: Line) -> list[str]:
    """Row of a variant's size and scores."""
    variant, scores = line.variant, list(line.scores.values())
    samples = round(_SECONDS * qtdb.FS)
    cost = measure(variant.build(model, Clinic.leads), samples, Clinic.leads)
    return [
        f"`{variant.name}`",
        variant.change,
        f"{cost.parameters:,}",
        f"{cost.multiply_accumulates / 1e6:.2f}",
        pages.mean_and_deviation([score.loss for score in scores]),
        *(
            pages.mean_and_deviation([getattr(score, name) for score in scores], 2)
            for name in MEASURES
        ),
        pages.mean_and_deviation([score.kept for score in scores], 1),
    ]


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
