"""Figures: ECG paper as in a clinic, before and after cleaning, and plain strips and spectra.

They are made without pyplot, so that no screen and no global state is touched.
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
