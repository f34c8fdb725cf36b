"""JSON and XML files: bounded, strict, without entities, and recognised without being parsed."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ipmdae.formats.errors import FormatError, reason

_LARGEST = 1 << 27
"""Bytes of a file that is parsed: 128 MiB, an hour of 12 leads at 500 Hz."""

_BLANKS = b" \t\r\n"


def contains(path: Path, *keys: str) -> bool:
    """True if a file is a JSON object in whose text all of ``keys`` occur as keys."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return False
    with path.open("rb") as file:
        if not _begins_object(file.read(256)):
            return False
        file.seek(0)
        text = file.read()
    return all(re.search(rb'"%s"\s*:' % re.escape(key.encode()), text) for key in keys)


def load_json(path: Path, largest: int = _LARGEST) -> dict[str, Any]:
    """The JSON object in a file of at most ``largest`` bytes.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is larger, malformed, or no object.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.stat().st_size > largest:
        raise FormatError(path, f"is larger than the {largest >> 20} MiB that are read of JSON")
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"is not valid JSON ({reason(error)})") from error
    if not isinstance(value, dict):
        raise FormatError(path, "is JSON, but no object")
    return value


def number(value: Any) -> float | None:
    """A finite number, also where it is written as text; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) < float("inf") else None


def text(value: Any) -> str:
    """Text or a number on one line; empty for anything else."""
    return " ".join(str(value).split()) if isinstance(value, (str, int, float)) else ""


def moment(value: Any) -> datetime | None:
    """A date and time in ISO 8601, as its clock showed it; ``None`` for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(_six_digits(value.strip().replace("Z", "+00:00")))
    except ValueError:
        return None
    return found.replace(tzinfo=None)


def zone(value: Any) -> str:
    """Offset from UTC at the end of a date and time, as ``+02:00``; empty if it is not stated."""
    found = _OFFSET.search(value) if isinstance(value, str) else None
    return f"{found[1]}:{found[2]}" if found else ""


_OFFSET = re.compile(r"T.*([+-]\d\d):?(\d\d)\s*$")


def _six_digits(stamp: str) -> str:
    """Fractions of a second in the one length that Python 3.10 reads."""
    return re.sub(r"\.(\d+)", lambda found: "." + found[1][:6].ljust(6, "0"), stamp)


def _begins_object(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANKS).startswith(b"{")


_LARGEST_XML = 1 << 26
_DECLARATION = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def load_xml(path: Path) -> ElementTree.Element:
    """The root of a file of XML, with namespaces removed; no entities are resolved.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is malformed, larger than 64 MiB, or declares a document type.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.stat().st_size > _LARGEST_XML:
        raise FormatError(path, f"is larger than the {_LARGEST_XML >> 20} MiB that are read of XML")
    return parse_xml(path, path.read_bytes())


def parse_xml(path: Path, content: bytes) -> ElementTree.Element:
    """The root of an XML text in a file; see :func:`load_xml`."""
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
