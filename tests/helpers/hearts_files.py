"""Inputs for the tests of benchmark hearts.

A lead of known beats, methods that are functions, and records in the layout of the arrhythmia,
fibrillation and motion databases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from excerpts import NSTDB, QTDB
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.lab.data import cudb, ecgnext, mitdb, nstdb, qtdb
from ipmdae.lab.evaluation.hearts.leads import Lead
from ipmdae.lab.evaluation.hearts.method import Cleaned, MethodUnderTest
from ipmdae.recording import Annotations, Recording

Array = NDArray[np.float64]


def whole(x: Array) -> NDArray[np.bool_]:
    """All of it can be read."""
    return np.ones(x.shape, np.bool_)


@dataclass(frozen=True)
class Function(MethodUnderTest):
    """A method that is a function of the signal, and of it what can be read."""

    spec: str = "function"
    function: Callable[[Array], Array] = field(default=lambda x: x)
    judge: Callable[[Array], NDArray[np.bool_]] = whole

    def clean(self, x: Array, fs: float, leads: Sequence[str] = ()) -> Cleaned:
        readable = self.judge(x)
        return Cleaned(self.function(x), readable, readable)


def beat(time: Array, kind: str = "N") -> Array:
    """A beat around 0 s, (time,) in mV: narrow with P and T, or wide with a discordant T."""
    waves = {
        "N": ((-0.16, 0.02, 0.1), (0, 0.012, 1.0), (0.27, 0.04, 0.25)),
        "V": ((0, 0.035, 1.5), (0.3, 0.05, -0.4)),
    }[kind]
    bumps = [h * np.exp(-0.5 * ((time - at) / sd) ** 2) for at, sd, h in waves]
    return np.asarray(np.sum(bumps, axis=0))


def ecg(
    seconds: float, fs: float, symbols: str = "", period: float = 0.8
) -> tuple[Array, NDArray[np.int64]]:
    """A lead (time,) in mV, and the samples of its beats; beats of N where no symbols are given."""
    time = np.arange(round(seconds * fs)) / fs
    marks = np.arange(0.5, seconds - 0.5, period)
    kinds = (symbols or "N" * len(marks))[: len(marks)]
    signal = np.zeros(len(time))
    for at, kind in zip(marks, kinds, strict=False):
        signal += beat(time - at, kind)
    return signal, np.rint(marks * fs).astype(np.int64)


def lead(number: int = 0, fs: float = 250.0) -> Lead:
    signal, beats = ecg(30, fs)
    return Lead(name="sel123 0", number=number, start=0, fs=fs, signal=signal, beats=beats)


def arrhythmia(fs: float = 360.0, seconds: float = 40.0) -> Recording:
    """Every third beat ectopic, f waves of 6 Hz throughout, rhythm AF from 10 s on."""
    symbols = "NNV" * 30
    signal, beats = ecg(seconds, fs, symbols)
    time = np.arange(len(signal)) / fs
    signal = signal + 0.05 * np.sin(2 * np.pi * 6 * time)
    marks = [*zip(beats.tolist(), symbols, [""] * len(beats), strict=False)]
    marks += [(1, "+", "(N"), (round(10 * fs), "+", "(AFIB")]
    sample, symbol, note = zip(*sorted(marks), strict=True)
    return Recording(
        signal=np.stack([signal, 0.5 * signal], axis=1),
        fs=fs,
        leads=("MLII", "V1"),
        annotations={"atr": Annotations(sample=np.array(sample), symbol=symbol, note=note)},
    )


def fibrillation(fs: float = 250.0) -> Recording:
    """Ten seconds of beats, then 20 s of ventricular fibrillation."""
    signal, beats = ecg(30, fs)
    time = np.arange(len(signal)) / fs
    signal = np.where(time < 10, signal, 0.4 * np.sin(2 * np.pi * 5 * time))
    before = beats[beats < 10 * fs]
    marks = Annotations(
        sample=np.append(before, round(10 * fs)), symbol=(*("N" * len(before)), "[")
    )
    return Recording(signal=signal[:, None], fs=fs, leads=("ECG",), annotations={"atr": marks})


def wrist(moving: bool, fs: float = 1000.0) -> Recording:
    """A clean and a wrist lead; from 20 s on the moving one is all motion. As stored: inverted."""
    signal, _ = ecg(40, fs)
    time = np.arange(len(signal)) / fs
    motion = np.sin(2 * np.pi * 3.3 * time) + np.sin(2 * np.pi * 5.1 * time)
    moved = signal + (time >= 20) * motion if moving else signal
    rng = np.random.default_rng(int(moving))
    both = np.stack([signal, moved], axis=1) + 0.005 * rng.standard_normal((len(time), 2))
    return Recording(
        signal=-np.round(both * ecgnext.STEPS_PER_MV) / ecgnext.STEPS_PER_MV,
        fs=fs,
        leads=ecgnext.LEADS,
        comments=(f"clean reference interval (samples): [1, {len(time)}]",),
    )


def databases(to: Path) -> Path:
    """A folder of all databases: the excerpts that ship, and one record or two of each other."""
    to.mkdir(parents=True, exist_ok=True)
    for folder, excerpts in ((qtdb.FOLDER, QTDB), (nstdb.FOLDER, NSTDB)):
        (to / folder).symlink_to(excerpts, target_is_directory=True)
    records = {
        Path(mitdb.FOLDER, "208"): arrhythmia(),
        Path(cudb.FOLDER, "cu01"): fibrillation(),
        Path(ecgnext.FOLDER, "ID640_Seg1_NoMot"): wrist(moving=False),
        Path(ecgnext.FOLDER, "ID640_ArmW"): wrist(moving=True),
    }
    for path, recording in records.items():
        (to / path).parent.mkdir(exist_ok=True)
        formats.write(recording, to / path)
    return to
