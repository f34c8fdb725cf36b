"""What each part of our network and its recipe is worth: ``python -m tools.ablation``."""

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
    "what is different",
    "parameters",
    "MMAC",
    "validation loss",
    "SNR improvement (dB)",
    "to the base (dB)",
    "verdict",
    "clean kept (dB)",
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
            f"the base has no score of these seeds and this budget in {args.results}: "
            "nothing to compare with"
        )
    with replacing(args.output) as path:
        path.write_text(page(study, lines, args.seeds, args.output), encoding="utf-8")
    print(f"written to {args.output}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The flags of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.ablation",
        description="Train variants of a network, one factor at a time, with a small equal budget. "
        "What is finished is skipped and what was killed goes on: give the same command again.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--datasets", type=Path, default=Path("datasets"), help="folder that holds the databases")
    add("--results", type=Path, default=Path("results", "ablation"), help="folder of the runs")
    add("--output", type=Path, default=Path("docs/results/ablation.md"), help="page to write")
    add("--use_model", default=Study.model, help="the base of the study")
    names = [variant.name for variant in VARIANTS]
    add("--variants", nargs="+", default=names, metavar="NAME", help="what to train")
    add("--seeds", type=int, nargs="+", default=[0, 1], help="of weights, order and noise")
    add("--epochs", type=flags.positive, default=Study.epochs, help="of each run")
    add("--steps", type=flags.positive, default=Study.steps, help="of each epoch, at most")
    add("--batch_size", type=flags.positive, default=Study.batch_size, help="windows a step")
    add("--gpu", type=int, default=None, help="number of the GPU to use")
    add("--workers", type=int, default=0, help="processes that prepare batches")
    add("--report", action="store_true", help="train nothing: write the page of what is done")
    return parser.parse_args(arguments)


def train(
    study: Study, chosen: Sequence[Variant], seeds: Sequence[int], machine: run.Machine
) -> None:
    """Train what is missing, all variants by the first seed, then all by the next."""
    jobs = [(variant, seed) for seed in seeds for variant in chosen]
    for index, (variant, seed) in enumerate(jobs, 1):
        with warnings_in_one_line():
            score, trained = study.work(variant, seed, machine)
        told = f"{score.improvement:.2f} dB{'' if trained else ' (already)'}"
        out.print(f"{index} of {len(jobs)}: {variant.name}, seed {seed}: {told}", markup=False)


def stored(study: Study, variant: Variant, seeds: Sequence[int]) -> dict[int, Score]:
    """The scores of a variant that there are, by seed."""
    found = {seed: study.stored(variant, seed) for seed in seeds}
    return {seed: score for seed, score in found.items() if score is not None}


def page(study: Study, lines: Sequence[Line], seeds: Sequence[int], output: Path) -> str:
    """The page in Markdown: what was done, the table, how it was made."""
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
    return f"""# What each part is worth

`{study.model}` as it ships, trained on protocol clinic with recipe `release` and augmentation, is
the base; each variant differs from it in one thing. All get the same small budget:
{plural(study.epochs, "epoch")} of at most {plural(study.steps, "step")} of {study.batch_size}
windows, and {plural(len(seeds), "seed")}. Validation decides and scores (other patients, other
noise); the test set takes no part.

{table(_COLUMNS, rows)}
Mean ± standard deviation over seeds. Multiply-accumulates (millions) are those of {_SECONDS} s of
one lead, the scan included. The loss is that of the base's recipe, whatever the variant was trained
by. The SNR improvement is by AC power, the mean over all validation windows with noise; "clean
kept" is the SNR of the cleaned to the given signal where no noise was added. Differences are paired
by seed. "Helped" or "hurt" means: more than two standard errors off zero, with the variance of the
differences pooled over all variants. Among many variants one or two get there by chance.

This decides nothing: with two seeds and so few steps no part of the paper's idea is shown to help
or to hurt. So little training shows what learns fast. What pays late (averaged
weights, augmentation, fresh noise, size) is worth more, in the long training of a model that
ships, than it shows here.

Made by

```
{command(study, lines, seeds, output)}
```
"""


def cells(model: str, line: Line, comparison: Comparison | None) -> list[str]:
    """The row of a variant; the base is compared with nothing."""
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
    """``mean ± sd``, the mean alone of one value."""
    mean = number(float(np.mean(values)), digits)
    if signed and not mean.startswith("-"):
        mean = f"+{mean}"
    return mean if len(values) == 1 else f"{mean} ± {number(float(np.std(values, ddof=1)), digits)}"


def command(study: Study, lines: Sequence[Line], seeds: Sequence[int], output: Path) -> str:
    """What makes the same study again, from databases in the default folder."""
    names = [line.variant.name for line in lines]
    chosen = f"--variants {' '.join(names)} " if len(names) < len(VARIANTS) else ""
    return (
        f"python -m tools.ablation --use_model {study.model} {chosen}"
        f"--seeds {' '.join(map(str, seeds))} --epochs {study.epochs} --steps {study.steps} "
        f"--batch_size {study.batch_size} --output {output}"
    )


if __name__ == "__main__":
    show.run(main)
