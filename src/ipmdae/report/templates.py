"""HTML templates. What comes from a file becomes text, never markup or a control character."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from ipmdae import figures
from ipmdae.files import replacing
from ipmdae.inspection.verdict import GRADES, number, percent
from ipmdae.text import counted, visible

_DPI = 100  # of pictures within a page


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture within a page.

    Attributes:
        source: its data, as an address.
        text: alternative text of the image.
        caption: below it.
        width: in mm, which it keeps when it is printed and on small screens.
    """

    source: str
    text: str
    caption: str
    width: float


def picture(
    figure: Figure, text: str, caption: str = "", *, dpi: float = _DPI, colours: int = 32
) -> Picture:
    """A figure as a picture; see :class:`Picture`.

    It is a separate image: text in it, such as names of leads, cannot affect the page.
    """
    data = b64encode(figures.png(figure, dpi, colours)).decode("ascii")
    width, _ = figure.get_size_inches() * 25.4
    return Picture(
        source=f"data:image/png;base64,{data}", text=text, caption=caption, width=float(width)
    )


def write(path: Path, template: str, **content: Any) -> None:
    """Fill a template, and write the page; it appears when it is complete.

    Raises:
        OSError: it cannot be written.
    """
    text = _environment().get_template(template).render(**content)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {"percent": percent, "whole": number, "mv": _millivolts}
    environment.globals |= {"counted": counted, "GRADES": GRADES, "is_table": _is_table}
    return environment


def _shown(value: Any) -> Any:
    """Text for a page, without control characters."""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_shown(each)) for each in value)
    if isinstance(value, float):
        return f"{value:g}"
    return visible(value) if type(value) is str else value


def _millivolts(value: float) -> str:
    return "not known" if isnan(value) else f"{value:.3f}"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or hasattr(value, "items")
