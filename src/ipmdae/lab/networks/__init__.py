"""Networks that others published, made anew from their papers: one module each.

All are called alike, noisy (batch, time, leads) -> cleaned, any time, and bring the loss that their
paper trains them by. They need torch (the extra ``train``); each is imported when it is asked for,
and the names can be had without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipmdae.lab.networks.base import LeadNetwork

_CLASSES = {
    "fcn-dae": "fcn_dae.FCNDAE",
    "drnn": "drnn.DRNN",
    "deepfilter": "deep_filter.DeepFilterLANLD",
    "unet": "unet.UNet",
    "acdae": "acdae.ACDAE",
    "tcdae": "tcdae.TCDAE",
    "descod": "descod.DeScoD",
    "mecg-e": "mecg_e.MECGE",
}

NAMES = tuple(_CLASSES)
"""The names of all networks of others."""


def build(name: str) -> LeadNetwork:
    """A freshly initialised network.

    Raises:
        ValueError: there is no such network.
    """
    if name not in _CLASSES:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(NAMES)}")
    module, _, kind = _CLASSES[name].partition(".")
    network: LeadNetwork = getattr(import_module(f"{__name__}.{module}"), kind)()
    return network
