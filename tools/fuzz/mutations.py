"""Changes to files that keep enough of their layout to get past a reader's first checks.

Containers are opened, one of their parts is changed, and they are closed again with lengths and
checksums that fit: gzip, zip, MATLAB's compressed elements, Parquet's footer, the JSON of
safetensors, fixed fields of EDF headers, checksums of SCP-ECG and ISHNE.
"""

from __future__ import annotations

import binascii
import gzip
import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

Files = dict[str, bytes]
"""Contents by name of file; the first one is to be read."""

LONGEST = (1 << 20) - 1
"""Bytes of a file."""

_NUMBERS = (
    *(b"0 -0 1 -1 2 7 8 12 16 80 127 128 255 256 310 311 32767 32768 65535 65536".split()),
    *(b"2147483647 2147483648 4294967295 99999999 -32768 9223372036854775807 1e9".split()),
    *(b"1e3 1e308 1e-308 1e400 nan inf -inf NaN 0.1 .5 1. 1,5 0x10 1_0 +3 00012 1/0".split()),
    b"",
    b"9" * 40,
)
_WORDS = (
    *(b"\" ' , ; \t | \\ : = # / % ( ) [ ] { } < > & ~ +".split(b" ")),
    *(b"\0 \r \n \r\n \x1b[2J \x7f \xff \xfe\xff \xef\xbb\xbf \xc3\x28 \xe2\x80\xae".split(b" ")),
    *(b"time index I II mV uV nan null true -- ../x /dev/null sep=; &amp; <!-- ]]>".split()),
    b" ",
    b"A" * 300,
)
_INTEGERS: tuple[int, ...] = (
    0,
    1,
    2,
    3,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
)
_INTEGERS += (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_NUMBER = re.compile(rb"[-+]?\d+(\.\d+)?")
_TEXT = bytes(range(32, 127)) + b"\t\r\n"

Change = Callable[[bytes, random.Random], bytes]
Close = Callable[[bytes], bytes]


def mutated(seed: Files, rng: random.Random) -> Files:
    """A seed with one change, or several."""
    files = dict(seed)
    for _ in range(1 + min(int(rng.expovariate(1.3)), 8)):
        name = rng.choice(list(files))
        files[name] = changed(files[name], rng)[:LONGEST]
    return files


def changed(data: bytes, rng: random.Random) -> bytes:
    """A file with one change, in one of its parts."""
    part, close = _opened(data, rng) if rng.random() < 0.8 else (data, bytes)
    is_text = not part[:512].translate(None, _TEXT)
    if is_text and rng.random() < 0.8:
        change = rng.choice(_OF_TEXTS)
    else:  # what moves all that follows is mostly refused at once
        change = rng.choice(_OF_BYTES if rng.random() < 0.75 else _OF_LENGTH)
    return close(change(part, rng)[:LONGEST])


# Parts of containers


def _opened(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    """A part of a file, and how the file is closed around it again; the whole file if it has none.

    A file that is broken already is one part.
    """
    for begins, opener in _CONTAINERS:
        if begins(data):
            try:
                return opener(data, rng)
            except Exception:
                break
    return data, bytes


def _gzip(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    return gzip.decompress(data), lambda part: gzip.compress(part, 1, mtime=0)


def _zip(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    chosen = rng.choice(list(entries))
    part, close = _opened(entries[chosen], rng)
    return part, lambda part: zipped(entries | {chosen: close(part)})


def zipped(entries: Files) -> bytes:
    """An archive, always the same for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _npy(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    """The description of an array, which stays as long as it is; or its values."""
    end = 10 + int.from_bytes(data[8:10], "little")
    if rng.random() < 0.3:
        return _slice(data, end, len(data))

    def closed(part: bytes) -> bytes:
        head = part.rstrip()[: end - 11].ljust(end - 11) + b"\n"
        return data[:10] + head + data[end:]

    return data[10:end].rstrip(), closed


def _matlab(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    """An element of a level 5 file, expanded; or a few bytes around one of its tags."""
    places, at = [], 128
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        places.append((at, kind, at + 8 + length))
        at += 8 + length
    begin, kind, end = rng.choice(places)
    if kind != 15:
        return _slice(data, begin, min(end, begin + 120))
    inner = zlib.decompress(data[begin + 8 : end])
    first = 0 if rng.random() < 0.3 else 8 * rng.randrange(1 + min(len(inner), 160) // 8)
    part, close = _slice(inner, first, first + rng.choice((8, 16, 64)))

    def closed(changed: bytes) -> bytes:
        packed = zlib.compress(close(changed), 1)
        return data[:begin] + struct.pack("<II", 15, len(packed)) + packed + data[end:]

    return part, closed


def _parquet(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    """The footer; now and then the first pages."""
    length = int.from_bytes(data[-8:-4], "little")
    begin = len(data) - 8 - length
    if begin < 4 or rng.random() < 0.3:
        return _slice(data, 4, 64)

    def closed(part: bytes) -> bytes:
        return data[:begin] + part + len(part).to_bytes(4, "little") + b"PAR1"

    return data[begin:-8], closed


def _safetensors(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    end = 8 + int.from_bytes(data[:8], "little")
    if rng.random() < 0.5:
        return _slice(data, end, len(data))
    return data[8:end], lambda part: len(part).to_bytes(8, "little") + part + data[end:]


def _edf(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    """A field of the header; numbers stay as wide as they are."""
    signals = max(int(data[252:256]), 1)
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    fields = [(0, 8), (8, 88), (88, 168), (168, 176), (176, 184), (184, 192), (192, 236)]
    fields += [(236, 244), (244, 252), (252, 256)]
    at = 256
    for width in widths:
        fields += [(at + i * width, at + (i + 1) * width) for i in range(signals)]
        at += width * signals
    begin, end = rng.choice(fields)

    def closed(part: bytes) -> bytes:
        return data[:begin] + part.strip()[: end - begin].ljust(end - begin) + data[end:]

    return data[begin:end], closed


def _scp(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    def closed(part: bytes) -> bytes:
        body = len(part).to_bytes(4, "little") + part[6:] if rng.random() < 0.5 else part[2:]
        return struct.pack("<H", binascii.crc_hqx(body, 0xFFFF)) + body

    return data, closed


def _ishne(data: bytes, rng: random.Random) -> tuple[bytes, Close]:
    def closed(part: bytes) -> bytes:
        block = data[:10] + part
        checksum = struct.pack("<H", binascii.crc_hqx(block[10:522], 0xFFFF))
        return block[:8] + checksum + block[10:]

    return data[10:], closed


def _slice(data: bytes, begin: int, end: int) -> tuple[bytes, Close]:
    return data[begin:end], lambda part: data[:begin] + part + data[end:]


_CONTAINERS: tuple[
    tuple[Callable[[bytes], bool], Callable[[bytes, random.Random], tuple[bytes, Close]]], ...
] = (
    (lambda data: data[:2] == b"\x1f\x8b", _gzip),
    (lambda data: data[:2] == b"PK", _zip),
    (lambda data: data[:6] == b"\x93NUMPY", _npy),
    (lambda data: data[:19] == b"MATLAB 5.0 MAT-file", _matlab),
    (lambda data: data[:4] == b"PAR1", _parquet),
    (lambda data: data[8:10] == b'{"', _safetensors),
    (lambda data: data[1:8] == b"       " or data[1:8] == b"BIOSEMI", _edf),
    (lambda data: data[16:22] == b"SCPECG", _scp),
    (lambda data: data[:8] == b"ISHNE1.0", _ishne),
)


# Changes of bytes


def _place(data: bytes, rng: random.Random) -> int:
    """A position; more often one near the beginning, where headers are."""
    if len(data) > 64 and rng.random() < 0.4:
        return rng.randrange(64)
    return rng.randrange(len(data) + 1)


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _flip_bit(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    if at >= len(data):
        return data + b"\x01"
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _integer(data: bytes, rng: random.Random) -> bytes:
    width = rng.choice((1, 2, 4, 4, 8))
    at = _place(data, rng)
    at -= at % width if rng.random() < 0.7 else 0
    value = rng.choice(_INTEGERS) & ((1 << 8 * width) - 1)
    order = "little" if rng.random() < 0.8 else "big"
    return data[:at] + value.to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


def _step(data: bytes, rng: random.Random) -> bytes:
    """A number a little larger or smaller."""
    at = _place(data, rng)
    value = int.from_bytes(data[at : at + 4], "little") + rng.choice((-8, -2, -1, 1, 2, 8))
    return data[:at] + (value & 0xFFFFFFFF).to_bytes(4, "little") + data[at + 4 :]


def _float(data: bytes, rng: random.Random) -> bytes:
    value = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e300, 1e-300, 5e-324))
    at = _place(data, rng) & ~7
    return data[:at] + struct.pack("<d", value) + data[at + 8 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _delete(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 1, 2, 4, 8, 16, 64, 300)) :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 4, 8, 16, 64))) + data[at:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    piece = data[at : at + rng.choice((1, 2, 4, 8, 32, 256))]
    return data[:at] + piece * rng.choice((2, 2, 2, 5, 50)) + data[at + len(piece) :]


def _move(data: bytes, rng: random.Random) -> bytes:
    """A segment from elsewhere put over what is there."""
    piece_at, at = _place(data, rng), _place(data, rng)
    piece = data[piece_at : piece_at + rng.choice((1, 4, 8, 16, 64))]
    return data[:at] + piece + data[at + len(piece) :]


def _fill(data: bytes, rng: random.Random) -> bytes:
    at, size = _place(data, rng), rng.choice((4, 8, 16, 64))
    return data[:at] + rng.choice((b"\0", b"\xff", b" ")) * size + data[at + size :]


# Changes of texts


def _number(data: bytes, rng: random.Random) -> bytes:
    found = list(_NUMBER.finditer(data[:4096]))
    if not found:
        return _word(data, rng)
    chosen = rng.choice(found)
    return data[: chosen.start()] + rng.choice(_NUMBERS) + data[chosen.end() :]


def _word(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice(_WORDS) + data[at + rng.randrange(3) :]


def _token(data: bytes, rng: random.Random) -> bytes:
    """One token put in place of another."""
    tokens = list(re.finditer(rb"[\w.+-]+", data[:4096]))
    if len(tokens) < 2:
        return _word(data, rng)
    one, other = rng.sample(tokens, 2)
    return data[: one.start()] + other[0] + data[one.end() :]


def _lines(data: bytes, rng: random.Random) -> bytes:
    """A line deleted, doubled or moved."""
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return _token(data, rng)
    at = rng.randrange(len(lines) if rng.random() < 0.5 else min(len(lines), 6))
    line = lines.pop(at)
    what = rng.randrange(4)
    if what == 1:
        lines[at:at] = [line] * rng.choice((2, 3, 100))
    elif what == 2:
        lines.insert(rng.randrange(len(lines) + 1), line)
    elif what == 3:
        lines[at:at] = [_word(line, rng)]
    return b"".join(lines)


def _separators(data: bytes, rng: random.Random) -> bytes:
    """Everywhere another separator or end of line."""
    old = rng.choice((b",", b";", b"\t", b" ", b"\n", b".", b"\r\n"))
    return data.replace(old, rng.choice((b",", b";", b"\t", b" ", b"\n", b"\r", b"", b"\0")))


_OF_BYTES: tuple[Change, ...] = (_flip, _flip_bit, _integer, _integer, _step, _float, _move, _fill)
_OF_LENGTH: tuple[Change, ...] = (_cut, _delete, _insert, _repeat)
_OF_TEXTS: tuple[Change, ...] = (
    *(_number, _number, _number, _word, _word, _token, _lines, _lines, _separators),
    *(_cut, _delete, _repeat, _flip),
)
