"""Published networks, reimplemented from their papers: one module each.

All have the same interface, noisy (batch, time, leads) -> denoised, any time, and the loss of their
paper where it is not the squared error. They need torch (the extra ``train``); each is imported on
request, and the names are available without it.
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
    "lunet": "unet.LUNet",
    "acdae": "acdae.ACDAE",
    "tcdae": "tcdae.TCDAE",
    "descod": "descod.DeScoD",
    "mecg-e": "mecg_e.MECGE",
}

NAMES = tuple(_CLASSES)
"""Names of all published networks."""


def build(name: str) -> LeadNetwork:
    """Create a network with random weights.

    Raises:
        ValueError: there is no such network.
    """
    if name not in _CLASSES:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(NAMES)}")
    module, _, kind = _CLASSES[name].partition(".")
    network: LeadNetwork = getattr(import_module(f"{__name__}.{module}"), kind)()
    return network
