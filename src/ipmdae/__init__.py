"""Ultralight IPM-DAE: clean noise out of ECG recordings with small neural networks.

import ipmdae

cleaned = ipmdae.denoise(x, fs)                      # an array, in mV
recording = ipmdae.read("100.hea")                   # or a file
ipmdae.write(ipmdae.Denoiser().denoise(recording), "100-cleaned")
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipmdae.denoiser import Denoiser, denoise
    from ipmdae.formats import read, write
    from ipmdae.recording import Recording

__all__ = ["Denoiser", "Recording", "__version__", "denoise", "read", "write"]

try:
    __version__ = version("ultralight-ipm-dae")
except PackageNotFoundError:  # run from its sources, without being installed
    __version__ = "0+unknown"

_HOMES = {
    "Denoiser": "ipmdae.denoiser",
    "Recording": "ipmdae.recording",
    "denoise": "ipmdae.denoiser",
    "read": "ipmdae.formats",
    "write": "ipmdae.formats",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import ipmdae`` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
