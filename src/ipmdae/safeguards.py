"""Limits on the changes of a network to a recording, and the modes that combine them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

Unreadable = Literal["classical", "network", "raw", "blank"]
"""Replacement of unreadable segments: output of a band-pass filter from 0.5 to 40 Hz, output of the
network, recorded signal, or missing samples."""

Mode = Literal["diagnostic", "monitoring", "beats", "gentle"]
"""Names of :data:`MODES`."""


@dataclass(frozen=True, kw_only=True)
class Safeguards:
    """Limits on the changes of a network.

    Attributes:
        guard: noise above 0.7 Hz, relative to the height of the QRS complex (root mean square),
            below which nothing above 0.7 Hz is removed; the removal sets in gradually from a third
            of it on. 0 removes all noise that the network estimates, infinity none above 0.7 Hz.
        unreadable: replacement of unreadable segments.
        consistent_leads: make limb leads obey Einthoven's and Goldberger's equations where the
            recorded ones do.
    """

    guard: float = 0.02
    unreadable: Unreadable = "classical"
    consistent_leads: bool = True

    def __post_init__(self) -> None:
        if not self.guard >= 0:
            raise ValueError(f"guard must be 0 or more, got {self.guard}")
        if self.unreadable not in get_args(Unreadable):
            raise ValueError(
                f"unreadable must be {', '.join(get_args(Unreadable))}, got {self.unreadable!r}"
            )


MODES: dict[str, Safeguards] = {
    "diagnostic": Safeguards(guard=0.04),
    "monitoring": Safeguards(guard=0.02),
    "beats": Safeguards(guard=0.0),
    "gentle": Safeguards(guard=float("inf")),
}
"""Safeguards by mode.

``diagnostic``: above 0.7 Hz nothing is changed unless noise exceeds 4 % of the QRS complex, for
small waves. ``monitoring``, the default: nothing is changed unless noise exceeds 2 %. ``beats``:
all noise that the network estimates is removed, for R peaks and rhythm; small waves may be lost.
``gentle``: baseline wander only (and powerline interference with ``mains``).
"""

DEFAULT_MODE: Mode = "monitoring"


def safeguards(
    mode: str = DEFAULT_MODE,
    *,
    unreadable: str | None = None,
    consistent_leads: bool = True,
) -> Safeguards:
    """Safeguards of a mode, with single ones replaced.

    Raises:
        ValueError: the mode, or the value of ``unreadable``, is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; there are: {', '.join(MODES)}")
    chosen = replace(MODES[mode], consistent_leads=consistent_leads)
    if unreadable is None:
        return chosen
    return replace(chosen, unreadable=unreadable)  # type: ignore[arg-type]


def strength_of(strength: float, max_attenuation_db: float | None) -> float:
    """Share of the noise to remove for a largest attenuation in dB.

    Raises:
        ValueError: the attenuation is negative.
    """
    if max_attenuation_db is None:
        return strength
    if not max_attenuation_db >= 0:
        raise ValueError(f"max_attenuation_db must be 0 or more, got {max_attenuation_db}")
    return min(strength, 1 - float(10 ** (-max_attenuation_db / 20)))
