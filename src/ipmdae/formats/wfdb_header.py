"""WFDB headers: https://wfdb.io/spec/header-files/. They are decoded by the ``wfdb`` package."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import wfdb  # type: ignore[import-untyped]

from ipmdae.formats.errors import FormatError
from ipmdae.formats.fields import TIME_OF_DAY


def header_path(path: Path) -> Path:
    """The header of a record given by its name, its header or its signal file."""
    return path.with_name(path.name.removesuffix(".hea").removesuffix(".dat") + ".hea")


def read_header(header: Path) -> Any:
    """The fields of a header, a ``wfdb.Record`` or ``wfdb.MultiRecord`` without signals.

    Raises:
        FileNotFoundError: there is none.
        FormatError: it is malformed, or announces no signals.
    """
    if not header.is_file():
        raise FileNotFoundError(
            f"{header}: there is no such header; a WFDB record is a .hea file and its signal files"
        )
    try:
        fields: Any = wfdb.rdheader(str(header.with_suffix("")))
    except Exception as error:
        raise FormatError(header, f"the WFDB header is malformed ({error})") from error
    if isinstance(fields, wfdb.MultiRecord):
        kind, announced, described = "segments", fields.n_seg, fields.seg_name
    else:
        kind, announced, described = "signals", fields.n_sig, fields.file_name
    if announced != len(described or ()):
        raise FormatError(
            header,
            f"the WFDB header is malformed (it announces {announced} {kind} and describes "
            f"{len(described or ())})",
        )
    if not announced or not fields.n_sig or fields.sig_len == 0:
        raise FormatError(header, "the WFDB header announces no signals, or none of their samples")
    return fields


def read_text(header: Path) -> str:
    """The header's text; not every recorder writes UTF-8."""
    data = header.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def units(text: str, decoded: list[str]) -> list[str]:
    """The leads' units. The wfdb package drops what is not ASCII, which makes volts of ``µV``."""
    lines = [line.strip() for line in text.splitlines()]
    signals = [line for line in lines if line and not line.startswith("#")][1:]
    return [
        "uV" if re.search("[µμ]V", line) else unit
        for line, unit in zip(signals, decoded, strict=False)
    ]


def description(fields: Any, text: str) -> dict[str, Any]:
    """Start, comments and metadata of a record, as arguments of a recording's header."""
    lines = (line.strip() for line in text.splitlines())
    described: dict[str, Any] = {
        "comments": tuple(line[1:].strip() for line in lines if line.startswith("#"))
    }
    if fields.base_time is not None and fields.base_date is not None:
        described["start"] = datetime.combine(fields.base_date, fields.base_time)
    elif fields.base_time is not None:
        described["metadata"] = {TIME_OF_DAY: fields.base_time.isoformat()}
    return described
