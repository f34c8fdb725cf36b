"""Fuzzes every reader: ``python -m tools.fuzz --seconds 60 [--jobs N] [--format F] [--seed S]``.

Needs Linux. All kinds of files get the same time, so that those that are read fast get the most
inputs; ``--inputs N`` runs N inputs, and a fiftieth of them of each kind. A finding is
an input that crashes its process, takes more than 10 s or a gigabyte, or whose error is none of
those promised; it is stored, and the exit status is 1. ``--again FOLDER`` reads a stored one.

Readers that otherwise run in a child process (HDF5, Parquet) run in the fuzzing process. Inputs
that end it, or take more than a second or a gigabyte, count as contained and not as findings:
users see for such a file in one line.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ipmdae.formats import isolated
from ipmdae.termination import script
from tools.fuzz.mutations import Files
from tools.fuzz.targets import Target, targets, wasm_folder
from tools.fuzz.workers import Finding, Report, Worker, input_of, limit_memory

_BATCH = 0.5
"""Seconds of work that a process is given at once."""
_STORED = 5
"""Findings of the same reason that are kept of each kind."""

_IMPORTS = ("h5py", "pyarrow.parquet", "pydicom", "ecgdatakit", "pandas", "wfdb", "edfio")
"""Imported before processes fork, so that each has them at once."""


@dataclass
class Tally:
    """Outcome of the inputs of a target."""

    inputs: int = 0
    accepted: int = 0
    contained: int = 0
    seconds: float = 1e-3
    handed: int = 0
    busy: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        """Count a report."""
        self.inputs += report.inputs
        self.accepted += report.accepted
        self.contained += report.contained
        self.seconds += report.seconds

    def count(self, finding: Finding) -> int:
        """Count a finding; returns how many of its kind there were."""
        kind = finding.reason.partition("/")[0]
        self.reasons[kind] = self.reasons.get(kind, 0) + 1
        return self.reasons[kind]


class Campaign:
    """Inputs of all targets, read by several processes at once."""

    def __init__(self, chosen: list[Target], seed: int, store: Path) -> None:
        self._targets = {target.name: target for target in chosen}
        self._seeds = {target.name: target.seeds() for target in chosen}
        self._seed, self._store = seed, store
        self.tallies = {target.name: Tally() for target in chosen}

    def run(self, jobs: int, going_on: Callable[[], str | None]) -> None:
        """Read inputs of the target that ``going_on`` names, until it names none."""
        workers: dict[Worker, str] = {}
        try:
            while True:
                while len(workers) < jobs and (name := going_on()) is not None:
                    self._begin(self._worker(), name, workers)
                if not workers:
                    return
                for worker, name in list(workers.items()):
                    report = worker.result(0.05)
                    if report is None:
                        continue
                    del workers[worker]
                    self._end(worker, name, report)
                    following = going_on()
                    if following is None or worker.old or not worker.alive:
                        worker.end()
                    else:
                        self._begin(worker, following, workers)
        finally:
            for worker in workers:
                worker.end()

    def _worker(self) -> Worker:
        return Worker(self._targets, self._seeds, self._seed)

    def _begin(self, worker: Worker, name: str, workers: dict[Worker, str]) -> None:
        tally = self.tallies[name]
        count = int(_BATCH * tally.inputs / tally.seconds) if tally.inputs else 20
        count = min(max(count, 10), 5000)
        worker.begin(name, tally.handed, count)
        tally.handed += count
        tally.busy += 1
        workers[worker] = name

    def _end(self, worker: Worker, name: str, report: Report) -> None:
        tally = self.tallies[name]
        tally.busy -= 1
        tally.add(report)
        for finding in report.findings:
            if tally.count(finding) <= _STORED:
                self._keep(finding)

    def _keep(self, finding: Finding) -> None:
        folder = self._store / f"{finding.target}-{self._seed}-{finding.number}"
        folder.mkdir(parents=True, exist_ok=True)
        files, _ = input_of(finding.target, self._seeds[finding.target], self._seed, finding.number)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "reason.txt").write_text(f"{finding.reason}\n\n{finding.details}")
        print(f"{folder}: {finding.reason}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.fuzz", description="Fuzz every reader of files."
    )
    parser.add_argument("--seconds", type=float, default=None, help="how long (default: 60)")
    parser.add_argument("--inputs", type=int, default=None, help="how many, instead of how long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--format", action="append", help="kinds of files (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the source of chance")
    parser.add_argument("--to", type=Path, default=Path("fuzz-findings"), help="where to store")
    parser.add_argument(
        "--again", type=Path, help="a stored finding to read again, and nothing else"
    )
    args = parser.parse_args(arguments)
    known = {target.name: target for target in targets()}
    for name in args.format or ():
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    if args.again:
        return again(args.again, known)
    chosen = [known[name] for name in args.format or known]
    for name in _IMPORTS:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    if any(target.name == "wasm" for target in chosen):
        wasm_folder()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="ipmdae-fuzz-", dir=memory if memory.is_dir() else None
    ) as folder:
        os.environ["IPMDAE_FUZZ_FOLDER"] = folder
        campaign = Campaign(chosen, args.seed, args.to)
        schedule = (
            by_number(campaign, args.inputs)
            if args.inputs
            else by_time(campaign, args.seconds or 60.0)
        )
        try:
            campaign.run(args.jobs, schedule)
        except KeyboardInterrupt:
            print("interrupted")
    return summary(campaign.tallies)


def by_time(campaign: Campaign, seconds: float) -> Callable[[], str | None]:
    """A schedule of so many seconds, the same for all targets."""
    end = time.monotonic() + seconds

    def going_on() -> str | None:
        return None if time.monotonic() > end else least(campaign.tallies)

    return going_on


def by_number(campaign: Campaign, inputs: int) -> Callable[[], str | None]:
    """A schedule of so many inputs, a fiftieth of them at least of each target."""

    def going_on() -> str | None:
        tallies = campaign.tallies
        few = {n: t for n, t in tallies.items() if t.handed < min(inputs // 50, inputs)}
        if sum(tally.handed for tally in tallies.values()) < inputs:
            return least(tallies)
        return least(few) if few else None

    return going_on


def least(tallies: dict[str, Tally]) -> str:
    """The target that had the least time."""
    return min(tallies, key=lambda name: tallies[name].seconds + _BATCH * tallies[name].busy)


def summary(tallies: dict[str, Tally]) -> int:
    """Print what became of all inputs; return the exit status."""
    print(f"{'kind':12}{'inputs':>10}{'read':>8}{'per s':>8}{'contained':>11}{'findings':>10}")
    for name, tally in tallies.items():
        share = f"{100 * tally.accepted / max(tally.inputs, 1):.0f} %"
        speed = tally.inputs / tally.seconds
        found = sum(tally.reasons.values())
        print(f"{name:12}{tally.inputs:>10}{share:>8}{speed:>8.0f}{tally.contained:>11}{found:>10}")
        for reason, count in sorted(tally.reasons.items(), key=lambda item: -item[1])[:8]:
            print(f"    {count} times: {reason[:200]}")
    total = sum(tally.inputs for tally in tallies.values())
    found = sum(sum(tally.reasons.values()) for tally in tallies.values())
    print(f"{total} inputs, {found} findings")
    return 1 if found else 0


def again(folder: Path, known: dict[str, Target]) -> int:
    """Read a stored finding in this process; what it raises is shown."""
    name = folder.name.rsplit("-", 2)[0]
    isolated.enabled = False
    limit_memory()
    index = int(folder.name.rsplit("-", 1)[1])
    seed = int(folder.name.rsplit("-", 2)[1])
    files: Files = {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name != "reason.txt"
    }
    _, rng = input_of(name, known[name].seeds(), seed, index)
    first = next((file for file in files if file.endswith(".hea")), next(iter(files)))
    with tempfile.TemporaryDirectory() as copy:
        for file in files:
            shutil.copyfile(folder / file, Path(copy, file))
        print("read" if known[name].read(Path(copy, first), rng) else "refused")
    return 0


if __name__ == "__main__":
    with script():
        status = main()
    sys.exit(status)
