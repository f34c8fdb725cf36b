"""Page of protocol robustness, from stored results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import model_names
from ipmdae.files import replacing
from ipmdae.lab.evaluation.benchmark import Array, Result, anchor_of, in_common, load_all
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.robustness import conditions
from ipmdae.lab.evaluation.robustness.conditions import AS_IT_IS, CONDITIONS
from ipmdae.lab.evaluation.robustness.scoring import CLASSICAL
from ipmdae.lab.evaluation.subjects import warn_of_outdated
from ipmdae.lab.evaluation.tables import estimate, table

FOLDER = "robustness"

_INTRODUCTION = f"""\
# Robustness to conditions outside the training data

Segments of 30 s of the 14 test records of protocol clinic ([clinic.md](clinic.md)), three per lead,
with the mixture of all three kinds of test noise at {conditions.SNR:g} dB and one modification:

- **sampling rates**: the noisy lead is resampled, denoised, and compared at that rate;
- **gains** and **inverted**: the lead times 0.1, 10, or -1;
- **contact missing**, **contact flat**: for {conditions.LOST[1] - conditions.LOST[0]:g} s the
  samples are missing, or equal to the maximum of the segment; these seconds are not scored;
- **saturated**: the signal is clipped at its {conditions.CLIPPED:g}st and
  {100 - conditions.CLIPPED:g}th percentile;
- **mains**: powerline interference of {conditions.HUM:g} mV amplitude is added, and not removed by
  `--mains`;
- **steps**, **bursts**: instead of the mixture, synthetic motion noise at the same
  {conditions.SNR:g} dB: steps that decay within 0.1 to 1 s, one every 2 s; bursts of 0.5 to 3 s of
  noise between 1 and 10 Hz, one every 2 s.

Methods are applied as by `ipmdae denoise --method`. The middle 20 s are scored, by AC power. Each
cell is the mean of the records' means in dB with its 95 % interval (BCa bootstrap over the 14
records, 10,000 draws). A dash: the method does not work at that sampling rate. Made by

```
ipmdae benchmark run --protocol robustness --jobs 2
```

`ipmdae benchmark report --protocol robustness` writes the page again from the stored results.
"""

_LOSS = """\
## Loss

Decrease of the output SNR relative to the unmodified condition, dB. For the identity baseline
`none` it is the effect of the condition on the input; a negative value is a gain.
"""


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``robustness.md``; see :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / FOLDER, [*CLASSICAL, *model_names()])
    if not stored:
        return []
    warn_of_outdated(stored)
    anchor = anchor_of(stored, against, _best_model(stored))
    path = output / "robustness.md"
    with replacing(path) as aside:
        aside.write_text(markdown(stored, anchor), encoding="utf-8")
    return [path]


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    sections = [_INTRODUCTION]
    if any(result.done < result.total for result in results):
        sections.append("**A column with a number of segments covers part of the test.**\n")
    sections += ["## SNR improvement\n", _table(results, improvement)]
    sections += [_LOSS, _table(results, loss, skipped=AS_IT_IS)]
    others = [result for result in results if result is not anchor]
    if anchor is not None and others:
        sections.append(f"## Against `{anchor.method}`, signal by signal\n")
        sections.append(_table(others, lambda result, name: difference(result, anchor, name)))
    return "\n".join(sections)


def improvement(result: Result, condition: str) -> Interval:
    """Mean SNR improvement under a condition, dB."""
    chosen = result.labels["condition"] == condition
    return _mean(result.values["snr_improvement"][chosen], result.record[chosen])


def loss(result: Result, condition: str) -> Interval:
    """Decrease of the output SNR under a condition relative to the unmodified segments, dB."""
    chosen, usual = (result.labels["condition"] == name for name in (condition, AS_IT_IS))
    snr = result.values["snr"]
    return _mean(snr[usual] - snr[chosen], result.record[chosen])


def difference(result: Result, other: Result, condition: str) -> Interval:
    """Output SNR less that of another method on the same signals, dB."""
    ours, theirs = in_common(result, other)
    chosen = result.labels["condition"][ours] == condition
    apart: Array = result.values["snr"][ours] - other.values["snr"][theirs]
    return _mean(apart[chosen], result.record[ours][chosen])


def _mean(values: Array, records: NDArray[np.str_]) -> Interval:
    """Mean of the records' means; NaN if the method failed on a segment."""
    if np.isnan(values).any():
        return NOWHERE
    return over_records(values, records)


def _table(
    results: Sequence[Result], of: Callable[[Result, str], Interval], skipped: str = ""
) -> str:
    rows = [
        [name, *(estimate(of(result, name), 2) for result in results)]
        for name in CONDITIONS
        if name != skipped
    ]
    return table(["condition", *(result.title("segments") for result in results)], rows)


def _best_model(results: Sequence[Result]) -> str:
    """Shipped model with the highest mean gain without modification; empty if none was run."""
    gains = {
        result.method: improvement(result, AS_IT_IS).mean
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")
