"""The CU Ventricular Tachyarrhythmia Database: 35 leads of 8.5 min at 250 Hz, most with VF.

Nolle et al., "CREI-GARD, a new concept in computerized arrhythmia monitoring systems", Computers in
Cardiology 13, 1986; PhysioNet version 1.0.0. Used to test alone; nothing is trained on it.
"""

from __future__ import annotations

from pathlib import Path

from ipmdae import formats
from ipmdae.lab.data.download import DATASETS, DatasetNotFoundError
from ipmdae.recording import Recording

FOLDER = DATASETS["cudb"].folder

_BEGINS, _ENDS = "[", "]"


def read(folder: Path, name: str) -> Recording:
    """One recording, one lead in mV, with its annotations where they are there.

    Raises:
        DatasetNotFoundError: it is not in ``folder``.
    """
    if not (folder / f"{name}.hea").is_file():
        raise DatasetNotFoundError("cudb", folder)
    return formats.read(folder / name)


def fibrillation(recording: Recording) -> list[tuple[float, float]]:
    """Episodes of ventricular fibrillation or flutter, first and last second of each, by ``atr``.

    An episode whose end is not annotated lasts to the end of the recording.

    Raises:
        ValueError: the recording has no annotations ``atr``.
    """
    if "atr" not in recording.annotations:
        raise ValueError("the recording has no annotations (atr); episodes are not known")
    marks = recording.annotations["atr"]
    episodes, begun = [], None
    for sample, symbol in zip(marks.sample, marks.symbol, strict=True):
        if symbol == _BEGINS and begun is None:
            begun = float(sample) / recording.fs
        elif symbol == _ENDS and begun is not None:
            episodes.append((begun, float(sample) / recording.fs))
            begun = None
    if begun is not None:
        episodes.append((begun, len(recording.signal) / recording.fs))
    return episodes
