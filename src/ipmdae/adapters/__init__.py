"""Drop-in replacements for functions of scikit-learn, NeuroKit2, WFDB and MNE.

Each is imported when it is first used; none of the four packages needs to be installed for the
others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipmdae.adapters.mne import mne_raw
    from ipmdae.adapters.neurokit import ecg_clean
    from ipmdae.adapters.sklearn import ECGDenoiser
    from ipmdae.adapters.wfdb import wfdb_record

__all__ = ["ECGDenoiser", "ecg_clean", "mne_raw", "wfdb_record"]

_MODULES = {
    "ECGDenoiser": "sklearn",
    "ecg_clean": "neurokit",
    "mne_raw": "mne",
    "wfdb_record": "wfdb",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        package = "scikit-learn" if error.name == "sklearn" else error.name
        raise ModuleNotFoundError(f"{name} needs {package}: pip install {package}") from error
    return getattr(home, name)
