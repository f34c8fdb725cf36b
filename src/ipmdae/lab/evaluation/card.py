"""Scores of a model for its card, from stored results, and its training data."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ipmdae import checksums
from ipmdae.cards import CLINIC, GAIN, KEPT, NOT_MEASURED, Card
from ipmdae.lab.data import nstdb, splits
from ipmdae.lab.data.download import DATASETS, DatasetNotFoundError
from ipmdae.lab.evaluation import clinic, clinical, robustness
from ipmdae.lab.evaluation.clinic import ClinicBenchmark
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.results import Result, find
from ipmdae.lab.evaluation.waves import DELINEATED, LEVELLED
from ipmdae.lab.protocols.clinic_test import CLEAN, KINDS, SNRS

GAINS = "SNR improvement by noise and input SNR (dB)"
ABOVE = "SNR improvement above 0.5 Hz by noise and input SNR (dB)"
KEPT_ABOVE = "SNR of clean leads after denoising, above 0.5 Hz (dB)"
BY_RECORD = "SNR improvement by record (dB)"
CHANGED = "relative AC distortion of clean leads (%)"
COVERED = "coverage of the predicted 95 % band (%)"
ST = "ST level error, mean over records of the median (mV)"
QT = "QT interval error, mean absolute (ms)"
INVENTED, TRUSTED = (
    "false detections per minute in noise-only input",
    "false detections per minute in noise-only input, outside of rejected seconds",
)

_DIGITS = 4
_RECORD_FILES = (".hea", ".dat")
_RHYTHM_DATA = {
    "MIT-BIH Arrhythmia Database 1.0.0": "records of splits/mitdb/train.txt",
    "CinC Challenge 2017 1.0.0": "of the first 1500 recordings those no shorter than a window, "
    "less splits/cinc2017/held_back.txt",
    "ECGNExT": "wrist motion of ID032 ID046 ID097 ID184 ID315 ID377",
    "synthetic": "rhythms of ipmdae.lab.data.rhythms in the share of windows that 'windows' "
    "states; sway and taps of ipmdae.lab.data.motion",
}
_UNFIT = (
    "not measured: the model takes recordings in mV, and this protocol is for networks that are "
    "trained on its own windows"
)


def scores(name: str, sha256: str, results: Path) -> Card:
    """Stored scores of a model, by protocol.

    Args:
        name: of the model.
        sha256: of its file.
        results: folder with a folder of stored results for each benchmark.

    Raises:
        ValueError: a result is of other weights, or of a part of the test.
    """
    found: Card = {"reference": _UNFIT, "deepfilter": _UNFIT}
    for title, protocol, scores_of in (
        (CLINIC, "clinic", _clinic),
        ("clinical", "clinical", _clinical),
        ("robustness", "robustness", _robustness),
    ):
        result = find(results, protocol, name, sha256)
        found[title] = NOT_MEASURED if result is None else scores_of(result)
    return found


def check(model: Path, datasets: Path) -> Card:
    """Scores on a small part of protocol clinic, to be reproduced wherever the model is used.

    Args:
        model: its file.
        datasets: folder of both databases, or of excerpts.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*test records are not in", UserWarning)
        result = ClinicBenchmark(datasets).run(str(model), part=1)
    return {
        GAIN: _rounded(result["snr_improvement"][result["kind"] != CLEAN].mean()),
        KEPT: _rounded(result["snr"][result["kind"] == CLEAN].mean()),
    }


def data(
    training: Iterable[str], validation: Iterable[str], datasets: Path, *, rhythms: bool
) -> Card:
    """Training, validation and test data of the model, by name and SHA-256.

    Args:
        training, validation: records of the QT Database.
        datasets: folder of the databases.
        rhythms: True if the databases of rhythms and motion were trained on, too.

    The digest of a list is that of its sorted names, one per line; the digest of files is that of
    the list that ``sha256sum`` prints for them, sorted by name.

    Raises:
        DatasetNotFoundError: a record is not in ``datasets``.
    """
    sides = {
        "training": sorted(training),
        "validation": sorted(validation),
        "test": sorted(splits.load("clinic", "test")),
    }
    names = sorted(record for records in sides.values() for record in records)
    return {
        "signal": {
            "database": "QT Database 1.0.0",
            "SHA-256 of the records used": _files_digest("qtdb", datasets, names),
            "split": {
                side: {
                    "records": len(records),
                    "names": " ".join(records),
                    "SHA-256": _digest_of("".join(f"{record}\n" for record in records)),
                }
                for side, records in sides.items()
            },
        },
        "noise": {
            "database": "MIT-BIH Noise Stress Test Database 1.0.0",
            "SHA-256 of the records used": _files_digest("nstdb", datasets, nstdb.KINDS),
            "intervals (s)": {
                kind: {part: [list(span) for span in spans] for part, spans in parts.items()}
                for kind, parts in nstdb.INTERVALS.items()
            },
        },
        **({"rhythms and motion": _RHYTHM_DATA} if rhythms else {}),
    }


def _clinic(result: Result) -> Card:
    return {
        "segments": result.done,
        GAIN: _estimate(clinic.mean(result, "snr_improvement")),
        **{
            title: {
                kind: {str(snr): _estimate(clinic.mean(result, of, kind, snr)) for snr in SNRS}
                for kind in KINDS
            }
            for title, of in zip((GAINS, ABOVE), clinic.BY_SNR, strict=True)
        },
        BY_RECORD: _by_record(result),
        KEPT: _estimate(clinic.mean(result, "snr", CLEAN)),
        KEPT_ABOVE: _estimate(clinic.mean(result, "snr_above", CLEAN)),
        CHANGED: _estimate(clinic.changed(result)),
        COVERED: _estimate(clinic.coverage(result)),
    }


def _by_record(result: Result) -> Card:
    """Mean SNR improvement of each record under all noise."""
    noisy = result.table[result["kind"] != CLEAN]
    return {
        str(name): _rounded(rows["snr_improvement"].to_numpy().mean())
        for name, rows in noisy.groupby("record")
    }


def _clinical(result: Result) -> Card:
    invented, trusted = (
        {
            kind: _rounded(clinical.false_detections(result, kind, trusted=flagged))
            for kind in nstdb.KINDS
        }
        for flagged in (False, True)
    )
    return {
        "recordings": result.done,
        ST: {name: _rounded(clinical.st_error(result, name).mean) for name in LEVELLED},
        QT: {name: _estimate(clinical.qt_error(result, name)) for name in DELINEATED},
        INVENTED: invented,
        TRUSTED: trusted,
    }


def _robustness(result: Result) -> Card:
    return {
        "segments": result.done,
        GAIN: {
            name: _estimate(robustness.improvement(result, name)) for name in robustness.CONDITIONS
        },
    }


def _estimate(interval: Interval) -> Card | str:
    """A mean and its 95 % interval over records."""
    if np.isnan(interval.mean):
        return NOT_MEASURED
    bounds = [_rounded(interval.low), _rounded(interval.high)]
    return {"mean": _rounded(interval.mean), "95 % interval": bounds}


def _rounded(value: float) -> float | None:
    """A number as a JSON value."""
    return None if np.isnan(value) else round(float(value), _DIGITS)


def _files_digest(database: str, datasets: Path, records: Iterable[str]) -> str:
    folder = datasets / DATASETS[database].folder
    names = sorted(record + suffix for record in records for suffix in _RECORD_FILES)
    if not all((folder / name).is_file() for name in names):
        raise DatasetNotFoundError(database, folder)
    return _digest_of("".join(f"{checksums.digest(folder / name)}  {name}\n" for name in names))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
