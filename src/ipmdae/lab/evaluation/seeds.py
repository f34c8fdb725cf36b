"""Pooling of results of one network over training seeds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ipmdae.lab.evaluation import tables
from ipmdae.lab.evaluation.benchmark import Result

MARK = "@"
"""Separator of network name and training seed."""

_DIGITS = 4

_TEXT = """\
## Seeds

Each seed is a separate training run. Seeds change the initialisation, the order of the beats and
the noise; everything else is identical. The last row is the mean ± standard deviation over seeds
(with n - 1). In the other tables a row "mean over seeds" pools all beats of all seeds, also for its
standard deviation over beats and its interval; paired comparisons and the beats in figures are of
the lowest seed.
"""


def label(method: str, seed: int) -> str:
    """Name of a network that was trained with a given seed."""
    return f"{method}{MARK}{seed}"


def parse(name: str) -> tuple[str, int | None]:
    """Method and seed of a label; the seed is None for any other name."""
    method, _, seed = name.rpartition(MARK)
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
        method=parse(first.method)[0],
        network=replace(first.network, trainings=trainings),
        item=np.concatenate([result.item for result in group]),
        record=np.concatenate([result.record for result in group]),
        labels={name: np.concatenate([r.labels[name] for r in group]) for name in first.labels},
        values={name: np.concatenate([r.values[name] for r in group]) for name in first.values},
    )


def mean_and_deviation(group: Sequence[Result], measure: str) -> tuple[float, float]:
    """Mean and standard deviation over seeds of a measure's mean; NaN sd for a single seed."""
    means = [float(result.values[measure].mean()) for result in group]
    return float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else np.nan


def section(groups: Sequence[Sequence[Result]], measures: Mapping[str, str]) -> str:
    """Heading, text and table of all networks with several seeds; empty if there are none.

    Args:
        groups: see :func:`groups`.
        measures: headings by name of the measure.
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
    """Key shared by the results of all seeds, and the seed of this result."""
    network = result.network
    if network is None or result.diverged or len(network.seeds) != 1:
        return result.method, 0
    budgets = tuple(training.budget for training in network.trainings)
    name = parse(result.method)[0]
    return (name, network.parameters, budgets, result.done, result.total), network.seeds[0]
