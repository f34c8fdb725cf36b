"""DeepFADE: the network that ships with the package ecgdatakit, unchanged, by its own function.

ECGDataKit's "Deep Filtering and Artefact Denoising for ECG", an encoder and decoder of dense blocks
for 10 s of one lead at 500 Hz. It was trained on a private database and comes with its weights; its
authors call it experimental, and worse on inverted leads. Whether records of a benchmark were in
that database is not known.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch  # noqa: F401 - ecgdatakit imports it no sooner than it cleans
from ecgdatakit.processing import clean_ecg

from ipmdae.rivals import Signal, with_margins

_SHORTEST = 1.0  # s: it refuses less


class DeepFADE:
    """``ecgdatakit.processing.clean_ecg`` with method ``deepfade``; removes baseline wander too.

    Signals shorter than 1 s are extended by odd reflection. It resamples internally, from the rate
    in whole Hz. Slow: a beat is mirrored until it fills three windows of 10 s, a second of work or
    more.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        missing = max(round(_SHORTEST * fs) - len(x), 0)
        return with_margins(lambda y: _clean(y, fs), x, (missing + 1) // 2)


def _clean(x: Signal, fs: float) -> Signal:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "DeepFADE denoising is experimental")
        return np.asarray(clean_ecg(x, fs=round(fs), method="deepfade").samples)


METHODS = {"deepfade": DeepFADE}
