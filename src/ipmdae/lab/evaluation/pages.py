"""Pages in Markdown from templates, and the tables and numbers in them."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.evaluation.intervals import Interval

Row = TypeVar("Row")
Column = TypeVar("Column")


def render(template: str, **values: object) -> str:
    """Fill a template of the folder ``templates``; parts are one blank line apart."""
    environment = Environment(
        loader=PackageLoader("ipmdae.lab.evaluation"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown
    )
    environment.globals.update(plural=plural)
    page = environment.get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", page).strip("\n") + "\n"


def write(text: str, path: Path) -> Path:
    """Write a page; the file appears when it is complete."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], path: Path) -> Path:
    """Write a table as CSV; the file appears when it is complete."""
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)
    return path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with its header."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def grid(
    corner: str,
    rows: Mapping[str, Row],
    columns: Mapping[str, Column],
    cell: Callable[[Row, Column], str],
) -> str:
    """A table of all combinations of rows and columns, with their titles."""
    return table(
        [corner, *columns],
        [[title, *(cell(row, column) for column in columns.values())]
         for title, row in rows.items()],
    )  # fmt: skip


def number(value: float, digits: int = 3) -> str:
    """A number with so many digits behind the point, none from 1000 on; NaN is a dash."""
    if np.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:,.0f}"


def brief(value: float, digits: int) -> str:
    """A number with so many significant digits for a CSV file; empty for NaN."""
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def count(value: float) -> str:
    """A count with three digits and a prefix, e.g. ``25.5 k``."""
    for step, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * step:  # 999,883 is 1.00 M
            digits = 2 if value < 10 * step else 1 if value < 100 * step else 0
            return f"{value / step:.{digits}f} {prefix}"
    return f"{value:.0f}"


def code_list(names: Iterable[str]) -> str:
    """Names as code, with commas between them; ``none`` without any."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def verdicts(differences: Mapping[str, Interval], sign: int = 1) -> dict[str, str]:
    """Methods that are better, worse, or neither, by differences whose interval excludes zero.

    Args:
        differences: paired difference of each method to another one, by its name.
        sign: 1 where more is better, else -1.
    """
    ends = {name: sorted((sign * i.low, sign * i.high)) for name, i in differences.items()}
    better = [name for name, (low, _) in ends.items() if low > 0]
    worse = [name for name, (_, high) in ends.items() if high < 0]
    rest = [name for name in ends if name not in (*better, *worse)]
    groups = {"better": better, "worse": worse, "undecided": rest}
    return {group: code_list(names) for group, names in groups.items()}


def plural(amount: int | str, noun: str) -> str:
    """A number of things, e.g. ``2 epochs``."""
    return f"{amount} {noun}" if str(amount) == "1" else f"{amount} {noun}s"


def mean(values: NDArray[np.float64], digits: int = 3) -> str:
    """The mean, where there is one: a diverged method has none, nor has an empty bin."""
    finite = len(values) > 0 and bool(np.isfinite(values).all())
    return number(float(values.mean()), digits) if finite else "-"


def mean_and_deviation(values: Sequence[float] | NDArray[Any], digits: int = 3) -> str:
    """``mean ± standard deviation`` of a sample; a single value alone."""
    middle = number(float(np.mean(values)), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ± {number(float(np.std(values, ddof=1)), digits)}"


def limits(interval: Interval, digits: int = 3) -> str:
    """``[low, high]``."""
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"


def estimate(interval: Interval, digits: int = 3) -> str:
    """``mean [low, high]``; a dash where there is no mean."""
    if np.isnan(interval.mean):
        return "-"
    return f"{number(interval.mean, digits)} {limits(interval, digits)}"
