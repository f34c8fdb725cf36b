"""Figures: ECG paper, before and after denoising, and plain strips and spectra.

They are drawn without pyplot, so that no display and no global state is needed.
"""

from ipmdae.figures.paper import MM_PER_MV, MM_PER_S
from ipmdae.figures.plain import spectrum, strip, timeline
from ipmdae.figures.saving import png, save, svg
from ipmdae.figures.sheets import LAYOUTS, before_after, ecg_paper, overlay, title_of

__all__ = [
    "LAYOUTS",
    "MM_PER_MV",
    "MM_PER_S",
    "before_after",
    "ecg_paper",
    "overlay",
    "png",
    "save",
    "spectrum",
    "strip",
    "svg",
    "timeline",
    "title_of",
]
