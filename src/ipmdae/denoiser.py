"""Clean a recording: resample, window, scale, run the network, blend, and undo it all."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmdae.engine import Engine, ModelFile, find_model, open_engine, read_model
from ipmdae.recording import Recording
from ipmdae.resample import fill_gaps, resample
from ipmdae.window import MIN_SPREAD, blend, cut, robust_scale, starts

DEFAULT_MODEL = "ipmdae-small"

MIN_FS, MAX_FS = 60.0, 4000.0
"""Sampling rates in Hz that make sense for an ECG."""

_BATCH = 32
"""Windows that go through the network at once: more are not faster, and need more memory."""

_SAMPLES_AT_ONCE = 1 << 22
"""Samples at the network's rate that are in work together, so that long recordings fit memory."""


def denoise(
    x: ArrayLike,
    fs: float,
    *,
    model: str | os.PathLike[str] | ModelFile = DEFAULT_MODEL,
    backend: str = "auto",
) -> NDArray[Any]:
    """Clean an array; see :meth:`Denoiser.denoise_array`. For many, keep a :class:`Denoiser`.

    Args:
        x: (time,) or (time, leads), in mV; NaN is a missing sample.
        fs: sampling rate in Hz.
        model: name of a shipped model, path of a model file, or a model.
        backend: what runs it, see :func:`ipmdae.engine.open_engine`.
    """
    return Denoiser(model, backend=backend).denoise_array(x, fs)


