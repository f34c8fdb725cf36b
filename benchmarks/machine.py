"""Description of the machine that ran the measurements."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path

from benchmarks.part import Results
from ipmdae import native

_PACKAGES = (
    "ultralight-ipm-dae",
    "numpy",
    "torch",
    "onnxruntime",
    "mambapy",
    "transformers",
    "numba",
    "scipy",
    "neurokit2",
    "wfdb",
    "soxr",
)


def describe() -> Results:
    """Processor, memory, system and versions; and how busy the machine is before measuring."""
    return {
        "processor": _processor(),
        "cores": native.processors(),
        "instruction set": native.instruction_set() if native.available() else "none",
        "memory (GB)": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": _versions(),
        "busy": _busy(),
    }


def _processor() -> str:
    """Model name of the processor from Linux or macOS, else from Python."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        fields: dict[str, str] = {}
        for line in information.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
        if "model name" in fields:
            numbers = [f"{key} {fields[key]}" for key in ("cpu family", "model") if key in fields]
            return f"{fields['model name']} ({', '.join(numbers)})"
    return platform.processor() or platform.machine()


def _memory() -> float:
    if sys.platform == "win32":
        return 0.0
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _busy() -> float | None:
    """Processors that other processes keep busy; None if the system does not report it."""
    before = _ticks()
    if before is None:
        return None
    time.sleep(1)
    after = _ticks()
    assert after is not None
    busy, total = (late - early for early, late in zip(before, after, strict=True))
    return round(native.processors() * busy / max(total, 1), 2)


def _ticks() -> tuple[int, int] | None:
    """Time of all processors since the start, busy and in all, as Linux counts it."""
    file = Path("/proc/stat")
    if not file.is_file():
        return None
    counts = [int(word) for word in file.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    idle_and_waiting = counts[3] + counts[4]
    return sum(counts) - idle_and_waiting, sum(counts)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
