"""Timings of several candidates in turn, so that a busy moment of the machine hits them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Samples = dict[str, list[float]]
"""Seconds a call by candidate, one entry a round; entries of a round belong together."""

_REST = 0.01  # s: threads of the candidate before may still be spinning
_BLOCK = 0.03  # s: shorter calls are repeated to last as long, and their mean is taken


@dataclass(frozen=True)
class Summary:
    """Median, least and spread (interquartile range over the median) of repeated timings."""

    median: float
    least: float
    spread: float


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> Samples:
    """Time each candidate once a round, in an order that turns round after each.

    Before, each is called twice: to warm up and to see how long it takes. A short call is repeated
    within its turn, after one untimed call that brings its data back to the caches.
    """
    repeats = {name: _repeats(call) for name, call in candidates.items()}
    samples: Samples = {name: [] for name in candidates}
    order = list(candidates)
    for _ in range(rounds):
        for name in order:
            call, count = candidates[name], repeats[name]
            time.sleep(_REST)
            if count > 1:
                call()
            samples[name].append(_seconds(call, count))
        order.reverse()
    return samples


def _repeats(call: Callable[[], object]) -> int:
    call()
    return max(round(_BLOCK / max(_seconds(call, 1), 1e-9)), 1)


def _seconds(call: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count


def summary(samples: Sequence[float]) -> Summary:
    """Summarise repeated timings, at least one."""
    median = statistics.median(samples)
    if len(samples) < 2:
        return Summary(median, median, 0.0)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(median, min(samples), (high - low) / median)


def ratio(samples: Mapping[str, Sequence[float]], name: str, base: str) -> float:
    """Ratio of the times of ``name`` and ``base``: the median over rounds."""
    pairs = zip(samples[name], samples[base], strict=True)
    return statistics.median(one / other for one, other in pairs)
