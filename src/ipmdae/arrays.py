"""Checks on arrays before they are cleaned: nothing is silently wrong."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ipmdae.containers import Container
from ipmdae.quality import amplitude_warnings
from ipmdae.recording import Recording

_OUTLIERS = 1.0  # percent at either end that do not count: spikes, and the jumps of switches
_LEADS = 16  # more than there are samples, these are samples
_RAMP = 64  # samples: a lead that rises steadily for so long is a time axis


def choose(labels: Sequence[Hashable], leads: Iterable[Hashable] | None) -> list[int]:
    """Positions of the leads that were asked for, by their labels; by default of all.

    Raises:
        ValueError: there is no such lead, none is asked for, or a name stands for a list.
    """
    if leads is None:
        return list(range(len(labels)))
    if isinstance(leads, str) or not isinstance(leads, Iterable):
        raise ValueError(f"leads must be a list, such as [{leads!r}]")
    chosen = list(leads)
    for lead in chosen:
        if isinstance(lead, bool | np.bool_) or lead not in labels:
            raise ValueError(f"no lead {lead!r}; there are: {', '.join(map(repr, labels))}")
    if not chosen:
        raise ValueError("no lead is chosen to be cleaned")
    return [i for i, label in enumerate(labels) if label in chosen]


def check(container: Container, leads: list[int], values: NDArray[np.float64]) -> None:
    """Raise where the values cannot be an ECG in (time, leads)."""
    if 0 in values.shape:
        raise ValueError(
            f"there is nothing to clean: {values.shape[0]} samples of {len(leads)} leads"
        )
    if len(container.labels) > max(container.samples, _LEADS):
        raise ValueError(
            f"{container.samples} samples of {len(container.labels)} leads: the axes are (time, "
            "leads), and these look swapped; pass x.T"
        )
    steps = np.diff(values, axis=0)
    if len(steps) >= _RAMP:
        low, high = steps.min(axis=0), steps.max(axis=0)
        for lead in np.flatnonzero((low > 0) & (high < 2 * low)):
            raise ValueError(
                f"lead {container.labels[leads[lead]]!r} rises with every sample, as a time axis "
                "does: leave it out, or choose others by leads="
            )


def warn_of_units(noisy: Recording) -> None:
    """Warn of amplitudes that no ECG in mV has; flat leads have a warning of their own."""
    amplitude = np.array([_amplitude(lead[~np.isnan(lead)]) for lead in noisy.signal.T])
    for sentence in amplitude_warnings(noisy.leads, amplitude):
        warnings.warn(sentence, stacklevel=4)


def _amplitude(known: NDArray[np.float64]) -> float:
    """Peak-to-peak range of the known samples (time,) but for the outermost."""
    if not len(known):
        return 0.0
    low, high = np.percentile(known, (_OUTLIERS, 100 - _OUTLIERS))
    return float(high - low)
