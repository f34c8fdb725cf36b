"""Networks that were trained with several seeds: which results belong together, and their mean."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ipmdae.lab.evaluation import tables
from ipmdae.lab.evaluation.benchmark import Result

MARK = "@"
"""Stands between a network and the seed that it was trained with."""

_DIGITS = 4

_TEXT = """\
## Seeds

Each seed is a training of its own: first weights, order of the beats and draws of noise are
others, all else is alike. The last row is the mean ± standard deviation over seeds (with n - 1).
Elsewhere a row "mean over seeds" counts all beats of all seeds, in its standard deviation over
beats and its interval, too; comparisons beat by beat, and beats that are shown, are of the lowest
seed.
"""


def label(method: str, seed: int) -> str:
    """What a network that was trained with a seed is called."""
    return f"{method}{MARK}{seed}"


def parse(name: str) -> tuple[str, int | None]:
    """The method and the seed of such a label; any other name is a method of no certain seed."""
    method, _, seed = name.rpartition(MARK)
    return (method, int(seed)) if method and seed.isdecimal() else (name, None)


def groups(results: Sequence[Result]) -> list[list[Result]]:
    """Results with those together, by rising seed, that differ in nothing but the seed.

    What was trained in another way, is of another part of the test or diverged is none of them and
    stays alone, and so does each method that is no network. Of a seed that is there twice, the
    first result counts.
    """
    found: dict[Hashable, dict[int, Result]] = {}
    for result in results:
        kind, seed = _kind(result)
        found.setdefault(kind, {}).setdefault(seed, result)
    return [[by_seed[seed] for seed in sorted(by_seed)] for by_seed in found.values()]


def pool(group: Sequence[Result]) -> Result:
    """The results of all seeds as one, their items one after another: each mean is one over seeds.

    Args:
        group: one of :func:`groups`; a single result stays as it is.
    """
    first = group[0]
    if len(group) == 1 or first.network is None:
        return first
    networks = [result.network for result in group if result.network is not None]
    trainings = tuple(training for network in networks for training in network.trainings)
    return replace(
        first,
        method=parse(first.method)[0],
        network=replace(first.network, trainings=trainings),
        item=np.concatenate([result.item for result in group]),
        record=np.concatenate([result.record for result in group]),
        labels={name: np.concatenate([r.labels[name] for r in group]) for name in first.labels},
        values={name: np.concatenate([r.values[name] for r in group]) for name in first.values},
    )


def mean_and_deviation(group: Sequence[Result], measure: str) -> tuple[float, float]:
    """Of the mean of a measure: its mean and standard deviation over seeds, NaN of a single one."""
    means = [float(result.values[measure].mean()) for result in group]
    return float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else np.nan


def section(groups: Sequence[Sequence[Result]], measures: Mapping[str, str]) -> str:
    """Heading, text and table of all networks with several seeds; empty where there is none.

    Args:
        groups: see :func:`groups`.
        measures: what is told, by name, with its heading.
    """
    rows = []
    for group in groups:
        if len(group) == 1:
            continue
        method = f"`{parse(group[0].method)[0]}`"
        for result in group:
            means = [tables.mean(result.values[name], _DIGITS) for name in measures]
            rows.append([method, str(_kind(result)[1]), *means])
        over = [mean_and_deviation(group, name) for name in measures]
        cells = [f"{tables.number(m, _DIGITS)} ± {tables.number(sd, _DIGITS)}" for m, sd in over]
        rows.append([method, f"mean of {len(group)}", *cells])
    if not rows:
        return ""
    return f"{_TEXT}\n{tables.table(['network', 'seed', *measures.values()], rows)}"


def _kind(result: Result) -> tuple[Hashable, int]:
    """What results of several seeds have in common, and the seed of this one."""
    network = result.network
    if network is None or result.diverged or len(network.seeds) != 1:
        return result.method, 0
    budgets = tuple(training.budget for training in network.trainings)
    name = parse(result.method)[0]
    return (name, network.parameters, budgets, result.done, result.total), network.seeds[0]
