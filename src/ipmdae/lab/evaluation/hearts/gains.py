"""Gain of added components, and recovery of ST steps.

With x the lead without the component c and f the method, the gain is
``<f(x + c) - f(x), c> / <c, c>``: 1 where the component is preserved, 0 where it is removed
as noise. Both signals have the same noise. Means are subtracted first: a constant offset, which
every method keeps or moves as a whole, is not part of a wave.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.evaluation.hearts import components, leads
from ipmdae.lab.evaluation.hearts.leads import CONDITIONS, NONE, WANDER, Lead
from ipmdae.lab.evaluation.hearts.method import Cleaned, MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array

GAIN, STEP = "gain", "ST step"

STEPS = (-0.2, -0.1, 0.1, 0.2)
"""Steps of the ST level in mV, at :data:`STEP_AT`."""

STEP_AT = 15.0  # s
STEPPED = (NONE, *WANDER)
"""Conditions under which the steps are measured."""

_ENOUGH = 0.2
"""Least readable share of a component's energy for a gain over readable samples."""

_ISOELECTRIC, _ST = -0.08, 0.11  # s from a beat's mark: before QRS, and 60 ms after its end
_AVERAGED = 0.02  # s


def rows(method: MethodUnderTest, datasets: Path, name: str) -> list[Row]:
    """The gains of all components and the errors of all ST steps in one lead."""
    lead = leads.read(datasets, name)
    return [*gains(method, datasets, lead), *steps(method, datasets, lead)]


def gains(method: MethodUnderTest, datasets: Path, lead: Lead) -> Iterator[Row]:
    """One row per condition and component."""
    pairs = components.make(lead)
    for condition in CONDITIONS:
        noise = leads.noise(datasets, lead, condition)
        plain: dict[bytes, Cleaned] = {}
        for case, pair in pairs.items():
            key = pair.before.tobytes()
            if key not in plain:
                plain[key] = method.clean(pair.before + noise, lead.fs)
            after = method.clean(pair.before + pair.component + noise, lead.fs)
            change = after.signal - plain[key].signal
            measured = gain(change, pair.component, pair.judged, after.readable)
            _, *of_good = gain(change, pair.component, pair.judged, after.good)
            yield Row(GAIN, case, condition, lead.name, *measured, *of_good)


def gain(
    change: Array, component: Array, judged: NDArray[np.bool_], readable: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Gain over all scored samples, over the readable ones, and the readable share.

    All arguments are (time,); the readable gain is NaN if less than a fifth of the
    component's energy is readable.
    """
    every = change[judged], component[judged]
    clear = readable[judged]
    energy = (every[1] - every[1].mean()) ** 2
    share = float(energy[clear].sum() / energy.sum())
    trusted = _slope(every[0][clear], every[1][clear]) if share >= _ENOUGH else np.nan
    return _slope(*every), trusted, share


def _slope(change: Array, component: Array) -> float:
    centred = component - component.mean()
    return float(centred @ change / (centred @ centred))


def steps(method: MethodUnderTest, datasets: Path, lead: Lead) -> Iterator[Row]:
    """One row per condition and step: the median beat's error of the ST level in mV."""
    shape = components.st_shape(lead) * (lead.time >= STEP_AT)
    start, stop = STEP_AT + 1, leads.SCORED[1]
    beats = lead.beats[(lead.beats >= start * lead.fs) & (lead.beats < (stop - 0.5) * lead.fs)]
    for condition in STEPPED if len(beats) else ():
        noise = leads.noise(datasets, lead, condition)
        before = method.clean(lead.signal + noise, lead.fs)
        for step in STEPS:
            after = method.clean(lead.signal + step * shape + noise, lead.fs)
            change = after.signal - before.signal
            error = st_level(change, beats, lead.fs) - st_level(step * shape, beats, lead.fs)
            measured = [float(np.median(error))]
            for mask in (after.readable[beats], after.good[beats]):
                measured += [float(np.median(error[mask])) if mask.any() else np.nan]
                measured += [float(mask.mean())]
            yield Row(STEP, f"{step:+g} mV", condition, lead.name, *measured)


def st_level(x: Array, beats: NDArray[np.int64], fs: float) -> Array:
    """Level 60 ms after QRS relative to that before it, of each beat, (beats,) in mV."""
    half = round(_AVERAGED / 2 * fs)
    around = np.arange(-half, half + 1)
    after, before = (
        x[beats[:, np.newaxis] + round(offset * fs) + around].mean(axis=1)
        for offset in (_ST, _ISOELECTRIC)
    )
    level: Array = after - before
    return level
