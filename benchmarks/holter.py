"""A long recording to clean: the shipped example over and over, never twice the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae import examples, formats
from ipmdae.pipeline.resample import resample

FS = 250

_EXAMPLE = "118e06_excerpt"
_STEPS = 1000  # digital steps per mV
_NOISE = 0.01  # mV


def write(folder: Path, seconds: int) -> Path:
    """Write a WFDB record of two leads at 250 Hz, format 16, block by block; its path.

    Each repetition of the example's minute has its own gains and noise.
    """
    signal = resample(formats.read(examples.path(_EXAMPLE)).signal, 360, FS)
    generator = np.random.default_rng(0)
    record = folder / f"holter_{seconds}"
    samples = seconds * FS
    with record.with_suffix(".dat").open("wb") as file:
        for first in range(0, samples, len(signal)):
            part = signal[: samples - first]
            gains = generator.uniform(0.5, 2, part.shape[1])
            noise = _NOISE * generator.standard_normal(part.shape, np.float32)
            file.write(np.rint((part * gains + noise) * _STEPS).astype("<i2").tobytes())
    lead = f"{record.name}.dat 16 {_STEPS}(0)/mV 16 0 0 0 0"
    header = f"{record.name} 2 {FS} {samples}\n{lead} MLII\n{lead} V1\n"
    record.with_suffix(".hea").write_text(header, encoding="ascii")
    return record
