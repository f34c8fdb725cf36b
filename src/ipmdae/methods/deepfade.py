"""DeepFADE: the network that ships with the package ecgdatakit, unchanged, by its own function.

ECGDataKit's "Deep Filtering and Artefact Denoising for ECG", an encoder and decoder of dense blocks
for 10 s of one lead at 500 Hz. It was trained on a private database and comes with its weights; its
authors call it experimental, and worse on inverted leads. Whether records of a benchmark were in
that database is not known.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from ecgdatakit.processing import clean_ecg

from ipmdae.methods.classical import Signal, with_margins

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
    with warnings.catch_warnings(), _no_denormals():
        warnings.filterwarnings("ignore", "DeepFADE denoising is experimental")
        return np.asarray(clean_ecg(x, fs=round(fs), method="deepfade").samples)


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Round denormal numbers to zero: its activations are full of them, and many times as slow.

    The setting is the calling thread's alone, so torch must not share the work.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


METHODS = {"deepfade": DeepFADE}
