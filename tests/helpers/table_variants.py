"""Random tables of text in the dialects of recorders and spreadsheets, by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np

START = datetime(2026, 11, 27, 10, 0, 0)
EPOCH = 1_795_773_600

Stamp = Callable[[float], str]


def variant(seed: int) -> tuple[bytes, dict[str, float | str]]:
    """A table, and the options to read it with.

    Separators, decimal signs, quotes, headings and units, kinds of times, comments, gaps, missing
    cells, ends of lines and encodings are drawn independently of one another.
    """
    rng = random.Random(seed)
    fs = rng.choice([100, 125, 128, 130, 250, 333.3, 360, 500, 512, 1000])
    rows = rng.choice([3, 60, 400])
    jitter = 0.4 / fs if rows > 3 and rng.random() < 0.2 else 0.0
    mark, decimal = rng.choice([",", ",", ";", "\t", "|", " "]), rng.choice([".", "."])
    decimal = "," if mark in ";\t|" and rng.random() < 0.4 else decimal
    quoted = rng.random() < 0.15 or (mark == "," and decimal == ",")
    titles, stamp, head = _times(rng, fs, mark, jitter)
    leads = rng.choice([1, 1, 2, 3, 12])
    names, unit_row = _headings(rng, leads)
    size = rng.choice([1.0, 1000.0])
    signal = size * np.sin(np.arange(rows)[:, None] / (7 + np.arange(leads))).round(4)
    missing = rng.random() < 0.2 and mark != " "
    dropped = {rng.randrange(rows) for _ in range(rng.choice([0, 0, 0, 1, 5]))}
    table = [[*titles, *names]] if rng.random() < 0.9 else []
    if unit_row and table:
        table.append(["" for _ in titles] + unit_row)
    for i in range(rows):
        if i in dropped and i:
            continue
        cells = [f"{value:.4f}" for value in signal[i]]
        if missing and rng.random() < 0.1:
            cells[rng.randrange(leads)] = rng.choice(["", "nan", "NA", "-", "None"])
        times = [stamp(i / fs)] if titles else []
        table.append([cell.replace(".", decimal) if decimal == "," else cell
                      for cell in [*times, *cells]])  # fmt: skip
    lines = [mark.join(f'"{cell}"' if quoted else cell for cell in row) for row in table]
    lines = [*head, *_comments(rng), *lines]
    if rng.random() < 0.1 and mark != " ":
        lines.insert(0, f"sep={mark}")
    if rng.random() < 0.1:
        lines.insert(rng.randrange(len(lines) + 1), "")
    if rng.random() < 0.1 and mark != " ":
        lines = [line + mark for line in lines]
    end = rng.choice(["\n", "\n", "\r\n", "\r"])
    text = end.join(lines) + rng.choice([end, end * 2, "" if rows > 3 and not jitter else end])
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
    options: dict[str, float | str] = {}
    if rng.random() < 0.15:
        options["fs"] = rng.choice([fs, 250])
    if rng.random() < 0.1:
        options["unit"] = rng.choice(["uV", "mV", "0.5uV"])
    return text.encode(encoding, "replace"), options


def _times(
    rng: random.Random, fs: float, mark: str, jitter: float
) -> tuple[list[str], Stamp, list[str]]:
    """Heading and stamps of a time column, or none and a line with the rate."""
    decimals = rng.choice([2, 3, 4, 6])
    power = rng.choice([3, 6, 9])
    unit = {3: "ms", 6: "us", 9: "ns"}[power]

    def at(t: float) -> datetime:
        return START + timedelta(seconds=t + rng.uniform(-jitter, jitter))

    def whole(t: float) -> str:
        return f"{round((t + rng.uniform(-jitter, jitter)) * 10**power)}"

    kinds: list[tuple[list[str], Stamp]] = [
        ([rng.choice(["time", "Zeit (s)", "t", "時間", "x", ""])], lambda t: f"{t:.{decimals}f}"),
        ([rng.choice(["time_ms", "Time [ms]", "ms"])], lambda t: f"{t * 1000:.{decimals}f}"),
        ([rng.choice([f"timestamp [{unit}]", "timestamp", "ts"])], whole),
        (["timestamp"], lambda t: f"{EPOCH * 10**power + int(whole(t))}"),
        (["clock"], lambda t: f"{at(t):%H:%M:%S.%f}"),
        (["date"], lambda t: at(t).isoformat(timespec="microseconds")),
        (["date"], lambda t: f"{at(t):%d.%m.%Y %H:%M:%S.%f}"),
        (["date"], lambda t: f"{at(t):%Y/%m/%d %H:%M:%S.%f} +0200"),
        (["date"], lambda t: f"{at(t):%m/%d/%Y %I:%M:%S.%f %p}"),
        ([rng.choice(["sample", "#", "index", ""])], lambda t: f"{round(t * fs)}"),
    ]
    titles, stamp = rng.choice(kinds)
    if rng.random() < 0.2:
        titles = []
    stated = rng.random() < (0.8 if not titles else 0.1)
    keys = ["Sample Rate: {} Hz", "fs = {}", "# Abtastrate;{} Hz", "Sampling interval: {} ms"]
    key = rng.choice(keys)
    head = [key.format(f"{1000 / fs if 'interval' in key else fs:.6g}")] if stated else []
    spaced = mark == " "
    return [title.replace(" ", "") if spaced else title for title in titles], (
        lambda t: stamp(t).replace(" ", "T") if spaced else stamp(t)
    ), head  # fmt: skip


def _headings(rng: random.Random, leads: int) -> tuple[list[str], list[str]]:
    """Headings of leads, and a row of units, which may be empty."""
    base = rng.choice(
        [
            ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"],
            [f"ECG{i}" for i in range(12)],
            ["ecg", "hr", "acc_x", "marker", "resp", *(f"ch{i}" for i in range(7))],
            [f"Ableitung_{name}" for name in "I II III V1 V2 V3 V4 V5 V6 X Y Z".split()],
            ["a"] * 12,
        ]
    )[:leads]
    unit = rng.choice(["mV", "uV", "µV", "Mikrovolt", "V", "counts", "мВ"])
    style = rng.choice(["{n}({u})", "{n}[{u}]", "{n}_{u}", "{n}", "{n}"])
    row = [unit] * leads if style == "{n}" and rng.random() < 0.4 else []
    return [style.format(n=name, u=unit) for name in base], row


def _comments(rng: random.Random) -> list[str]:
    known = ["# recorded lying", "% Device: X1", "Patient: Jane Doe", "Date: 2026-11-27 10:00:00"]
    return [line for line in known if rng.random() < 0.08]
