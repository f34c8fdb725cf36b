"""Tables of protocol clinic: noise by kind and SNR, differences, clean leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ipmdae.lab.evaluation.clinic.scores import ALL, CHANGED, Case, Score
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.tables import estimate, table
from ipmdae.lab.protocols.clinic_test import CLEAN, SNRS

UNIT = "segments"

NAMES = {
    "snr_improvement": "SNR improvement (dB)",
    "snr": "SNR after (dB)",
    "snr_improvement_above": "SNR improvement above 0.5 Hz (dB)",
    "snr_above": "SNR after above 0.5 Hz (dB)",
    "rmse": "RMSE (mV)",
    "prd": "PRD (%)",
    "ssd": "SSD (mV²)",
    "mad": "MAD (mV)",
    "cosine": "CosSim",
}
_DIGITS = {
    "snr_improvement": 2,
    "snr": 2,
    "snr_improvement_above": 2,
    "snr_above": 2,
    "prd": 1,
    "ssd": 1,
}
_UNCHANGED = 100.0  # dB


def overall(scores: Sequence[Score]) -> str:
    """Means over all kinds of noise and SNRs."""
    return table(
        ["method", *NAMES.values()],
        [
            [
                score.result.title(UNIT),
                *(_cell(score.mean[Case(name, ALL, np.nan)], name) for name in NAMES),
            ]
            for score in scores
        ],
    )


def by_snr(scores: Sequence[Score], measure: str, kind: str) -> str:
    """Table of one measure under one kind of noise."""
    return _by_snr(scores, measure, kind, lambda score: score.mean)


def differences(scores: Sequence[Score], measure: str, kind: str, anchor: str) -> str:
    """The same table as differences to the method ``anchor``."""
    others = [score for score in scores if score.result.method != anchor]
    return _by_snr(others, measure, kind, lambda score: score.difference)


def clean(scores: Sequence[Score]) -> str:
    """Table of the distortion of clean leads."""
    return table(
        [
            "method",
            "SNR to itself (dB)",
            "above 0.5 Hz (dB)",
            "changed (%)",
            "< 0.67 Hz (%)",
            "0.67-40 Hz (%)",
            "40-100 Hz (%)",
        ],
        [
            [
                score.result.title(UNIT),
                _kept(score.mean[Case("snr", CLEAN, np.inf)]),
                _kept(score.mean[Case("snr_above", CLEAN, np.inf)]),
                *(estimate(score.mean[Case(name, CLEAN, np.inf)], 2) for name in CHANGED),
            ]
            for score in scores
        ],
    )


def _by_snr(
    scores: Sequence[Score],
    measure: str,
    kind: str,
    pick: Callable[[Score], dict[Case, Interval]],
) -> str:
    rows = [
        [
            score.result.title(UNIT),
            *(_cell(pick(score)[Case(measure, kind, snr)], measure) for snr in SNRS),
        ]
        for score in scores
    ]
    return table(["method", *(f"{snr} dB" for snr in SNRS)], rows)


def _cell(interval: Interval, measure: str) -> str:
    return estimate(interval, _DIGITS.get(measure, 3))


def _kept(interval: Interval) -> str:
    return "unchanged" if interval.mean > _UNCHANGED else estimate(interval, 1)
