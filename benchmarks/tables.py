"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.timing import ratio, summary


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    alignment = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, alignment, *rows)) + "\n"


def timings(
    samples: Mapping[str, Sequence[float]], base: str, *, unit: str = "ms", per: float = 1.0
) -> str:
    """A row a candidate: median, least, spread, and the ratio to ``base``.

    Args:
        samples: seconds a call by candidate, a round an entry.
        base: the candidate that the others are compared with.
        unit: ``"ms"`` or ``"s"``.
        per: number of items per call; times are per item.
    """
    scale = {"ms": 1e3, "s": 1.0}[unit] / per
    rows = []
    for name in samples:
        one = summary(samples[name])
        times = "" if name == base else f"{number(ratio(samples, name, base))}x"
        rows.append(
            [
                name,
                number(one.median * scale),
                number(one.least * scale),
                f"{one.spread:.0%}",
                times,
            ]
        )
    return table(["", f"median ({unit})", "least", "spread", f"to {base}"], rows)


def number(value: float) -> str:
    """Three significant digits, and no exponent."""
    if value == 0:
        return "0"
    digits = max(2 - _magnitude(value), 0)
    return f"{value:,.{digits}f}"


def _magnitude(value: float) -> int:
    return int(f"{value:.2e}".partition("e")[2])


def plural(count: int, noun: str) -> str:
    """A number of things, such as ``2 threads``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def megabytes(count: float) -> str:
    """Bytes in MB (10^6)."""
    return f"{number(count / 1e6)} MB"


def skipped(reasons: Mapping[str, str]) -> str:
    """A line each for what was not run, and why."""
    lines = [f"Not run: {name} ({reason})." for name, reason in reasons.items()]
    return "\n\n".join(lines) + "\n" if lines else ""
