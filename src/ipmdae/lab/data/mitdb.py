"""The MIT-BIH Arrhythmia Database: 48 two-lead recordings of 30 min at 360 Hz, beats annotated.

Moody and Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE Engineering in Medicine and
Biology 20 (3), 2001; PhysioNet version 1.0.0. 15 of its recordings are excerpted in the QT
Database (``sel100`` is of ``100``), and 118 and 119 are the noise stress test's; 201 and 202 are of
one patient. The lists in ``splits/mitdb`` say which may train: ``train``; ``development``, never
trained on, on which the behaviour on arrhythmias is measured while networks are developed;
``reserved``, which are neither, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.lab.data.download import DATASETS, DatasetNotFoundError
from ipmdae.recording import Recording

FOLDER = DATASETS["mitdb"].folder

#: Symbols of annotations that mark a beat.
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")


def record_names(folder: Path) -> list[str]:
    """The names of all recordings in ``folder``, sorted.

    Raises:
        DatasetNotFoundError: there is no such folder, or no recording in it.
    """
    names = sorted(path.stem for path in folder.glob("[12][0-9][0-9].hea"))
    if not names:
        raise DatasetNotFoundError("mitdb", folder)
    return names


def read(folder: Path, name: str) -> Recording:
    """One recording in mV; ``annotations["atr"]`` holds its beats and rhythms where they are there.

    Raises:
        DatasetNotFoundError: it is not in ``folder``.
    """
    if not (folder / f"{name}.hea").is_file():
        raise DatasetNotFoundError("mitdb", folder)
    return formats.read(folder / name)


def r_peaks(recording: Recording, symbols: Iterable[str] = BEATS) -> NDArray[np.int64]:
    """Samples of the annotated beats of a recording, or of those with some symbols, in order."""
    marks = recording.annotations["atr"]
    return np.asarray(marks.sample[np.isin(marks.symbol, list(symbols))], np.int64)
