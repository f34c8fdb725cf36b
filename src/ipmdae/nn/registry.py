"""The networks that can be trained, by name."""

from __future__ import annotations

from dataclasses import replace

from ipmdae.architecture import Architecture
from ipmdae.nn.ipm_dae import UltralightIPMDAE

#: The paper's network, and ours for users' recordings, which works lead by lead.
ARCHITECTURES = {
    "Ultralight_IPM_DAE": Architecture(),
    "ipmdae-small": Architecture(
        leads=1,
        channels=(16, 24, 32, 48, 64, 96),
        branches=(1, 2, 2, 3, 4),
        kernel=5,
        d_state=8,
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
