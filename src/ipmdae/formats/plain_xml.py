"""XML that declares nothing: no entities are defined or resolved, no other file is read."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from ipmdae.formats.errors import FormatError, reason

_LARGEST = 1 << 26
_DECLARATION = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def parse(path: Path) -> ElementTree.Element:
    """The root of a file, with namespaces removed.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is malformed, larger than 64 MiB, or declares a document type.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.stat().st_size > _LARGEST:
        raise FormatError(path, f"is larger than the {_LARGEST >> 20} MiB that are read of XML")
    return parse_text(path, path.read_bytes())


def parse_text(path: Path, content: bytes) -> ElementTree.Element:
    """The root of an XML text in a file; see :func:`parse`."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if wide else "utf-8", "replace")
    if _DECLARATION.search(text):
        raise FormatError(path, "declares a document type or entities, which are not read")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise FormatError(path, f"is malformed XML ({reason(error)})") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root
