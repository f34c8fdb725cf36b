"""Two independent beat detectors with default settings, and the matching of beats.

``xqrs`` of the WFDB package; ``neurokit`` is the default pipeline of NeuroKit2, including its own
filter (D. Makowski et al., Behavior Research Methods 53, 2021). Neither is tuned.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import neurokit2
import numpy as np
from numpy.typing import NDArray
from wfdb.processing import xqrs_detect  # type: ignore[import-untyped]

from ipmdae.lab.evaluation.benchmark import Array

Samples = NDArray[np.int64]

TOLERANCE = 0.150
"""Largest distance in s of matching beats (ANSI/AAMI EC57)."""

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Symbols of annotations that are beats."""


def xqrs(x: Array, fs: float) -> Samples:
    """Beats of a lead (time,) in mV at ``fs`` Hz, as samples."""
    return np.asarray(xqrs_detect(x, fs, verbose=False), np.int64)


def neurokit(x: Array, fs: float) -> Samples:
    """Beats of a lead (time,) in mV at ``fs`` Hz, as samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleaned = neurokit2.ecg_clean(x, sampling_rate=round(fs))
        found = neurokit2.ecg_findpeaks(cleaned, sampling_rate=round(fs))
    return np.asarray(found["ECG_R_Peaks"], np.int64)


DETECTORS: Mapping[str, Callable[[Array, float], Samples]] = {"xqrs": xqrs, "neurokit": neurokit}


def match(
    reference: Samples, detected: Samples, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match beats with detections one to one, with as many pairs as possible.

    Args:
        reference: beats, ascending.
        detected: detections, ascending.
        tolerance: largest distance of a matching pair, samples.

    Returns:
        Masks of the beats and of the detections with a partner.
    """
    hit, true = np.zeros(len(reference), np.bool_), np.zeros(len(detected), np.bool_)
    i = j = 0
    while i < len(reference) and j < len(detected):
        if abs(reference[i] - detected[j]) <= tolerance:
            hit[i] = true[j] = True
            i, j = i + 1, j + 1
        elif reference[i] < detected[j]:
            i += 1
        else:
            j += 1
    return hit, true
