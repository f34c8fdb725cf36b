"""Parts of an HTML page. Whatever comes from a file is made text here, never markup."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape as escape_markup
from pathlib import Path
from string import Template
from typing import Any

from matplotlib.figure import Figure

from ipmdae import figures
from ipmdae.text import visible

NO_DEVICE = (
    "This page and the software that made it are for research and engineering. They are no medical "
    "device and must not be used to diagnose."
)


def escape(text: str) -> str:
    """Text that is no markup, with its control characters shown."""
    return escape_markup(visible(text, "\n"))


def page(title: str, *parts: str) -> str:
    """A whole page."""
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title), no_device=escape(NO_DEVICE), body="\n".join(parts)
    )


def section(title: str, *parts: str) -> str:
    """A section with its heading; nothing where it has no parts."""
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """A heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def bullets(texts: Iterable[str]) -> str:
    """A list; nothing where it is empty."""
    items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>\n{items}\n</ul>" if items else ""


def definitions(pairs: Mapping[str, Any]) -> str:
    """Terms and what they are; what has parts is a list within."""
    items = []
    for term, value in pairs.items():
        described = definitions(value) if isinstance(value, Mapping) else escape(_text(value))
        items.append(f"<dt>{escape(term)}</dt><dd>{described}</dd>")
    return f"<dl>\n{''.join(items)}\n</dl>" if items else ""


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; nothing where it has none."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    if not body:
        return ""
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def picture(figure: Figure, text: str, caption: str, *, to_scale: bool = False) -> str:
    """A figure within the page.

    It is an image of its own: names of leads that are written in it can do nothing to the page.

    Args:
        figure: what to show.
        text: what it shows, for those who do not see it.
        caption: below it.
        to_scale: whether it keeps its size in mm when printed.
    """
    data = b64encode(figures.svg(figure)).decode("ascii")
    width, _ = figure.get_size_inches() * 25.4
    style = f' style="width: {width:.1f}mm"' if to_scale else ""
    return (
        f"<figure{' class=paper' if to_scale else ''}>\n"
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(text)}"{style}>\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
    )


def link(target: str, text: str) -> str:
    """A link to another page, already markup."""
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
