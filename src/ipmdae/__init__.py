"""Ultralight IPM-DAE: clean noise out of ECG recordings with small neural networks.

```python
import ipmdae

cleaned = ipmdae.denoise(x, fs)                       # an array, in mV
cleaned = ipmdae.denoise("100.hea")                   # or a file
ipmdae.denoise_file("100.hea", "100-cleaned.edf")     # from file to file, of any length
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from ipmdae.cleaning import denoise_file
    from ipmdae.denoiser import Denoiser, denoise
    from ipmdae.formats import ReadOptions, read, write
    from ipmdae.methods import Method, method_names, open_method
    from ipmdae.quality import Grade, Quality, Reason
    from ipmdae.recording import Recording
    from ipmdae.result import Result
    from ipmdae.stream import Streamer

__all__ = [
    "Denoiser",
    "Grade",
    "Method",
    "Quality",
    "ReadOptions",
    "Reason",
    "Recording",
    "Result",
    "Streamer",
    "__version__",
    "denoise",
    "denoise_file",
    "method_names",
    "open_method",
    "read",
    "write",
]

_MODULES = {
    "Denoiser": "denoiser",
    "Grade": "quality",
    "Method": "methods",
    "Quality": "quality",
    "ReadOptions": "formats",
    "Reason": "quality",
    "Recording": "recording",
    "Result": "result",
    "Streamer": "stream",
    "denoise": "denoiser",
    "denoise_file": "cleaning",
    "method_names": "methods",
    "open_method": "methods",
    "read": "formats",
    "write": "formats",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return version("ultralight-ipm-dae")
    except PackageNotFoundError:  # run from its sources, without being installed
        return "0+unknown"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import ipmdae`` itself costs nothing."""
    if name == "__version__":
        return globals().setdefault(name, _version())
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
