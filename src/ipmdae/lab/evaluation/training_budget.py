"""Size, compute and training of the networks in results: training budgets, seeds, their pooling."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from ipmdae.lab.evaluation import pages
from ipmdae.lab.training.summary import MINOR_CHANGE, Summary, network_and_pairs

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.results import Result

PAPER = "Ultralight_IPM_DAE+augmented"
"""The paper's network, trained on whole leads as all networks of this suffix."""

SHIPPED_PASSES = {
    "ipmdae-base": (28, 30, 12),
    "ipmdae-small": (16, 10, 10),
    "ipmdae-nano": (16, 12, 16),
    "Ultralight_IPM_DAE": (8,),
}
"""Passes over the training windows of the models that ship, by stage."""

SEED_MARK = "@"
"""Separator of network name and training seed."""

_DIGITS = 4


class Training(NamedTuple):
    """Training of one model.

    Attributes:
        summary: training budget and outcome.
        recipe: name of the recipe, see :mod:`ipmdae.lab.training.recipe`.
        late_fall: see :func:`ipmdae.lab.training.summary.late_fall`.
        precision: see :class:`ipmdae.lab.training.run.Settings`.
    """

    summary: Summary
    recipe: str
    late_fall: float
    precision: str = "32-true"

    @property
    def outcome(self) -> str:
        """Convergence in a word: ``yes``, ``**no**``, ``overfitted`` or ``diverged``."""
        if self.summary.diverged:
            return "diverged"
        if not self.summary.converged:
            return "**no**"
        return "overfitted" if self.late_fall < -MINOR_CHANGE else "yes"

    @property
    def passes(self) -> tuple[object, ...]:
        """Recipe, and what passes the network: equal for networks that are trained equally."""
        given = self.summary
        return self.recipe, given.epochs, given.windows_seen, given.batch_size

    @property
    def budget(self) -> tuple[object, ...]:
        """Everything but the seed: equal for trainings of one model with several seeds."""
        given = self.summary
        drawn = given.fresh_noise, given.loss
        return given.method, given.protocol, self.precision, *drawn, *self.passes


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
        """``training diverged``, not converged in which budget, or empty."""
        if any(training.summary.diverged for training in self.trainings):
            return "training diverged"
        left = [summary for summary, *_ in self.trainings if not summary.converged]
        if not left:
            return ""
        passes, device = max((summary.epochs, summary.accelerator.upper()) for summary in left)
        return f"not converged in {pages.plural(passes, 'epoch')} on a {device}"

    @property
    def reason(self) -> str:
        """Known reason why the scores may be too low, in words; or empty."""
        if not self.remark:
            return ""
        stated = f"{self.remark} ({_budget(self.trainings)[1]} windows)"
        if any(training.summary.diverged for training in self.trainings):
            return stated
        falls = [training.late_fall for training in self.trainings]
        falls = [fall for fall in falls if not isnan(fall)]
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
                Training(Summary(**summary), *further)
                for summary, *further in content.pop("trainings")
            )
            return cls(trainings=trainings, **content)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a description of a network ({error})") from error


def has_pairs_of_paper(result: Result) -> bool:
    """True for a network that was trained on the pairs of :data:`PAPER`."""
    return network_and_pairs(result.method)[1] == network_and_pairs(PAPER)[1]


def equally_trained(results: Sequence[Result]) -> dict[str, Result]:
    """Networks on whole leads with the pairs, recipe and budget of the paper's, by name.

    Empty without a usable result of the paper's network.
    """
    trained = {
        result.method: result
        for result in results
        if has_pairs_of_paper(result) and not result.diverged
    }
    paper = trained.get(PAPER)
    if paper is None:
        return {}
    return {name: result for name, result in trained.items() if _passes(result) == _passes(paper)}


def _passes(result: Result) -> list[tuple[object, ...]]:
    return [training.passes for training in (result.network.trainings if result.network else ())]


class Counts(NamedTuple):
    """Published size and compute of a network."""

    parameters: float
    multiply_accumulates: float


