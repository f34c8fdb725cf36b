"""Consistency of limb leads: Einthoven's and Goldberger's equations.

The six limb leads are differences of three electrodes, so two of them give the others:
III = II - I, aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2 (P. Kligfield et al.,
"Recommendations for the standardization and interpretation of the electrocardiogram, part I",
Circulation 115, 2007). A network that cleans lead by lead breaks these equations; projecting its
result onto the leads that obey them (weighted least squares) corrects that, sample by sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Each limb lead as a combination of I and II.
EQUATIONS = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "AVR": (-0.5, -0.5),
    "AVL": (1.0, -0.5),
    "AVF": (-0.5, 1.0),
}

TOLERANCE = 0.01
"""Largest root mean square in mV with which recorded leads count as consistent: a few steps of
common recorders."""

REACH = 0.2
"""Seconds around a deviation in which the leads do not count as consistent: an electrode that is
off, for one, also passes values that obey the equations by chance. Within the least latency."""

_DEVIATION = 5 * TOLERANCE
"""Deviation in mV of a sample from the equations: an electrode is off, or a lead has noise of its
own."""

_LEAST_ERROR = 0.005
"""Least error of a lead in mV, so that leads without noise have equal weights."""

_PREFIX = re.compile(
    r"^(MDC_ECG_LEAD_|ECG[ _-]*|EKG[ _-]*|LEAD[ _-]*|ABL(\.|EITUNG)?[ _-]*|D(?=I))+"
)


def standard_name(name: str) -> str | None:
    """Key of :data:`EQUATIONS` for a lead's name in any usual spelling, if there is one."""
    plain = _PREFIX.sub("", name.strip().upper())
    return plain if plain in EQUATIONS else None


@dataclass(frozen=True, kw_only=True, eq=False)
class LimbLeads:
    """Limb leads of a recording.

    Attributes:
        columns: column of each, at least three.
        names: keys of :data:`EQUATIONS`.
        shift: constant offset of each from the equations, (leads,) in mV.
        rms: root mean square deviation of the recorded leads from the equations, mV; NaN if they
            are never available together.
    """

    columns: tuple[int, ...]
    names: tuple[str, ...]
    shift: Array
    rms: float

    @property
    def consistent(self) -> bool:
        """True if the recorded leads obey the equations."""
        return self.rms <= TOLERANCE

    def deviates(self, recorded: Array) -> NDArray[np.bool_]:
        """Mask (time,) of samples whose leads (time, leads), as recorded, break the equations."""
        residual = recorded - recorded @ _projection(self.names) - self.shift
        largest: Array = np.abs(residual).max(axis=1)
        return largest > _DEVIATION

    def project(self, signal: Array, error: NDArray[np.floating]) -> Array:
        """The leads nearest to (time, leads) that deviate from the equations as recorded.

        The deviation is a constant offset, or zero. The squared distances are weighted by the
        inverse variance of the ``error``, (time, leads) in mV, so that the noise of one electrode
        does not enter the lead that it has no part in. Where one is missing (NaN) nothing changes.
        """
        basis = np.array([EQUATIONS[name] for name in self.names])
        first, second = basis.T
        weight = 1 / (np.square(error, dtype=np.float64) + _LEAST_ERROR**2)
        # The normal equations of two unknowns, I and II, for each sample.
        a, b, d = (weight @ np.stack([first * first, first * second, second * second], axis=1)).T
        x, y = ((weight * (signal - self.shift)) @ basis).T
        leads = np.stack([d * x - b * y, a * y - b * x], axis=1) / (a * d - b * b)[:, np.newaxis]
        projected: Array = leads @ basis.T + self.shift
        return np.where(np.isfinite(projected), projected, signal)


class LimbLeadCheck:
    """Measures, block by block, whether the limb leads of a recording obey the equations."""

    def __init__(self, names: Sequence[str], usable: Sequence[bool]) -> None:
        """Find the limb leads among ``names``; those that are not ``usable`` do not count."""
        found: dict[str, int] = {}
        for column, (name, good) in enumerate(zip(names, usable, strict=True)):
            standard = standard_name(name)
            if good and standard:
                found.setdefault(standard, column)
        self._names = tuple(found)
        self._columns = tuple(found.values())
        self._count = 0
        self._sum = np.zeros(len(found))
        self._squares = np.zeros(len(found))

    def add(self, block: Array) -> None:
        """Add the next samples, (time, all leads) in mV."""
        if len(self._columns) < 3:
            return
        leads = block[:, self._columns]
        leads = leads[np.isfinite(leads).all(axis=1)]
        residual = leads - leads @ _projection(self._names)
        self._count += len(leads)
        self._sum += residual.sum(axis=0)
        self._squares += np.square(residual).sum(axis=0)

    def result(self) -> LimbLeads | None:
        """The consistent leads found; ``None`` for fewer than three limb leads.

        A constant offset of a lead does not count.
        """
        if len(self._columns) < 3:
            return None
        rms, shift = float("nan"), np.zeros(len(self._columns))
        if self._count:
            shift = self._sum / self._count
            variance = self._squares / self._count - np.square(shift)
            rms = float(np.sqrt(max(variance.max(), 0)))
        return LimbLeads(columns=self._columns, names=self._names, shift=shift, rms=rms)


def _projection(names: Sequence[str]) -> Array:
    """Symmetric projection (leads, leads) onto the leads that obey the equations."""
    basis = np.array([EQUATIONS[name] for name in names])
    projection: Array = basis @ np.linalg.pinv(basis)
    return projection