class Denoiser:
    """A network, ready to clean recordings of any length, rate and number of leads.

    What a network must not touch it does not touch: missing samples stay missing, leads that are
    flat, empty or no voltage come back unchanged, and the constant offset of each lead (its median)
    is put back, so that millivolts stay millivolts. The network hears nothing above half its
    sampling rate, and neither does the result.

    A network of one lead cleans lead by lead. A network of several takes as many at once as it was
    trained on.

    Attributes:
        model: the model in use.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | ModelFile = DEFAULT_MODEL,
        *,
        backend: str = "auto",
    ) -> None:
        """Open a model.

        Args:
            model: name of a shipped model, path of a model file, or a model.
            backend: what runs it, see :func:`ipmdae.engine.open_engine`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: no model or backend has this name, or the file is broken.
        """
        self.model = model if isinstance(model, ModelFile) else read_model(find_model(model))
        self._engine: Engine = open_engine(self.model, backend)

    def denoise(self, recording: Recording) -> Recording:
        """Clean a recording.

        Everything but the signal is kept; the comments say which leads were cleaned by which model.
        Leads that come back unchanged though they are voltages are named in a warning as well.

        Raises:
            ValueError: the sampling rate makes no sense for an ECG, or the network needs another
                number of leads.
        """
        _check_rate(recording.fs)
        unchanged = {i: why for i in range(len(recording.leads)) if (why := _idle(recording, i))}
        active = [i for i in range(len(recording.leads)) if i not in unchanged]
        signal = recording.signal.copy()
        for group in self._groups(recording, active):
            centred, offset = _centre(recording.signal, group)
            cleaned = self._clean(centred, recording.fs)
            for lead, values, middle in zip(group, cleaned.T, offset, strict=True):
                if lead in active:
                    known = ~np.isnan(recording.signal[:, lead])
                    np.add(values, middle, out=signal[:, lead], where=known, dtype=np.float64)
        comments = [f"Cleaned by {self.model.name}: {_list(recording, active)}"] if active else []
        for i, why in unchanged.items():
            comments.append(f"Unchanged, {why}: {recording.leads[i]}")
            if recording.units[i] == "mV":
                warnings.warn(
                    f"lead {recording.leads[i]} is {why} and comes back unchanged", stacklevel=2
                )
        return dataclasses.replace(
            recording, signal=signal, comments=(*recording.comments, *comments)
        )

    def denoise_array(self, x: ArrayLike, fs: float) -> NDArray[Any]:
        """Clean an array.

        Args:
            x: (time,) or (time, leads), in mV; NaN is a missing sample.
            fs: sampling rate in Hz.

        Returns:
            The same shape; float32 for float32, otherwise float64.

        Raises:
            ValueError: as :meth:`denoise`, or the array has another shape or no samples.
        """
        x = np.asarray(x)
        cleaned = self.denoise(Recording.from_array(x, fs)).signal
        return cleaned.reshape(x.shape).astype(x.dtype if x.dtype == np.float32 else np.float64)

    def _groups(self, recording: Recording, active: list[int]) -> Iterator[list[int]]:
        """Leads to clean together: as many as the network takes, or as memory allows."""
        width = self.model.architecture.leads
        if width == 1:
            samples = recording.duration * self.model.preprocessing.fs
            count = max(int(_SAMPLES_AT_ONCE / samples), 1)
            yield from (active[i : i + count] for i in range(0, len(active), count))
            return
        voltages = [i for i, unit in enumerate(recording.units) if unit == "mV"]
        if len(voltages) != width:
            raise ValueError(
                f"{self.model.name} cleans {width} leads at once, the recording has "
                f"{len(voltages)} ({_list(recording, voltages)}); take a model that works lead by "
                "lead, or a recording of the leads that it was trained on"
            )
        if active:
            yield voltages

    def _clean(self, signal: NDArray[np.float32], fs: float) -> NDArray[np.float32]:
        """Clean leads (time, leads) together, whose offset is off; gaps come back filled."""
        settings = self.model.preprocessing
        x = resample(signal, fs, settings.fs)
        y = blend(self._run(x), len(x), settings.window, settings.overlap)
        return resample(y, settings.fs, fs, len(signal))

    def _run(self, x: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Clean windows of (time, leads) at the network's rate, batch by batch, in their order."""
        settings, width = self.model.preprocessing, self.model.architecture.leads
        first = starts(len(x), settings.window, settings.overlap)
        count = max(_BATCH * width // x.shape[1], 1)
        for i in range(0, len(first), count):
            windows = cut(x, first[i : i + count], settings.window)
            scaled, _, scale = robust_scale(windows)
            for gappy in np.flatnonzero(np.isnan(scaled).any(axis=(1, 2))):
                scaled[gappy] = fill_gaps(scaled[gappy])
            # (batch, time, leads) → (batch · leads / width, time, width) and back.
            apart = scaled.swapaxes(1, 2).reshape(-1, width, settings.window).swapaxes(1, 2)
            cleaned = self._engine.run(np.ascontiguousarray(apart))
            together = cleaned.swapaxes(1, 2).reshape(len(windows), -1, settings.window)
            yield together.swapaxes(1, 2) * scale


def _centre(
    signal: NDArray[np.float64], leads: list[int]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Leads (time, leads) less their medians, and the medians (leads,); 0 for an empty lead."""
    centred = np.empty((len(signal), len(leads)), np.float32)
    offset = np.zeros(len(leads))
    for i, lead in enumerate(leads):
        known = signal[:, lead][~np.isnan(signal[:, lead])]
        if len(known):
            offset[i] = np.median(known, overwrite_input=True)
        np.subtract(signal[:, lead], offset[i], out=centred[:, i], casting="same_kind")
    return centred, offset


def _check_rate(fs: float) -> None:
    if fs < MIN_FS:
        raise ValueError(
            f"a rate of {fs:g} Hz is too low for an ECG: below {MIN_FS:g} Hz it does not hold the "
            "QRS complex; check the rate"
        )
    if fs > MAX_FS:
        raise ValueError(
            f"a rate of {fs:g} Hz is too high for an ECG (up to {MAX_FS:g} Hz); check the rate, or "
            "resample the recording first"
        )


def _idle(recording: Recording, lead: int) -> str:
    """Why a lead is not cleaned; empty if it is."""
    if recording.units[lead] != "mV":
        return f"in {recording.units[lead]}"
    values = recording.signal[:, lead]
    if np.isnan(values).all():
        return "without samples"
    return "flat" if np.nanmax(values) - np.nanmin(values) <= MIN_SPREAD else ""


def _list(recording: Recording, leads: list[int]) -> str:
    return ", ".join(recording.leads[i] for i in leads)