def budgets_section(
    results: Sequence[Result], unit: str, published: Mapping[str, Counts] | None = None
) -> str:
    """Heading, text and table of all networks among the results; empty without networks.

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
        *("pairs drawn", "minutes", "on", "loss"),
        *("best validation loss", "best epoch", "converged"),
    ]
    trainings = [training for network in networks.values() for training in network.trainings]
    return pages.render(
        "training_budgets.md.j2",
        table=pages.table(header, rows),
        commands=_commands(trainings),
        bracketed=any(method in (published or {}) for method in networks),
        shipped=[
            f"`{name}` {' + '.join(map(str, SHIPPED_PASSES[name]))}"
            for name, network in networks.items()
            if not network.trainings and name in SHIPPED_PASSES
        ],
    )


def _commands(trainings: Sequence[Training]) -> list[str]:
    """Commands that repeat the trainings, one per budget."""
    budgets: dict[str, list[str]] = {}
    for training, recipe, _, precision in trainings:
        exact = "" if precision == "32-true" else f" --precision {precision}"
        budget = (
            f"--recipe {recipe} --epochs {training.epochs} --batch-size {training.batch_size} "
            f"--seed {training.seed}{exact}"
        )
        methods = budgets.setdefault(f"--protocol {training.protocol} {budget}", [])
        if training.method not in methods:
            methods.append(training.method)
    return [
        f"ipmdae benchmark train {budget} --methods {','.join(methods)}"
        for budget, methods in budgets.items()
    ]


def _cost(network: Network, published: Counts | None) -> list[str]:
    cells = [pages.count(n) for n in (network.parameters, network.multiply_accumulates)]
    if published is None:
        return cells
    return [f"{cell} ({pages.count(n)})" for cell, n in zip(cells, published, strict=True)]


def _given(trainings: Sequence[Training]) -> list[str]:
    if not trainings:
        return ["-"] * 10
    summaries = [training.summary for training in trainings]
    best = [summary.best_valid_loss for summary in summaries]
    return [
        _each(training.recipe for training in trainings),
        *_budget(trainings),
        _each(f"{summary.seconds / 60:.0f}" for summary in summaries),
        _each(
            training.summary.accelerator + (", bf16" if "bf16" in training.precision else "")
            for training in trainings
        ),
        _each(summary.loss for summary in summaries),
        _each("-" if loss is None else f"{loss:.4g}" for loss in best),
        _each(str(summary.best_epoch or "-") for summary in summaries),
        _each(training.outcome for training in trainings),
    ]


def _budget(trainings: Sequence[Training]) -> tuple[str, str, str]:
    """Epochs, windows, and how often pairs are drawn."""
    summaries = [training.summary for training in trainings]
    return (
        _each(str(summary.epochs) for summary in summaries),
        _each(f"{summary.windows_seen:,}" for summary in summaries),
        _each("in each epoch" if summary.fresh_noise else "once" for summary in summaries),
    )


def _each(values: Iterable[str]) -> str:
    """The common value of all models, or all values separated by slashes."""
    stated = list(values)
    return stated[0] if len(set(stated)) == 1 else " / ".join(stated)


def with_seed(method: str, seed: int) -> str:
    """Name of a network that was trained with a given seed."""
    return f"{method}{SEED_MARK}{seed}"


def parse_seed(name: str) -> tuple[str, int | None]:
    """Method and seed of a label; the seed is None for any other name."""
    method, _, seed = name.rpartition(SEED_MARK)
    return (method, int(seed)) if method and seed.isdecimal() else (name, None)


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Group results that differ in the seed only, by ascending seed.

    A result that was trained differently, covers another part of the test, diverged, or is not of a
    network forms a group of its own. Of a seed that occurs twice the first result counts.
    """
    found: dict[Hashable, dict[int, Result]] = {}
    for result in results:
        kind, seed = _kind(result)
        found.setdefault(kind, {}).setdefault(seed, result)
    return [[by_seed[seed] for seed in sorted(by_seed)] for by_seed in found.values()]


def pool(group: Sequence[Result]) -> Result:
    """Concatenate the results of all seeds, so that every mean is a mean over seeds.

    Args:
        group: one of :func:`groups`; a single result is returned unchanged.
    """
    first = group[0]
    if len(group) == 1 or first.network is None:
        return first
    networks = [result.network for result in group if result.network is not None]
    trainings = tuple(training for network in networks for training in network.trainings)
    return replace(
        first,
        method=parse_seed(first.method)[0],
        network=replace(first.network, trainings=trainings),
        table=pd.concat([result.table for result in group], ignore_index=True),
    )


def seeds_section(groups: Sequence[Sequence[Result]], measures: Mapping[str, str]) -> str:
    """Heading, text and table of all networks with several seeds; empty without them.

    Args:
        groups: see :func:`groups`.
        measures: headings by name of the measure.
    """
    rows = []
    for group in groups:
        if len(group) == 1:
            continue
        method = f"`{parse_seed(group[0].method)[0]}`"
        means = {name: [float(result[name].mean()) for result in group] for name in measures}
        for i, result in enumerate(group):
            cells = [pages.number(means[name][i], _DIGITS) for name in measures]
            rows.append([method, str(_kind(result)[1]), *cells])
        over = [pages.mean_and_deviation(means[name], _DIGITS) for name in measures]
        rows.append([method, f"mean of {len(group)}", *over])
    if not rows:
        return ""
    table = pages.table(["network", "seed", *measures.values()], rows)
    return pages.render("seeds.md.j2", table=table)


def _kind(result: Result) -> tuple[Hashable, int]:
    """Key shared by the results of all seeds, and the seed of this result."""
    network = result.network
    if network is None or result.diverged or len(network.seeds) != 1:
        return result.method, 0
    budgets = tuple(training.budget for training in network.trainings)
    name = parse_seed(result.method)[0]
    return (name, network.parameters, budgets, result.done, result.total), network.seeds[0]
