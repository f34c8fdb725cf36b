"""The networks that can be trained, by name: ours, and those of others that we compare with."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from ipmdae.architecture import Architecture
from ipmdae.lab import networks
from ipmdae.lab.networks.ipmdae_beat import BeatIPMDAE
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE

_OURS = Architecture(leads=1, channels=(8,), branches=(), kernel=5, residual=True, uncertainty=True)

#: The paper's network, and ours for users' recordings, which work lead by lead. Ours have modules
#: only from a quarter of the resolution on: above, they are most of the cost.
ARCHITECTURES = {
    "Ultralight_IPM_DAE": Architecture(),
    "ipmdae-base": replace(
        _OURS, channels=(24, 48, 64, 96, 128, 192), branches=(0, 0, 2, 3, 4), d_state=16
    ),
    "ipmdae-small": replace(
        _OURS, channels=(12, 20, 28, 40, 56, 80), branches=(0, 0, 2, 2, 4), d_state=8
    ),
    "ipmdae-nano": replace(
        _OURS, channels=(5, 8, 12, 16, 24, 34), branches=(0, 0, 0, 0, 2), d_state=4
    ),
}


BEAT = "ipmdae-beat"
"""Ours on single beats."""


def architecture(name: str, leads: int | None = None) -> Architecture:
    """The architecture ``name``, for ``leads`` leads (its own number where not given).

    Raises:
        ValueError: there is no such network.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}; there are: {', '.join(ARCHITECTURES)}")
    known = ARCHITECTURES[name]
    return known if leads is None else replace(known, leads=leads)


def names() -> list[str]:
    """The names of all networks."""
    return [*ARCHITECTURES, BEAT, *networks.NAMES]


def build(name: str, leads: int | None = None) -> nn.Module:
    """A freshly initialised network ``name``: noisy (batch, time, leads) -> cleaned.

    Args:
        leads: see :func:`architecture`; the others take any number.

    Raises:
        ValueError: there is no such network.
    """
    if name in networks.NAMES:
        return networks.build(name)
    if name == BEAT:
        return BeatIPMDAE()
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(names())}")
    return UltralightIPMDAE(architecture(name, leads))
