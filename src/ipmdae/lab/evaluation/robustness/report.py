"""The page of robustness, made from stored results alone."""

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
# Robustness to conditions that training did not have

Pieces of 30 s of the 14 test records of protocol clinic ([clinic.md](clinic.md)), three of each
lead, with the mixture of all three kinds of test noise at {conditions.SNR:g} dB; then one thing is
changed:

- **rates**: the noisy lead is resampled, cleaned, and compared at that rate;
- **gains** and **inverted**: the lead times 0.1, 10, or -1;
- **contact missing**, **flat**: for {conditions.LOST[1] - conditions.LOST[0]:g} s no samples, or
  the highest value of the piece; these seconds are not scored, the others are;
- **saturated**: the recorder's range ends at the {conditions.CLIPPED:g} % lowest and highest
  samples;
- **mains**: a sine of {conditions.HUM:g} mV amplitude on top, and no `--mains` to take it off;
- **steps**, **bursts**: instead of the mixture, motion noise that is not of the noise database, at
  the same {conditions.SNR:g} dB: steps that fade within 0.1 to 1 s, one every 2 s; bursts of 0.5 to
  3 s of noise between 1 and 10 Hz, one every 2 s.

A method is used as by `ipmdae denoise --method`. The middle 20 s are scored, by AC power. Each cell
is the mean of the records' means in dB and its 95 % interval (BCa): the 14 records are drawn again
10,000 times. A dash: the method does not work at that rate. Made by

```
ipmdae benchmark run --protocol robustness --jobs 2
```

and again, from what that stored, by `ipmdae benchmark report --protocol robustness`.
"""

_LOSS = """\
## Loss

How much lower the SNR of what comes out is than with nothing changed, dB. For `none` it is what the
change itself does to the signal; less than 0 is a gain.
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
    """All tables as Markdown, with differences to ``anchor`` where there is one."""
    sections = [_INTRODUCTION]
    if any(result.done < result.total for result in results):
        sections.append("**A column that names pieces is of a part of the test.**\n")
    sections += ["## SNR improvement\n", _table(results, improvement)]
    sections += [_LOSS, _table(results, loss, skipped=AS_IT_IS)]
    others = [result for result in results if result is not anchor]
    if anchor is not None and others:
        sections.append(f"## Against `{anchor.method}`, signal by signal\n")
        sections.append(_table(others, lambda result, name: difference(result, anchor, name)))
    return "\n".join(sections)


def improvement(result: Result, condition: str) -> Interval:
    """Mean improvement of the SNR under a condition, dB."""
    chosen = result.labels["condition"] == condition
    return _mean(result.values["snr_improvement"][chosen], result.record[chosen])


def loss(result: Result, condition: str) -> Interval:
    """How much lower the SNR is under a condition than as it is, on the same pieces, dB."""
    chosen, usual = (result.labels["condition"] == name for name in (condition, AS_IT_IS))
    snr = result.values["snr"]
    return _mean(snr[usual] - snr[chosen], result.record[chosen])


def difference(result: Result, other: Result, condition: str) -> Interval:
    """How much higher the SNR is than that of another method on the same signals, dB."""
    ours, theirs = in_common(result, other)
    chosen = result.labels["condition"][ours] == condition
    apart: Array = result.values["snr"][ours] - other.values["snr"][theirs]
    return _mean(apart[chosen], result.record[ours][chosen])


def _mean(values: Array, records: NDArray[np.str_]) -> Interval:
    """The mean of the records' means; none where a method gave no signal for one of the pieces."""
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
    return table(["condition", *(result.title("pieces") for result in results)], rows)


def _best_model(results: Sequence[Result]) -> str:
    """The shipped model with the highest mean gain as it is; empty where none was run."""
    gains = {
        result.method: improvement(result, AS_IT_IS).mean
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")
