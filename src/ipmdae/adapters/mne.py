"""Denoising of an MNE ``Raw``: returns a copy with denoised ECG channels."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ipmdae.engine import ModelFile
from ipmdae.methods import Method, open_method
from ipmdae.methods.network import DEFAULT_MODEL
from ipmdae.recording import Recording

_SKIPPED = "BAD_ACQ_SKIP"
"""MNE's annotation of segments that were not recorded, which contain zeros."""


def mne_raw(
    raw: Any,
    picks: Any = "ecg",
    *,
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    strength: float = 1.0,
    mains: float | None = None,
) -> Any:
    """Denoise the ECG channels of a ``mne.io.Raw``.

    MNE uses volts; samples are converted to mV and back. Segments annotated as ``BAD_ACQ_SKIP``
    count as missing and stay unchanged.

    Args:
        raw: of any kind; it is not modified.
        picks: channels to denoise, in MNE's terms: types, names or numbers.
        method: as for :func:`ipmdae.denoise`.
        strength: share of the noise found that is removed, 0 to 1.
        mains: 50 or 60 (Hz) to remove powerline interference first.

    Returns:
        A copy of the same class, its data loaded; other channels and annotations are
        unchanged.

    Raises:
        TypeError: ``raw`` is another object, such as Epochs.
        ValueError: no channel is picked, or as :func:`ipmdae.denoise`.
    """
    if not hasattr(raw, "n_times"):
        raise TypeError(f"raw must be a mne.io.Raw, got {type(raw).__name__}")
    try:
        picked = raw.copy().pick(picks)
    except ValueError as error:
        raise ValueError(
            f"no ECG channel to clean ({error}): name some by picks=, or set their type by "
            "raw.set_channel_types({'...': 'ecg'})"
        ) from error
    skipped = _skipped(raw)
    signal = picked.get_data().T * 1e3
    signal[skipped] = np.nan
    noisy = Recording.from_array(signal, raw.info["sfreq"], tuple(picked.ch_names))
    cleaned = open_method(method, mains=mains).clean(noisy, strength=strength)
    result = raw.copy().load_data()
    removed = np.where(skipped[:, None], 0, cleaned.noise) * 1e-3
    return result.apply_function(
        lambda data: data - removed.T, picks=picked.ch_names, channel_wise=False
    )


def _skipped(raw: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mask of the samples (time,) that were not recorded."""
    skipped = np.zeros(raw.n_times, bool)
    for mark in raw.annotations:
        if mark["description"] == _SKIPPED:
            begin = mark["onset"] - raw.first_time
            first, stop = raw.time_as_index([begin, begin + mark["duration"]], use_rounding=True)
            skipped[max(first, 0) : max(stop, 0)] = True
    return skipped
