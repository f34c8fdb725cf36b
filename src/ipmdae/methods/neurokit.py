"""The methods of NeuroKit2's ``ecg_clean``.

D. Makowski et al., "NeuroKit2: a Python toolbox for neurophysiological signal processing", Behavior
Research Methods 53, 2021. All but the first two prepare a signal for a QRS detector and are not
designed to preserve its shape. Methods that only rename another, or return the signal unchanged,
are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import neurokit2
import numpy as np

from ipmdae.methods.classical import Signal, with_margins

_MARGIN = 3.0  # s: makes a beat long enough for the longest filter, of 1.5 s


@dataclass(frozen=True)
class NeuroKit:
    """``neurokit2.ecg_clean`` with one of its methods, the signal extended by 3 s at both ends."""

    method: str

    def denoise(self, x: Signal, fs: float) -> Signal:
        return with_margins(lambda y: self._clean(y, fs), x, round(_MARGIN * fs))

    def _clean(self, x: Signal, fs: float) -> Signal:
        return np.asarray(neurokit2.ecg_clean(x, sampling_rate=round(fs), method=self.method))


_OTHERS = (
    "biosppy",
    "pantompkins1985",
    "hamilton2002",
    "elgendi2010",
    "engzeemod2012",
    "vg",
    "templateconvolution",
)

METHODS = {
    "neurokit": partial(NeuroKit, "neurokit"),
    **{f"neurokit-{method}": partial(NeuroKit, method) for method in _OTHERS},
}
