"""Figures as files, and as pictures within a page."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

from ipmdae.files import replacing


def save(figure: Figure, path: str | os.PathLike[str], dpi: float = 150) -> None:
    """Write a figure as PNG, SVG or PDF by the suffix; the file appears when it is complete.

    Raises:
        ValueError: matplotlib does not support the suffix.
        OSError: the file cannot be written.
    """
    with replacing(path) as aside, _any_letter():
        figure.savefig(aside, dpi=dpi)


def svg(figure: Figure) -> bytes:
    """A figure as SVG; the same figure gives the same bytes."""
    buffer = BytesIO()
    with _any_letter(), rc_context({"svg.hashsalt": "ipmdae"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def png(figure: Figure, dpi: float = 150, colours: int = 64) -> bytes:
    """A figure as PNG of few colours, some tens of kilobytes even of a full sheet."""
    from PIL import Image  # comes with matplotlib

    drawn, reduced = BytesIO(), BytesIO()
    with _any_letter():
        figure.savefig(drawn, format="png", dpi=dpi, metadata={"Software": None})
    with Image.open(drawn) as image:
        palette = image.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        palette.save(reduced, "PNG", optimize=True)
    return reduced.getvalue()


@contextmanager
def _any_letter() -> Iterator[None]:
    """Lead names may have letters that the font lacks: an empty box is enough of a sign."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
