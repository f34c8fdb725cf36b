"""Denoising of a ``wfdb.Record``."""

from __future__ import annotations

import copy
import os
import warnings

import numpy as np
import wfdb  # type: ignore[import-untyped]

from ipmdae.engine import ModelFile
from ipmdae.formats.wfdb import BITS
from ipmdae.methods import Method, open_method
from ipmdae.methods.network import DEFAULT_MODEL
from ipmdae.recording import Recording, millivolts


def wfdb_record(
    record: wfdb.Record,
    *,
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    strength: float = 1.0,
    mains: float | None = None,
) -> wfdb.Record:
    """Denoise a record of the package ``wfdb``.

    Args:
        record: as returned by ``wfdb.rdrecord``, with physical samples, digital ones, or both.
        method: as for :func:`ipmdae.denoise`.
        strength: share of the noise found that is removed, 0 to 1.
        mains: 50 or 60 (Hz) to remove powerline interference first.

    Returns:
        A copy with denoised samples, physical and digital as far as the record has them, with
        updated checksums and first values and a comment that describes the processing.
        Channels that are not voltages and all other fields are unchanged.

    Raises:
        ValueError: the record has segments, leads at several rates, or no samples; or as
            :func:`ipmdae.denoise`.
    """
    if isinstance(record, wfdb.MultiRecord):
        raise ValueError("the record has segments: join them by record.multi_to_single(True)")
    physical = record.p_signal
    if physical is None and record.d_signal is not None:
        physical = record.dac()
    if physical is None:
        raise ValueError(
            "the record has no samples: read it by wfdb.rdrecord(..., smooth_frames=True)"
        )
    factors = np.array([millivolts(unit) or 1.0 for unit in record.units])
    noisy = Recording(
        signal=physical * factors,
        fs=record.fs,
        leads=tuple(record.sig_name),
        units=tuple("mV" if millivolts(unit) else unit for unit in record.units),
    )
    cleaned = open_method(method, mains=mains).clean(noisy, strength=strength).recording
    result = copy.deepcopy(record)
    result.p_signal = np.where(cleaned.signal == noisy.signal, physical, cleaned.signal / factors)
    result.comments = [*(record.comments or []), *cleaned.comments]
    if record.d_signal is not None:
        _digitise(result)
    if record.p_signal is None:
        result.p_signal = None
    return result


def _digitise(record: wfdb.Record) -> None:
    """Update the digital samples from the physical ones."""
    digital = record.adc()
    highest = np.array([2 ** (BITS[fmt] - 1) - 1 for fmt in record.fmt])
    known = ~np.isnan(record.p_signal)
    if (known & (np.abs(digital) > highest)).any():
        warnings.warn("digital samples do not fit their format and are clipped", stacklevel=3)
        digital = np.where(known, np.clip(digital, -highest, highest), digital)
    record.d_signal = digital.astype(record.d_signal.dtype)
    record.init_value = record.d_signal[0].tolist()
    record.checksum = record.calc_checksum()
