"""What a report is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.methods import Method


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A recording that was cleaned, and how.

    Attributes:
        source: as recorded.
        target: cleaned.
        method: what cleaned it.
        card: of its model; ``None`` for a classical method.
        cleaned: names of the leads that were cleaned.
        unchanged: why the others were not, by their names.
        settings: how it was cleaned, as texts by name.
        spread: (seconds, leads) mean standard deviation of the error, mV; ``None`` where the
            method tells none.
        reading: what is stated about the source.
    """

    source: Path
    target: Path
    method: Method
    card: Mapping[str, Any] | None
    cleaned: tuple[str, ...]
    unchanged: dict[str, str]
    settings: dict[str, str]
    spread: NDArray[np.float64] | None = None
    reading: ReadOptions = DEFAULTS
