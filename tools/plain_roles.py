"""MkDocs hook: Sphinx roles of docstrings as plain code, ``:class:`~a.b.C``` as ``C``."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Replace the roles of a page."""
    return _ROLE.sub(lambda role: f"<code>{_shown(*role.groups())}</code>", html)


def _shown(short: str, name: str) -> str:
    return name.rpartition(".")[2] if short else name.removeprefix("ipmdae.")
