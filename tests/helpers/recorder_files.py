"""Small files of laboratory recorders, made byte by byte after their layouts."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GRAPH, _CHANNEL = 1944, 254
"""Bytes of the header of an AcqKnowledge file, and of one channel, in version 3.8.1."""


def acq(
    channels: Sequence[tuple[str, str, NDArray[np.int16], int, float]], fs: float = 500
) -> bytes:
    """AcqKnowledge 3.8.1, not compressed.

    Args:
        channels: name, unit, digital values, divider of the rate, and size of a step of each.
        fs: rate in Hz of a channel whose divider is 1.
    """
    head = bytearray(_GRAPH)
    struct.pack_into("<hiih", head, 0, 0, 41, _GRAPH, len(channels))
    struct.pack_into("<d", head, 16, 1000 / fs)
    parts = [bytes(head)]
    for i, (name, unit, values, divider, step) in enumerate(channels):
        about = bytearray(_CHANNEL)
        struct.pack_into("<ih40s", about, 0, _CHANNEL, i, name.encode())
        struct.pack_into("<20si", about, 68, unit.encode(), len(values))
        struct.pack_into("<ddh", about, 92, step, 0.0, i)
        struct.pack_into("<h", about, 250, divider)
        parts.append(bytes(about))
    parts += [struct.pack("<hh", 4, 0), struct.pack("<hh", 2, 2) * len(channels)]
    longest = max(len(values) * divider for _, _, values, divider, _ in channels)
    for at in range(longest):
        for _, _, values, divider, _ in channels:
            if at % divider == 0 and at // divider < len(values):
                parts.append(struct.pack("<h", values[at // divider]))
    text = b"a cough\0"
    parts += [
        struct.pack("<ii", 8 + 12 + len(text), 1),
        struct.pack("<ihhhh", 10, 0, 0, 0, len(text) - 1),
    ]
    journal = b"\x44\x33\x22\x11" + struct.pack("<hi", 0, 90) + bytes(90)
    return b"".join([*parts, text, journal])


def chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def xdf_header(number: int, xml: str) -> bytes:
    return chunk(2, struct.pack("<I", number) + f"<info>{xml}</info>".encode())


def xdf_stream(
    number: int, name: str, kind: str, channels: int, fs: float, desc: str = ""
) -> bytes:
    return xdf_header(
        number,
        f"<name>{name}</name><type>{kind}</type><channel_count>{channels}</channel_count>"
        f"<nominal_srate>{fs:g}</nominal_srate><channel_format>float32</channel_format>{desc}",
    )


def xdf_samples(number: int, values: NDArray[np.float32], times: NDArray[np.float64]) -> bytes:
    """A chunk of samples, all with a time stamp."""
    body = b"".join(
        b"\x08" + struct.pack("<d", time) + row.astype("<f4").tobytes()
        for row, time in zip(values, times, strict=True)
    )
    return chunk(3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(values)) + body)


def xdf_marks(number: int, name: str, texts: Sequence[tuple[float, str]]) -> bytes:
    """A stream of texts at times in s."""
    head = xdf_header(
        number,
        f"<name>{name}</name><type>Markers</type><channel_count>1</channel_count>"
        "<nominal_srate>0</nominal_srate><channel_format>string</channel_format>",
    )
    body = b"".join(
        b"\x08" + struct.pack("<d", time) + b"\x01" + bytes((len(text),)) + text.encode()
        for time, text in texts
    )
    return head + chunk(
        3, struct.pack("<I", number) + b"\x04" + struct.pack("<I", len(texts)) + body
    )


def xdf_clock(number: int, time: float, offset: float) -> bytes:
    return chunk(4, struct.pack("<Idd", number, time, offset))


def xdf(*parts: bytes) -> bytes:
    return b"XDF:" + chunk(1, b"<info><version>1.0</version></info>") + b"".join(parts)


def unisens(entries: str, attributes: str = 'timestampStart="2020-03-04T05:06:07.250"') -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><unisens '
        f'xmlns="http://www.unisens.org/unisens2.0" version="2.0" {attributes}>'
        '<customAttributes><customAttribute key="gender" value="F"/></customAttributes>'
        f"{entries}</unisens>"
    )
