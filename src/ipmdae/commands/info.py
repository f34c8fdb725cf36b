"""The command ``ipmdae info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from ipmdae import console
from ipmdae.commands.reading import Array, Columns, Rate, Resample, Unit, read_options
from ipmdae.console import complain, err, out, plain, print_json

if TYPE_CHECKING:
    from ipmdae.inspection.files import Inspection


def info(
    files: Annotated[list[Path], typer.Argument(help="Recordings, of any format.")],
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Tell what a recording holds: leads, amplitudes, gaps, flat parts, hum; and what to look at.

    Seconds that are missing, flat or saturated are counted lead by lead.
    """
    from ipmdae import formats
    from ipmdae.formats.delimited_text import members
    from ipmdae.inspection.files import inspect

    options = read_options(fs, unit, columns, array, resample)
    described, failed = [], 0
    unpacked = [table for file in files for table in members(file) or [file]]
    for file in unpacked:
        try:
            with (
                err.status(f"reading {plain(file.name)}"),
                formats.open_reader(file, options=options) as reader,
            ):
                found = inspect(reader)
        except Exception as error:  # whatever is wrong with one file, the others are looked at
            message = console.describe(error)
            complain("error", message if file.name in message else f"{file}: {message}")
            failed += 1
            continue
        description = describe(file, found)
        described.append(description)
        if not as_json:
            show(description)
    if as_json:
        print_json(described)
    if failed:
        raise typer.Exit(1)


def describe(file: Path, found: Inspection) -> dict[str, Any]:
    """All that is told about a recording, as JSON has it; times in s, voltages in mV."""
    from ipmdae.commands.inputs import format_of

    header = found.header
    format = format_of(file.absolute())
    return {
        "file": str(file),
        "format": format.NAME if format else "",
        "duration": header.duration,
        "fs": header.fs,
        "samples": header.samples,
        "start": header.start.isoformat() if header.start else None,
        "leads": [
            {"name": name, "unit": unit, **_measures(found, i)}
            for i, (name, unit) in enumerate(zip(header.leads, header.units, strict=True))
        ],
        "annotations": {name: len(marks) for name, marks in header.annotations.items()},
        "comments": list(header.comments),
        "warnings": found.warnings(),
    }


def _measures(found: Inspection, lead: int) -> dict[str, Any]:
    """What was measured of a lead; nothing if it is no voltage."""
    import numpy as np

    from ipmdae.mains import NOMINAL
    from ipmdae.quality import Reason

    if lead not in found.columns:
        return {}
    i = found.columns.index(lead)
    reasons = found.quality.reason[:, i]
    recorded = found.spectra["recorded"]
    return {
        "amplitude": float(found.amplitude[i]),
        "lowest": float(np.fmin.reduce(found.seconds.low[:, i])),
        "highest": float(np.fmax.reduce(found.seconds.high[:, i])),
        "missing": float(found.seconds.missing[:, i].mean() * found.header.duration),
        "gaps": sum(s.reason is Reason.MISSING for s in found.quality.stretches(i)),
        "flat": int((reasons == Reason.LEAD_OFF).sum()),
        "saturated": int((reasons == Reason.SATURATED).sum()),
        "hum": {f"{mains:g}": float(recorded.hum(mains)[i]) for mains in NOMINAL},
    }


def show(description: dict[str, Any]) -> None:
    """Print a description for a reader."""
    out.print(
        f"{description['file']}: {description['format']}, {description['duration']:.1f} s at "
        f"{description['fs']:g} Hz, {len(description['leads'])} leads"
        + (f", from {description['start']}" if description["start"] else ""),
        markup=False,
    )
    table = Table(
        Column("lead", no_wrap=True),
        *("unit", "amplitude", "lowest", "highest"),
        *("missing (s)", "flat (s)", "saturated (s)"),
        box=None,
    )
    for lead in description["leads"]:
        cells = [
            f"{lead[name]:.4g}" if name in lead else ""
            for name in ("amplitude", "lowest", "highest", "missing", "flat", "saturated")
        ]
        table.add_row(*map(plain, (lead["name"], lead["unit"], *cells)))
    out.print(table)
    for name, count in description["annotations"].items():
        out.print(f"annotations {name}: {count}", markup=False)
    for comment in description["comments"]:
        out.print(f"comment: {comment}", markup=False)
    for warning in description["warnings"]:
        complain("warning", warning)
