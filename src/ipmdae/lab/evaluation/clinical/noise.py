"""The held-out noise, read once in each process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.protocols.clinic_test import held_out_noise


@cache
def load_test_noise(folder: Path) -> list[Array]:
    """The test minutes of bw, em and ma at 250 Hz, (time, channels) each, z-scored."""
    return held_out_noise(folder)
