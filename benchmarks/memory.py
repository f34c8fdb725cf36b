"""Peak memory and time against recording length; memory should be constant, time linear."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.part import Goal, Results, Settings
from benchmarks.process import run_in_turn
from benchmarks.recording import clean
from benchmarks.tables import megabytes, number, table
from benchmarks.timing import summary

NAME = "memory"
TITLE = "Memory and time as a recording grows"

_DURATIONS = {"1 min": 60, "1 h": 3_600, "24 h": 86_400}
_WEEK = {"7 days": 604_800}
_QUICK = {"1 min": 60, "2 min": 120}
_ROUNDS = 3
_ONCE = 86_400  # s: from here on once is enough


def measure(settings: Settings) -> Results:
    from benchmarks import holter

    durations = _QUICK if settings.quick else _DURATIONS | (_WEEK if settings.long else {})
    cases = []
    for name, seconds in durations.items():
        rounds = 1 if seconds >= _ONCE else settings.rounds(_ROUNDS)
        with TemporaryDirectory() as folder:
            record = holter.write(Path(folder), seconds)
            command = {name: clean(record, Path(folder, "cleaned"))}
            used = run_in_turn(command, rounds, settings.threads)[name]
        cases.append({"name": name, "seconds": seconds, "used": used})
    return {"cases": cases}


def section(results: Results) -> str:
    rows = []
    for case in results["cases"]:
        seconds = summary(case["used"]["seconds"]).median
        rows.append(
            [
                case["name"],
                megabytes(max(case["used"]["peak"])),
                number(seconds),
                number(seconds / case["seconds"] * 3600),
            ]
        )
    return (
        "`ipmdae denoise` on two leads at 250 Hz, WFDB to WFDB, each in a new process; its largest "
        "resident memory as the kernel counts it (`ru_maxrss`), libraries included. The time "
        "includes the start of the process.\n\n"
        + table(["recording", "peak memory", "time (s)", "seconds an hour"], rows)
    )


def goals(results: Results) -> list[Goal]:
    peaks = {case["name"]: max(case["used"]["peak"]) for case in results["cases"]}
    found = []
    if "24 h" in peaks:
        found.append(
            Goal(figure="peak memory for 24 h (MB)", bound=300.0, value=peaks["24 h"] / 1e6)
        )
    if "1 h" in peaks and len(peaks) > 1:
        longest = list(peaks)[-1]
        figure = f"peak memory for {longest}, times that for 1 h"
        found.append(Goal(figure=figure, bound=1.1, value=peaks[longest] / peaks["1 h"]))
    return found
