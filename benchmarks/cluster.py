"""Cost of a recorded hour, alone and as a local cluster: ``python -m benchmarks.cluster``.

Processor time is counted, which others on the machine disturb less than time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import holter
from ipmdae.termination import script

_HOLTERS, _HOURS = 10_000, 24
_LEADS = 2


def main() -> None:
    """Print what an hour costs by ``--jobs 2`` and ``--cluster local``, and many Holters."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=main.__doc__)
    parser.add_argument("--files", type=int, default=4, help="recordings")
    parser.add_argument("--hours", type=float, default=1.0, help="length of each in hours")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        for kind, seconds in (("long", round(args.hours * 3600)), ("short", 10)):
            place = Path(folder, kind)
            place.mkdir()
            first = holter.write(place, seconds)
            for number in range(1, args.files if kind == "long" else 50 * args.files):
                _copy(first, first.with_name(f"r{number}"))
        print(
            "way of work", "CPU s per recorded hour", "s per file of 10 s", "core hours", sep="\t"
        )
        for ways in (["--jobs", "2"], ["--cluster", "local", "--jobs", "2"]):
            cost = _cost(Path(folder, "long"), ways)[0] / (args.files * args.hours)
            short = _cost(Path(folder, "short"), ways)[1] / (50 * args.files)
            total = cost * _HOLTERS * _HOURS / 3600
            print(" ".join(ways), f"{cost:.2f}", f"{short:.3f}", f"{total:,.0f}", sep="\t")
    print(f"core hours: {_HOLTERS:,} Holters of {_HOURS} h, {_LEADS} leads, {holter.FS} Hz")
    rate = 2 * 2 * _LEADS * holter.FS * 3600 / cost
    print(f"read and written on the cluster: {rate / 1e6:.2f} MB/s for each busy core")


def _copy(record: Path, other: Path) -> None:
    """Another name of a record."""
    other.with_suffix(".dat").hardlink_to(record.with_suffix(".dat"))
    header = record.with_suffix(".hea").read_text(encoding="ascii")
    other.with_suffix(".hea").write_text(header.replace(record.name, other.name), encoding="ascii")


def _cost(folder: Path, ways: list[str]) -> tuple[float, float]:
    """Seconds of processors, and of time, to denoise the recordings of a folder."""
    words = ["denoise", str(folder), "-o", f"{folder}-{ways[0]}", *ways]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "ipmdae", *words], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took


if __name__ == "__main__":
    with script():
        main()
