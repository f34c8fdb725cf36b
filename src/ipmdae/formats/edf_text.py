"""Text as the header of an EDF file can hold it."""

from __future__ import annotations

import unicodedata


def plain(text: str, size: int) -> str:
    """``text`` in printable ASCII, without accents, cut to ``size`` characters."""
    text = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("μ", "u"))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:size].strip()
