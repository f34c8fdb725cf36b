"""The C interface of the native core, as its header names it."""

from __future__ import annotations

import re
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "native" / "ipmdae.h"


def interface() -> set[str]:
    """Names of its functions."""
    return set(re.findall(r"^IPMDAE_API.*?\b(ipmdae_\w+)\(", HEADER.read_text(), re.MULTILINE))
