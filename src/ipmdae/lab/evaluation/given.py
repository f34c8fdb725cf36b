"""Model size, compute and training budget, stored with each benchmark result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

from ipmdae.lab.evaluation import tables
from ipmdae.lab.training.summary import Summary

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.benchmark import Result


class Training(NamedTuple):
    """Training of one model.

    Attributes:
        summary: training budget and outcome.
        recipe: name of the recipe, see :mod:`ipmdae.lab.training.recipe`.
        late_fall: see :func:`ipmdae.lab.training.summary.late_fall`.
    """

    summary: Summary
    recipe: str
    late_fall: float

    @property
    def budget(self) -> tuple[object, ...]:
        """Everything but the seed: equal for trainings of one model with several seeds."""
        given = self.summary
        counts = given.epochs, given.windows_seen, given.batch_size
        return given.method, given.protocol, self.recipe, *counts, given.fresh_noise, given.loss


@dataclass(frozen=True, kw_only=True)
class Network:
    """Size, compute and training of a network.

    Attributes:
        parameters: number of weights.
        multiply_accumulates: per unit of the benchmark (a beat, 5 s of a lead, …), summed over all
            draws of a diffusion model.
        trainings: one per model; empty where a model card documents them.
    """

    parameters: int
    multiply_accumulates: int
    trainings: tuple[Training, ...] = ()

    @property
    def seeds(self) -> list[int]:
        """Seeds of the trainings, ascending."""
        return sorted({training.summary.seed for training in self.trainings})

    @property
    def remark(self) -> str:
        """``training diverged``, ``not converged``, or empty."""
        if any(training.summary.diverged for training in self.trainings):
            return "training diverged"
        converged = all(training.summary.converged for training in self.trainings)
        return "" if converged else "not converged"

    @property
    def reason(self) -> str:
        """Known reason why the scores may be too low, in words; or empty."""
        if not self.remark:
            return ""
        epochs, windows, noise = _budget(self.trainings)
        stated = f"{self.remark}: {windows} windows in {_epochs(epochs)}, noise {noise}"
        falls = [fall for *_, fall in self.trainings if not isnan(fall)]
        if not falls:
            return f"{stated}; after a single epoch the trend of the loss is unknown"
        fall = max(falls)
        if fall <= 0:
            return stated
        return f"{stated}; the last tenth of them still lowered the validation loss by {fall:.1%}"

    def to_json(self) -> str:
        """Serialise as JSON, for :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: the text has another structure.
        """
        try:
            content = json.loads(text)
            trainings = tuple(
                Training(Summary(**summary), recipe, fall)
                for summary, recipe, fall in content.pop("trainings")
            )
            return cls(trainings=trainings, **content)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a description of a network ({error})") from error


class Counts(NamedTuple):
    """Published size and compute of a network."""

    parameters: float
    multiply_accumulates: float


def section(
    results: Sequence[Result], unit: str, published: Mapping[str, Counts] | None = None
) -> str:
    """Heading, text and table of all networks among the results; empty if there are none.

    Args:
        results: of any methods.
        unit: unit of the multiply-accumulates, e.g. ``"beat"``.
        published: counts by method, printed in brackets.
    """
    networks = {result.method: result.network for result in results if result.network is not None}
    if not networks:
        return ""
    rows = [
        [f"`{method}`", *_cost(network, (published or {}).get(method)), *_given(network.trainings)]
        for method, network in networks.items()
    ]
    header = [
        *("network", "parameters", f"MAC per {unit}", "recipe", "epochs", "windows seen"),
        *("noise", "minutes", "on", "loss", "best validation loss", "converged"),
    ]
    trainings = [training for network in networks.values() for training in network.trainings]
    parts = ["## Training budgets\n", _TEXT, tables.table(header, rows)]
    return "\n".join([*parts, *_commands(trainings)])


_TEXT = """\
Multiply-accumulates are counted while the network runs, scan and attention included; published
counts are in brackets. The recipe `rival` is the same for all networks (AdamW, warm-up and cosine
schedule); the weights are those of the epoch with the lowest validation loss. Where the models of a
row differ, their values are separated by slashes. Noise is drawn once or anew in each epoch. The
loss is the network's own or the one named; validation losses of different networks are not
comparable. Converged means that the last tenth of the epochs lowered the validation loss by 2 % at
most. A dash marks a network that was trained differently, see the model card (`ipmdae models NAME`)
or the run's `run.json`.
"""


def _commands(trainings: Sequence[Training]) -> list[str]:
    """Commands that repeat the trainings, one per budget, as Markdown lines."""
    budgets: dict[str, list[str]] = {}
    for training, recipe, _ in trainings:
        fresh = "--fresh-noise" if training.fresh_noise else "--no-fresh-noise"
        budget = (
            f"--recipe {recipe} --epochs {training.epochs} --batch-size {training.batch_size} "
            f"--seed {training.seed} {fresh}"
        )
        methods = budgets.setdefault(f"--protocol {training.protocol} {budget}", [])
        if training.method not in methods:
            methods.append(training.method)
    if not budgets:
        return []
    lines = [
        f"ipmdae benchmark train {budget} --methods {','.join(methods)}"
        for budget, methods in budgets.items()
    ]
    return ["Trained by", "", "```", *lines, "```", ""]


def _cost(network: Network, published: Counts | None) -> list[str]:
    cells = [tables.count(n) for n in (network.parameters, network.multiply_accumulates)]
    if published is None:
        return cells
    return [f"{cell} ({tables.count(n)})" for cell, n in zip(cells, published, strict=True)]


def _given(trainings: Sequence[Training]) -> list[str]:
    if not trainings:
        return ["-"] * 9
    summaries = [training.summary for training in trainings]
    best = [summary.best_valid_loss for summary in summaries]
    verdicts = {True: "diverged", False: "**no**"}
    return [
        _each(training.recipe for training in trainings),
        *_budget(trainings),
        _each(f"{summary.seconds / 60:.0f}" for summary in summaries),
        _each(summary.accelerator for summary in summaries),
        _each(summary.loss for summary in summaries),
        _each("-" if loss is None else f"{loss:.4g}" for loss in best),
        _each("yes" if s.converged else verdicts[s.diverged] for s in summaries),
    ]


def _budget(trainings: Sequence[Training]) -> tuple[str, str, str]:
    """Epochs, windows, and how noise is drawn."""
    summaries = [training.summary for training in trainings]
    return (
        _each(str(summary.epochs) for summary in summaries),
        _each(f"{summary.windows_seen:,}" for summary in summaries),
        _each("fresh" if summary.fresh_noise else "once" for summary in summaries),
    )


def _epochs(epochs: str) -> str:
    return "1 epoch" if epochs == "1" else f"{epochs} epochs"


def _each(values: Iterable[str]) -> str:
    """The common value of all models, or all values separated by slashes."""
    stated = list(values)
    return stated[0] if len(set(stated)) == 1 else " / ".join(stated)
