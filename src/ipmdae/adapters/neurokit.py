"""Replacement for ``neurokit2.ecg_clean``, with the same signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmdae.denoiser import denoise
from ipmdae.engine import model_names
from ipmdae.methods.network import DEFAULT_MODEL
from ipmdae.recording import unmasked


def ecg_clean(
    ecg_signal: ArrayLike,
    sampling_rate: float = 1000,
    method: str = DEFAULT_MODEL,
    **options: Any,
) -> NDArray[np.float64]:
    """Denoise one lead by a network, with the interface of ``neurokit2.ecg_clean``.

    The only difference: missing samples stay missing (NaN), while NeuroKit2 fills them with the
    previous sample.

    Args:
        ecg_signal: (time,), in mV; list, array or Series; masked samples are missing.
        sampling_rate: in Hz.
        method: a network, by name or file; any other name is a method of NeuroKit2, which is then
            called.
        options: further options of :func:`ipmdae.denoise` (``strength``, ``mains``, which may be
            called ``powerline``), or the method of NeuroKit2.

    Returns:
        The denoised lead, (time,).

    Raises:
        ValueError: as :func:`ipmdae.denoise`, or the signal has more than one lead.
        ModuleNotFoundError: NeuroKit2 is needed and not installed.
    """
    if method in model_names() or Path(method).is_file():
        masked = isinstance(ecg_signal, np.ma.MaskedArray)
        x = unmasked(ecg_signal) if masked else np.asarray(ecg_signal)
        if x.ndim != 1:
            raise ValueError(f"ecg_signal must be one lead (time,), got shape {x.shape}")
        if "powerline" in options:
            options["mains"] = options.pop("powerline")
        cleaned: NDArray[np.float64] = denoise(x, sampling_rate, method=method, **options)
        return cleaned
    try:
        import neurokit2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"method {method} needs neurokit2: pip install 'ultralight-ipm-dae[benchmark]'"
        ) from error
    cleaned = neurokit2.ecg_clean(ecg_signal, sampling_rate=sampling_rate, method=method, **options)
    return cleaned
