"""A method under test, by name with options, called as by a user; and a row of its results."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae import checksums, denoiser
from ipmdae.engine import find_model, model_names, model_path
from ipmdae.lab.evaluation.candidates import describe_model
from ipmdae.lab.evaluation.results import Array, name_of
from ipmdae.lab.evaluation.training_budget import Network
from ipmdae.methods import method_names, open_method
from ipmdae.methods.network import DEFAULT_MODEL
from ipmdae.quality import Grade
from ipmdae.safeguards import DEFAULT_MODE, MODES

_OPTIONS = re.compile(r"(?P<method>.+?)(?P<options>(?:\+\w+=[^+]+)*)")
_NOT_OPTIONS = ("x", "fs", "method", "leads", "return_details")

RAW, CLASSICAL = "none", ("iir", "butterworth-0.5-40", "neurokit")
"""Identity baseline, and the filters that networks are compared with."""

REFERENCE = CLASSICAL[1]
"""The filter that waves between beats and lost beats are compared with."""


class Row(NamedTuple):
    """One measurement; every method returns the same rows in the same order.

    Attributes:
        measure: name of the measure, e.g. ``"gain"``.
        case: what was measured, e.g. ``"f waves"``.
        condition: noise and SNR, e.g. ``"bw 5"`` (dB).
        record: record and lead, e.g. ``"sel123 0"``.
        value: over all samples; NaN without any.
        trusted: over readable samples; NaN if they are too few.
        readable: readable share of the samples (or of the case's energy).
        good: over samples graded good; NaN if they are too few.
        graded_good: share of the samples (or of the case's energy) that is graded good.
    """

    measure: str
    case: str
    condition: str
    record: str
    value: float
    trusted: float = np.nan
    readable: float = np.nan
    good: float = np.nan
    graded_good: float = np.nan


def to_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table; without any, too, its values are numbers."""
    table = pd.DataFrame(rows, columns=list(Row._fields))
    return table.astype(
        dict.fromkeys(("value", "trusted", "readable", "good", "graded_good"), float)
    )


class Cleaned(NamedTuple):
    """A denoised signal in mV, and the masks of its readable samples and of those graded good.

    All have the shape of the input.
    """

    signal: Array
    readable: NDArray[np.bool_]
    good: NDArray[np.bool_]

    def lead(self, number: int) -> Cleaned:
        """One lead of (time, leads)."""
        return Cleaned(self.signal[:, number], self.readable[:, number], self.good[:, number])


@dataclass(frozen=True)
class MethodUnderTest:
    """A method with options of :func:`ipmdae.denoise`.

    Attributes:
        spec: ``method`` or ``method+option=value+...``, e.g. ``"ipmdae-base+mode=gentle"``.
    """

    spec: str

    @property
    def name(self) -> str:
        """Name in results."""
        return name_of(self.spec)

    @property
    def network(self) -> Network | None:
        """Cost of a network for 5 s of a lead."""
        return describe_model(find_model(self.method)) if self.version else None

    @property
    def method(self) -> str:
        """Name of the method, or a model file."""
        return self._parts[0]

    @property
    def options(self) -> dict[str, Any]:
        """Options by name."""
        return dict(_option(part) for part in self._parts[1].split("+") if part)

    def check(self) -> None:
        """Check that the method and its options exist.

        Raises:
            ValueError: no such method or option.
            FileNotFoundError: no such model file.
            ModuleNotFoundError: the method needs an extra that is not installed.
        """
        open_method(self.method)
        known = options()
        for name in self.options:
            if name not in known:
                raise ValueError(
                    f"{self.spec}: ipmdae.denoise has no option {name!r}; it has: "
                    f"{', '.join(known)}"
                )

    @cached_property
    def version(self) -> str:
        """SHA-256 of a network's file, empty for a classical method."""
        if self.method in model_names():
            return checksums.digest(model_path(self.method))
        return "" if self.method in method_names() else checksums.digest(Path(self.method))

    def clean(self, x: Array, fs: float, leads: Sequence[str] = ()) -> Cleaned:
        """Denoise a signal.

        Unreadable samples that the method leaves missing are interpolated linearly; elsewhere
        NaN stays NaN.

        Args:
            x: (time,) or (time, leads) in mV.
            fs: sampling rate in Hz.
            leads: names of the leads, if relevant.
        """
        given: Any = x
        if leads:
            given = pd.DataFrame(x, columns=list(leads))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            details = denoiser.denoise(
                given, fs, method=self.method, return_details=True, **self.options
            )
        signal, readable = np.asarray(details.cleaned, np.float64), details.readable
        good = details.grade == Grade.GOOD
        return Cleaned(_without_blanks(signal, readable), readable, good)

    @property
    def _parts(self) -> tuple[str, str]:
        found = _OPTIONS.fullmatch(self.spec)
        if found is None:
            raise ValueError("a method has no name")
        return found["method"], found["options"]


def _without_blanks(signal: Array, readable: NDArray[np.bool_]) -> Array:
    """The signal with lines through the samples that a method leaves missing as unreadable."""
    blank = np.isnan(signal) & ~readable
    if not blank.any():
        return signal
    columns = signal.reshape(len(signal), -1).copy()
    for lead, gone in zip(columns.T, blank.reshape(columns.shape).T, strict=True):
        known = np.flatnonzero(~gone)
        level = np.interp(np.arange(len(lead)), known, lead[known]) if len(known) else 0.0
        lead[:] = np.where(gone, level, lead)
    filled: Array = columns.reshape(signal.shape)
    return filled


def options() -> list[str]:
    """Options of :func:`ipmdae.denoise` that a method accepts."""
    return [
        name for name in inspect.signature(denoiser.denoise).parameters if name not in _NOT_OPTIONS
    ]


def default_methods() -> list[str]:
    """Identity baseline, classical filters, shipped models, other modes of the default model."""
    modes = [f"{DEFAULT_MODEL}+mode={mode}" for mode in MODES if mode != DEFAULT_MODE]
    return [RAW, *CLASSICAL, *model_names(), *modes]


def _option(text: str) -> tuple[str, Any]:
    """Name and value of an option: a number or a truth value if it parses as one."""
    name, _, value = text.partition("=")
    if value.lower() in ("true", "false"):
        return name, value.lower() == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value
