"""Goals of all shipped models: low distortion, no false detections, calibrated uncertainty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import headline
from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.clinical.waves import DELINEATED, LEVELLED
from ipmdae.lab.evaluation.goals.goal import Goal, from_interval, goal_table
from ipmdae.lab.evaluation.goals.stored import find
from ipmdae.lab.evaluation.intervals import NOWHERE
from ipmdae.lab.protocols.clinic_test import CLEAN

_KEPT, _KEPT_AIM, _CHANGED = 20.0, 30.0, 1.0  # dB, dB, %
_ST = 0.02  # mV
_BEATS = 5.0  # a minute
_BAND, _WITHIN = 95.0, 2.0  # %

_TEXT = """\
Leads without added noise must be returned unchanged; ST levels (60 ms after the expert's end of
QRS; median of a record, mean over records) and QT intervals (of beats whose ends are found before
and after) must not get worse; noise-only input must not yield beats, or must be rejected as
unreadable; the predicted 95 % band must contain 95 % of the samples ([clinic.md](clinic.md)).
"""


def sections(name: str, results: Path) -> list[str]:
    """Goals and measured values of one model, as Markdown."""
    clinic = find(results, "clinic", name)
    clinical, none = (find(results, "clinical", method) for method in (name, "none"))
    goals = [*harm(clinic), *st(clinical), *qt(clinical, none), *invention(clinical)]
    return [f"### `{name}`\n", goal_table([*goals, coverage(clinic)])]


def introduction() -> str:
    """Heading and description of these goals."""
    return f"## Distortion, false detections and uncertainty\n\n{_TEXT}"


def harm(clinic: Result | None) -> list[Goal]:
    """Goals of the distortion of clean leads."""
    kept, changed = (
        NOWHERE if clinic is None else of(clinic) for of in (headline.kept, headline.changed)
    )
    name = "SNR of clean leads after denoising (dB)"
    return [
        from_interval(name, _KEPT, kept, at_most=False, digits=1),
        from_interval(f"{name}, aim", _KEPT_AIM, kept, at_most=False, digits=1),
        from_interval("relative AC distortion of clean leads (%)", _CHANGED, changed),
    ]


def st(clinical: Result | None) -> list[Goal]:
    """Error of the ST level, with noise at an SNR of 5 dB and without."""
    return [
        Goal(
            name=f"ST level error, {_named(condition)} (mV)",
            bound=_ST,
            value=np.nan if clinical is None else headline.st_error(clinical, condition),
            digits=3,
        )
        for condition in LEVELLED
    ]


def qt(clinical: Result | None, none: Result | None) -> list[Goal]:
    """Error of the QT interval, less that before denoising."""
    return [
        from_interval(
            f"QT error after less before, {_named(condition)} (ms)",
            0,
            NOWHERE
            if clinical is None or none is None
            else headline.qt_error_over(clinical, none, condition),
            digits=1,
        )
        for condition in DELINEATED
    ]


def invention(clinical: Result | None) -> list[Goal]:
    """False detections in noise-only input, of the detector that finds more, outside of rejected
    seconds where the model has uncertainty.
    """
    goals = []
    for kind in nstdb.KINDS:
        name = f"false detections per minute in {TITLES[kind]} only, not rejected"
        found, shown = np.nan, ""
        if clinical is not None:
            every = headline.beats_in_noise(clinical, kind, trusted=False)
            trusted = headline.beats_in_noise(clinical, kind, trusted=True)
            found = every if np.isnan(trusted) else trusted
            shown = f"{found:.1f} (all: {every:.1f})"
        goals.append(Goal(name=name, bound=_BEATS, value=found, strict=True, digits=1, shown=shown))
    return goals


def coverage(clinic: Result | None) -> Goal:
    """Distance of the coverage of the predicted 95 % band from 95 %."""
    covered = NOWHERE if clinic is None else headline.covered(clinic)
    return Goal(
        name="coverage of the predicted 95 % band: distance to 95 (%)",
        bound=_WITHIN,
        value=abs(covered.mean - _BAND),
        shown=f"{abs(covered.mean - _BAND):.1f} (within: {covered.mean:.1f})",
        digits=1,
    )


def _named(condition: str) -> str:
    kind, _, snr = condition.partition(" ")
    return "no noise added" if condition == CLEAN else f"{TITLES[kind]} at {snr} dB"
