"""The networks that can be trained, by name."""

from __future__ import annotations

from dataclasses import replace

from ipmdae.architecture import Architecture
from ipmdae.nn.ipm_dae import UltralightIPMDAE

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
        _OURS, channels=(6, 8, 12, 16, 20, 24), branches=(0, 0, 0, 2, 2), d_state=4
    ),
}


def architecture(name: str, leads: int | None = None) -> Architecture:
    """The architecture ``name``, for ``leads`` leads (its own number where not given).

    Raises:
        ValueError: there is no such network.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}; there are: {', '.join(ARCHITECTURES)}")
    known = ARCHITECTURES[name]
    return known if leads is None else replace(known, leads=leads)


def build(name: str, leads: int | None = None) -> UltralightIPMDAE:
    """A freshly initialised network ``name``; see :func:`architecture`."""
    return UltralightIPMDAE(architecture(name, leads))
