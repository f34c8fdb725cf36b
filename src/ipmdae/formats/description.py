"""All that is known of a recording but its samples, as JSON, for containers of plain arrays."""

from __future__ import annotations

import json
import warnings
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.recording import Annotations, Header, Resolution

KEY = "ipmdae"
"""Under which containers keep the JSON."""


def to_json(header: Header) -> str:
    """A header as JSON; auxiliary channels are left out, see :func:`warn_lost`."""
    return json.dumps(
        {
            "fs": header.fs,
            "leads": header.leads,
            "units": header.units,
            "start": header.start.isoformat() if header.start else None,
            "resolution": [
                how
                and {"gain": how.gain, "baseline": how.baseline, "unit": how.unit}
                | {"bits": how.bits}
                for how in header.resolution
            ],
            "comments": header.comments,
            "metadata": dict(header.metadata),
            "annotations": {
                name: {
                    "sample": marks.sample.tolist(),
                    "symbol": marks.symbol,
                    "note": marks.note,
                    "subtype": marks.subtype.tolist(),
                    "channel": marks.channel.tolist(),
                    "number": marks.number.tolist(),
                }
                for name, marks in header.annotations.items()
            },
        }
    )


def from_json(text: str | bytes) -> dict[str, Any]:
    """The fields of a header, less ``samples``, from what :func:`to_json` made.

    Raises:
        ValueError: it is not a header.
    """
    try:
        known = json.loads(text)
        return {
            "fs": float(known["fs"]),
            "leads": tuple(map(str, known["leads"])),
            "units": tuple(map(str, known["units"])),
            "start": datetime.fromisoformat(known["start"]) if known["start"] else None,
            "resolution": tuple(
                None if how is None else Resolution(**how) for how in known["resolution"]
            ),
            "comments": tuple(map(str, known["comments"])),
            "metadata": {str(key): str(value) for key, value in known["metadata"].items()},
            "annotations": {
                str(name): Annotations(
                    sample=np.array(marks["sample"], np.int64),
                    symbol=tuple(map(str, marks["symbol"])),
                    note=tuple(map(str, marks["note"])),
                    **{
                        key: np.array(marks[key], np.int64)
                        for key in ("subtype", "channel", "number")
                    },
                )
                for name, marks in known["annotations"].items()
            },
        }
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as e:
        raise ValueError(f"the description of the recording is malformed ({e})") from e


def as_comments(header: Header, held: Mapping[str, str]) -> list[str]:
    """The comments of a recording, and a line for each metadatum without another place.

    Args:
        header: of the recording.
        held: the metadata that the format returns from elsewhere.
    """
    others = [f"{key}: {value}" for key, value in header.metadata.items() if held.get(key) != value]
    return [*header.comments, *(line for line in others if line not in header.comments)]


def metadata_in(comments: Iterable[str], names: Container[str]) -> dict[str, str]:
    """The metadata of some names among comments, as :func:`as_comments` writes them."""
    parts = (comment.partition(": ") for comment in comments)
    return {key: value for key, _, value in parts if key in names and value}


def warn_lost(path: Path, header: Header, format: str, *, lost: Mapping[str, object]) -> None:
    """Say once what a format cannot hold and the file will not have."""
    auxiliary = [channel.name for channel in header.auxiliary]
    names = [name for name, value in lost.items() if value]
    if auxiliary:
        listed = ", ".join(auxiliary)
        names.append(f"auxiliary channels ({listed}; EDF holds them)")
    if names:
        warnings.warn(f"{path}: {format} cannot hold, and loses, {', '.join(names)}", stacklevel=3)
