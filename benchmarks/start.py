"""Time from the start of a process to its first result."""

from __future__ import annotations

from benchmarks.part import Goal, Results, Settings
from benchmarks.process import run_in_turn
from benchmarks.tables import megabytes, number, table
from benchmarks.timing import summary

NAME = "start"
TITLE = "Start"

_ROUNDS = 15
_FIRST = "import ipmdae, clean 5 s of two leads"
_WITHOUT_TORCH = "import sys; assert 'torch' not in sys.modules"
_COMMANDS = {
    "Python itself": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import ipmdae": ["-c", f"import ipmdae; {_WITHOUT_TORCH}"],
    _FIRST: [
        "-c",
        "import numpy as np, ipmdae;"
        "x = np.random.default_rng(0).standard_normal((1250, 2));"
        f"assert np.isfinite(ipmdae.denoise(x, 250)).all(); {_WITHOUT_TORCH}",
    ],
    "ipmdae --help": ["-m", "ipmdae", "--help"],
}


def measure(settings: Settings) -> Results:
    run_in_turn(_COMMANDS, 1, settings.threads)  # to fill the file cache, and write bytecode
    return {"used": run_in_turn(_COMMANDS, settings.rounds(_ROUNDS), settings.threads)}


def section(results: Results) -> str:
    rows = []
    for name, used in results["used"].items():
        seconds = summary(used["seconds"])
        rows.append(
            [
                name,
                number(seconds.median * 1e3),
                number(seconds.least * 1e3),
                f"{seconds.spread:.0%}",
                megabytes(max(used["peak"])),
            ]
        )
    return (
        "From the start of a process to its end, files in the cache. No torch is imported, though "
        "it is installed.\n\n" + table(["", "median (ms)", "least", "spread", "peak memory"], rows)
    )


def goals(results: Results) -> list[Goal]:
    seconds = summary(results["used"][_FIRST]["seconds"]).median
    figure = "import and first cleaned window in a new process, no torch (s)"
    return [Goal(figure=figure, bound=0.5, value=seconds)]
