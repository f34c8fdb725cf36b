"""The PhysioNet/CinC Challenge 2017: 8528 hand-held single-lead recordings, 9 to 61 s at 300 Hz.

Clifford et al., "AF classification from a short single lead ECG recording: the PhysioNet/Computing
in Cardiology Challenge 2017", Computing in Cardiology 44, 2017; version 1.0.0, its training set.
The device passes 0.5 to 40 Hz. It is not published which recordings are of the same person; each is
treated as another person. ``splits/cinc2017/held_back`` lists a tenth of the recordings, drawn at
random, that are never trained on.
"""

from __future__ import annotations

import csv
from pathlib import Path

from ipmdae import formats
from ipmdae.lab.data.download import DATASETS, DatasetNotFoundError
from ipmdae.recording import Recording

FOLDER = f"{DATASETS['cinc2017'].folder}/training"

#: The classes of ``REFERENCE.csv``.
RHYTHMS = {"N": "normal", "A": "atrial fibrillation", "O": "other rhythm", "~": "too noisy"}


def rhythms(folder: Path) -> dict[str, str]:
    """Name -> class (a key of :data:`RHYTHMS`) of all recordings in ``folder``, sorted.

    A recording that the list has but the folder has not (a part of the database) is left out.

    Raises:
        DatasetNotFoundError: there is no list of classes in ``folder``, or no recording of it.
        ValueError: a line of the list is not a name and a class.
    """
    path = folder / "REFERENCE.csv"
    if not path.is_file():
        raise DatasetNotFoundError("cinc2017", folder)
    found = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if len(row) != 2 or row[1] not in RHYTHMS:
                raise ValueError(
                    f"{path}, line {number}: not a name and one of {', '.join(RHYTHMS)}"
                )
            if _header(folder, row[0]).is_file():
                found[row[0]] = row[1]
    if not found:
        raise DatasetNotFoundError("cinc2017", folder)
    return dict(sorted(found.items()))


def read(folder: Path, name: str) -> Recording:
    """One recording, one lead in mV.

    Raises:
        DatasetNotFoundError: it is not in ``folder``.
    """
    header = _header(folder, name)
    if not header.is_file():
        raise DatasetNotFoundError("cinc2017", folder)
    return formats.read(header)


def _header(folder: Path, name: str) -> Path:
    """``A00001`` lies in ``A00``."""
    return folder / name[:3] / f"{name}.hea"
