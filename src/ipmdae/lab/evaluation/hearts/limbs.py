"""Consistency of limb leads: Einthoven's and Goldberger's equations before and after denoising.

The two leads of a record serve as I and II; the other four follow from the equations, so that the
six obey them exactly before denoising. The noise is that of two electrodes: independent in I and
II, and in the other leads as the equations give it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae.lab.evaluation.hearts import leads
from ipmdae.lab.evaluation.hearts.leads import NONE
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array

BEFORE, AFTER = "limb leads before", "limb leads after"
NAMES = ("I", "II", "III", "aVR", "aVL", "aVF")
CONDITIONS = (NONE, "bw 5", "em 5")

EQUATIONS = {
    "I + III - II": (1, -1, 1, 0, 0, 0),
    "aVR + (I + II) / 2": (0.5, 0.5, 0, 1, 0, 0),
    "aVL - (I - III) / 2": (-0.5, 0, 0.5, 0, 1, 0),
    "aVF - (II + III) / 2": (0, -0.5, -0.5, 0, 0, 1),
}
"""Linear combinations that are zero, as weights of the leads in the order of :data:`NAMES`."""


def rows(method: MethodUnderTest, datasets: Path, record: str) -> list[Row]:
    """Root mean square deviations in mV, for each condition and equation."""
    pair = leads.read_both(datasets, record)
    found = []
    for condition in CONDITIONS:
        one, two = (lead.signal + leads.noise(datasets, lead, condition) for lead in pair)
        x = limb_leads(one, two)
        cleaned = method.clean(x, pair[0].fs, NAMES)
        for measure, signal in ((BEFORE, x), (AFTER, cleaned.signal)):
            for equation, error in errors(signal).items():
                found.append(Row(measure, equation, condition, record, error))
    return found


def limb_leads(one: Array, two: Array) -> Array:
    """All six limb leads from I and II (time,), (time, 6)."""
    three = two - one
    return np.stack(
        [one, two, three, -(one + two) / 2, (one - three) / 2, (two + three) / 2], axis=1
    )


def errors(x: Array) -> dict[str, float]:
    """Root mean square in mV of each of :data:`EQUATIONS` in limb leads (time, 6), without DC."""
    found = {}
    for name, weights in EQUATIONS.items():
        rest = x @ np.array(weights)
        found[name] = float(rest.std())
    return found
