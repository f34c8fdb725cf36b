"""Records of one patient in the databases, and the orders that were shuffled by patient."""

from __future__ import annotations

import numpy as np

SAME_PATIENT = {"sele0122": "sele0121", "sele0126": "sele0124", "202": "201"}
"""Records of the QT and the MIT-BIH Arrhythmia Database, each with the patient's first record."""

IN_QTDB = tuple("100 102 103 104 114 116 117 123 213 221 223 230 231 232 233".split())
"""MIT-BIH records that the QT Database has an excerpt of, there called ``sel`` and the number."""


def patient(record: str) -> str:
    """The patient of a record, named by the first of that patient's records."""
    return SAME_PATIENT.get(record, record)


def shuffled_by_patient(records: list[str], seed: int, boundary: int) -> list[str]:
    """Shuffle ``records`` with no patient on both sides of ``boundary``.

    This made the ``random-k`` orders and drew the validation records of ``clinic``. Patients are
    shuffled and their records kept together; where the boundary would cut through a patient, the
    next shuffle of the same generator is taken.
    """
    by_patient: dict[str, list[str]] = {}
    for record in sorted(records):
        by_patient.setdefault(patient(record), []).append(record)
    patients = sorted(by_patient)
    rng = np.random.default_rng(seed)
    while True:
        order = [r for p in rng.permutation(patients) for r in by_patient[str(p)]]
        if not set(map(patient, order[:boundary])) & set(map(patient, order[boundary:])):
            return order
