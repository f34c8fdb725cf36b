"""What is put to the tests of protocol P3: networks and classical methods, cleaning single leads.

A network is a model that ships, by its name, or any model file; it is used as a user uses it, by
:class:`ipmdae.denoiser.Denoiser`. A classical method is a rival; one that learns is fitted on
training windows of the protocol first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import rivals
from ipmdae.data import checksums, nstdb, qtdb
from ipmdae.denoiser import Denoiser
from ipmdae.engine import find_model, model_names
from ipmdae.evaluation.benchmark import Array, label, spread
from ipmdae.pipeline.resample import resample
from ipmdae.protocols import stack
from ipmdae.protocols.clinic import Clinic
from ipmdae.quality import Reason, quality
from ipmdae.recording import Recording

_UNFIT = ("lmmse", "lmmse-fresh")
"""They know where in a window a beat begins, which no recording tells."""

_TRAINING_WINDOWS = 2000


def names() -> list[str]:
    """The names of all subjects: classical methods, then the models that ship."""
    return [*(name for name in rivals.names() if name not in _UNFIT), *model_names()]


@dataclass(frozen=True)
class Subject:
    """A method under test; it travels between processes.

    Attributes:
        name: what it is called in results.
        file: of a network, else ``None``.
        rival: a classical method, fitted where it learns.
        fs: the sampling rate in Hz that it works at, where there is but one.
    """

    name: str
    file: Path | None = None
    rival: rivals.Rival | None = None
    fs: float | None = None

    @cached_property
    def version(self) -> str:
        """SHA-256 of a network's file, empty for a rival."""
        return checksums.digest(self.file) if self.file else ""

    @property
    def tells_doubt(self) -> bool:
        """Whether it is a network that tells the uncertainty of what it gives back."""
        return self.file is not None and _denoiser(self.file).tells_spread

    def clean(self, x: Array, fs: float) -> Array:
        """Clean a lead.

        Args:
            x: (time,) in mV; a rival gets it less its median, as networks do.
            fs: sampling rate in Hz.

        Returns:
            (time,) in mV, all NaN where a rival gives what is no finite signal.
        """
        if self.rival is None:
            assert self.file is not None
            return np.asarray(_denoiser(self.file).denoise_array(x, fs), np.float64)
        middle = float(np.median(x))
        with np.errstate(all="ignore"):
            y = self._at_own_rate(self.rival, x - middle, fs) + middle
        return y if np.isfinite(y).all() else np.full_like(x, np.nan)

    def clean_with_doubt(self, x: Array, fs: float) -> tuple[Array, NDArray[np.bool_]]:
        """Clean a lead with a network that tells its uncertainty.

        Returns:
            The cleaned lead, and for each second whether it is flagged as too uncertain.
        """
        assert self.file is not None
        recording = Recording.from_array(x, fs)
        cleaned = _denoiser(self.file).clean(recording)
        reasons = quality(recording, cleaned).reason[:, 0]
        return cleaned.recording.signal[:, 0], reasons == Reason.UNCERTAIN

    def _at_own_rate(self, rival: rivals.Rival, x: Array, fs: float) -> Array:
        if self.fs is None or self.fs == fs:
            return rival.denoise(x, fs)
        there = resample(x[:, np.newaxis], fs, self.fs)
        y = rival.denoise(there[:, 0].astype(np.float64), self.fs)
        return resample(y[:, np.newaxis], self.fs, fs, len(x))[:, 0].astype(np.float64)


def find(method: str) -> Subject:
    """The subject of this name or model file; one that learns is not fitted yet.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no such method, or a file has the name of another method.
        ModuleNotFoundError: it needs a package that is not installed.
    """
    if method in rivals.names() and method not in _UNFIT:
        return Subject(method, rival=rivals.get(method))
    try:
        file = find_model(method)
    except ValueError:
        raise ValueError(
            f"unknown method {method!r}; there are: {', '.join(names())}, and any model file"
        ) from None
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such model file")
    name = label(str(file))
    if name in names() and (name not in model_names() or not file.samefile(find_model(name))):
        raise ValueError(f"{file} has the name of another method: give it another one")
    return Subject(name, file=file)


def fitted(subject: Subject, datasets: Path) -> Subject:
    """The subject, ready to clean: fitted on training windows of protocol clinic if it learns."""
    if not isinstance(subject.rival, rivals.Learner):
        return subject
    protocol = Clinic(qtdb_folder=datasets / qtdb.FOLDER, nstdb_folder=datasets / nstdb.FOLDER)
    pairs = protocol.training(fresh=False)
    windows = stack(pairs, spread(len(pairs), _TRAINING_WINDOWS).tolist())
    noisy, clean = (part[..., 0].astype(np.float64) for part in windows)
    subject.rival.fit(noisy, clean, protocol.fs)
    return Subject(subject.name, rival=subject.rival, fs=protocol.fs)


@cache
def _denoiser(file: Path) -> Denoiser:
    """A network is opened once in each process."""
    return Denoiser(file)
