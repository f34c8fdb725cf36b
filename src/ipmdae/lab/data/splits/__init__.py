"""Training, validation and test records: lists of record names, one folder per protocol.

``reference/<name>.txt`` is an order of all 105 records of the QT Database: the first so many
train, the rest validate. ``sorted`` is alphabetical; ``random-k`` shuffles patients (not records)
with seed k, so that with the 91 training records of the published protocol no patient stands on
both sides. ``clinic/{train,validation,test}.txt`` are fixed sets, each patient in one of them;
``deepfilter/{train,test}.txt`` are the published ones (sele0122, of a test patient, trains);
``deepfilter/validation.txt`` are those of the training records that networks are validated on.

The other databases: ``mitdb/{train,development,reserved}.txt`` divide the MIT-BIH Arrhythmia
Database; ``cinc2017/held_back.txt`` names a tenth of the Challenge's training set,
``ecgnext/{validation,test}.txt`` people of ECGNExT. What is not named trains.
"""

from __future__ import annotations

from importlib import resources

#: Training records of the published protocol; the other 14 validate.
PUBLISHED_TRAINING_RECORDS = 91


def names(protocol: str) -> list[str]:
    """The names of all lists of ``protocol``."""
    files = (resources.files(__name__) / protocol).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt"))


def load(protocol: str, name: str) -> list[str]:
    """The records of list ``name`` of ``protocol``, in its order.

    Raises:
        ValueError: there is no such list.
    """
    if name not in names(protocol):
        raise ValueError(f"unknown split {name!r}; there are: {', '.join(names(protocol))}")
    file = resources.files(__name__) / protocol / f"{name}.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
