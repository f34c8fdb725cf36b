"""The parts of the benchmark, in the order of the page."""

from __future__ import annotations

from benchmarks import (
    installation,
    memory,
    network,
    recording,
    scan,
    scan_cuda,
    six_hours,
    size,
    soak,
    start,
    training,
)
from benchmarks.part import Part

PARTS: dict[str, Part] = {
    part.NAME: part
    for part in (
        scan,
        scan_cuda,
        network,
        six_hours,
        recording,
        memory,
        soak,
        start,
        training,
        size,
        installation,
    )
}

BY_DEFAULT = [name for name in PARTS if name != installation.NAME]
"""Those measured where none is named: the installation is downloaded, and seldom changes."""
