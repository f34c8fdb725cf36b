"""Ablation study of the network and its recipe: ``python -m tools.ablation``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipmdae.console import out, warnings_in_one_line
from ipmdae.files import replacing
from ipmdae.lab.data import qtdb
from ipmdae.lab.evaluation.ablation import Comparison, Score, Study, compare
from ipmdae.lab.evaluation.tables import number, table
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
    with replacing(args.output) as path:
        path.write_text(page(study, lines, args.seeds, args.output), encoding="utf-8")
    print(f"written to {args.output}")


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
    return f"""# Ablation study

`{study.model}` as it ships, trained on protocol clinic with recipe `release` and augmentation, is
the base; each variant differs from it in one factor. All have the same small training budget:
{plural(study.epochs, "epoch")} of at most {plural(study.steps, "step")} of {study.batch_size}
windows, and {plural(len(seeds), "seed")}. Model selection and scores use the validation set (other
patients, other noise); the test set is not used.

{table(_COLUMNS, rows)}
Mean ± standard deviation over seeds. Multiply-accumulates (millions) are those of {_SECONDS} s of
one lead, the scan included. The validation loss is that of the base's recipe, also for variants
trained with another loss. The SNR improvement is by AC power, the mean over all validation windows
with noise; "SNR of clean leads after denoising" measures the distortion of windows without added
noise. Differences are paired by seed. "Helped" or "hurt" means more than two standard errors from
zero, with the variance of the differences pooled over all variants. Among many variants one or two
exceed that by chance.

The study is inconclusive: with two seeds and so few steps no component of the paper is shown to
help or to hurt. A short training favours what learns fast; averaged weights, augmentation, fresh
noise and size are worth more in the long training of a shipped model than this table shows.

Made by

```
{command(study, lines, seeds, output)}
```
"""


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
        spread([score.loss for score in scores]),
        spread([score.improvement for score in scores], 2),
        "-" if comparison is None else spread(list(comparison.differences), 2, signed=True),
        "-" if comparison is None else comparison.verdict,
        spread([score.kept for score in scores], 1),
    ]


def plural(count: int, what: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def spread(values: Sequence[float], digits: int = 3, *, signed: bool = False) -> str:
    """Format ``mean ± sd``; a single value without sd."""
    mean = number(float(np.mean(values)), digits)
    if signed and not mean.startswith("-"):
        mean = f"+{mean}"
    return mean if len(values) == 1 else f"{mean} ± {number(float(np.std(values, ddof=1)), digits)}"


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
