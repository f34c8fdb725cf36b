"""Disk size of an installation, with torch and without; downloads the packages that pip needs."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.part import ROOT, Goal, Results, Settings
from benchmarks.size import build_wheel
from benchmarks.tables import megabytes, table

NAME = "installation"
TITLE = "Installed size"

_LISTED = 6


def measure(settings: Settings) -> Results:
    with TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build_wheel(folder)
        bare = _packages(_environment(folder / "bare"))
        base = _environment(folder / "base", [str(wheel)])
        found = {"base": _difference(_packages(base), bare)}
        if not settings.quick:
            # torch by itself first: with others, pip would choose a build of several gigabytes.
            torch, wanted = [_pinned("torch")], [f"{wheel}[train]"]
            train = _environment(folder / "train", torch, wanted)
            found["with the extra train"] = _difference(_packages(train), bare)
    return {"installed": found}


def _environment(folder: Path, *requirements: list[str]) -> Path:
    """A new virtual environment; its folder of packages."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt"]
    # PYTHONPATH would show pip the packages of this environment.
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    for some in requirements:
        subprocess.run([*pip, *some], check=True, cwd=ROOT, env=clean)
    (packages,) = folder.glob("**/site-packages")
    return packages


def _pinned(package: str) -> str:
    """The requirement of a package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


def _packages(folder: Path) -> dict[str, int]:
    """Bytes by entry of a folder of packages."""
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            entry = path.relative_to(folder).parts[0]
            sizes[entry] = sizes.get(entry, 0) + path.stat().st_size
    return sizes


def _difference(sizes: dict[str, int], bare: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if name not in bare}


def section(results: Results) -> str:
    rows = []
    for name, sizes in results["installed"].items():
        largest = sorted(sizes, key=lambda entry: -sizes[entry])[:_LISTED]
        listed = ", ".join(f"{entry} {megabytes(sizes[entry])}" for entry in largest)
        rows.append([name, megabytes(sum(sizes.values())), listed])
    return (
        "What pip adds to a fresh virtual environment, with the versions of constraints.txt and "
        "its bytecode:\n\n" + table(["", "size", "largest"], rows)
    )


def goals(results: Results) -> list[Goal]:
    return []
