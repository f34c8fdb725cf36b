"""Page of protocol reference, from stored results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.evaluation import given, rivals
from ipmdae.lab.evaluation.benchmark import Result, anchor_of, in_common, load_all
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.reference.scoring import COMMON, INDEPENDENT
from ipmdae.lab.evaluation.tables import estimate, table
from ipmdae.methods import classical

_UNIT = "windows"
_ANCHOR = "none"
_NAMES = {"snr": "SNR (dB)", "rmse": "RMSE", "cosine": "CosSim", "prd": "PRD (%)"}

_INTRODUCTION = """\
# Protocol reference: the paper's own test

The protocol of the paper's public implementation, for comparison with it only: both leads of the QT
Database in windows of 5 s, each scaled to [0, 1] by the clean signal; bw, em and ma with equal
weight at 0 dB, with powers that include the mean; the last 14 records of the sorted list; test
noise from channel 1 of the last 15 min. Made by

```
pip install ".[benchmark,train]"
ipmdae download qtdb nstdb --to datasets
ipmdae benchmark run --protocol reference
```

`ipmdae benchmark report --protocol reference` writes the page again from the stored results. Each
cell is the mean of the records' means with its 95 % interval (bootstrap over records).

As the published protocol prescribes, the checkpoint of a network is selected on these same windows.
Networks trained by the paper's commands are named after the folder of their run; the recipe is in
its `run.json`. The other published networks denoise each lead separately with the same weights and
cannot subtract one lead from the other. Classical methods denoise each lead separately too, and
were designed for millivolts.
"""

_LEAK = """\
## Effect of common noise

In the published protocol both leads have the same noise, so that a network may subtract one lead
from the other. Here the second lead has independent noise at the same SNR; everything else is
identical. SNR without DC; the difference is paired per window. It measures how much a network
trained on common noise relies on it; networks trained on independent noise were not tested here.
"""


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``reference.md``; see :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "reference", [*classical.names(), *rivals.NETWORKS])
    if not stored:
        return []
    path = output / "reference.md"
    with replacing(path) as aside:
        aside.write_text(markdown(stored, anchor_of(stored, against, _ANCHOR)), encoding="utf-8")
    return [path]


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    sections = [
        _INTRODUCTION,
        "## By the public implementation's formulas\n\nThe mean of the windows counts as signal.\n",
        _means(results, ""),
        "## Without the mean\n",
        _means(results, "_centred"),
    ]
    if anchor is not None and len(results) > 1:
        sections += [f"Differences to `{anchor.method}`:\n", _differences(results, anchor)]
    sections += [_LEAK, _leak(results), given.section(results, "window of two leads")]
    return "\n".join(section for section in sections if section)


def _means(results: Sequence[Result], variant: str) -> str:
    rows = [
        [
            result.title(_UNIT),
            *(
                estimate(_mean(result, result.values[f"{name}{variant}"], COMMON))
                for name in _NAMES
            ),
        ]
        for result in results
    ]
    return table(["method", *_NAMES.values()], rows)


def _differences(results: Sequence[Result], anchor: Result) -> str:
    rows = []
    for result in (result for result in results if result is not anchor):
        ours, theirs = in_common(result, anchor)
        cells = []
        for name in _NAMES:
            apart = np.full(len(result), np.nan)
            values, others = (r.values[f"{name}_centred"] for r in (result, anchor))
            apart[ours] = values[ours] - others[theirs]
            cells.append(estimate(_mean(result, apart, COMMON)))
        rows.append([result.title(_UNIT), *cells])
    return table(["method", *_NAMES.values()], rows)


def _leak(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        snr = result.values["snr_centred"]
        common, independent = (result.labels["noise"] == noise for noise in (COMMON, INDEPENDENT))
        worth = np.full(len(result), np.nan)
        worth[common] = snr[common] - snr[independent]
        cells = (_mean(result, snr, COMMON), _mean(result, snr, INDEPENDENT))
        rows.append([result.title(_UNIT), *map(estimate, (*cells, _mean(result, worth, COMMON)))])
    return table(["method", "common noise (dB)", "independent noise (dB)", "difference"], rows)


def _mean(result: Result, values: NDArray[np.float64], noise: str) -> Interval:
    """Mean over records; NaN if the method diverged, since its other windows would flatter it."""
    if result.diverged:
        return NOWHERE
    chosen = result.labels["noise"] == noise
    return over_records(values[chosen], result.record[chosen])
