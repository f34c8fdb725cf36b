"""Six hours of two leads, from file to file, against other packages."""

from __future__ import annotations

from benchmarks import recording
from benchmarks.part import Goal, Results, Settings
from benchmarks.recording import BUTTERWORTH, OURS
from benchmarks.timing import ratio

NAME = "six-hours"
TITLE = "A recording of six hours, two leads at 250 Hz"

_ROUNDS = 3
_SECONDS = 6 * 3_600


def measure(settings: Settings) -> Results:
    seconds = 60 if settings.quick else _SECONDS
    return recording.compare(seconds, settings, settings.rounds(_ROUNDS))


section = recording.comparison


def goals(results: Results) -> list[Goal]:
    walls = {name: samples["seconds"] for name, samples in results["used"].items()}
    figure = "six hours from file to file, times a zero-phase Butterworth"
    return [Goal(figure=figure, bound=1.2, value=ratio(walls, OURS, BUTTERWORTH))]
