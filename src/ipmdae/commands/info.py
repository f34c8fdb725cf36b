"""The command ``ipmdae info``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from ipmdae import console
from ipmdae.commands.options import Array, Columns, Rate, Resample, Unit, read_options
from ipmdae.console import complain, err, out, plain, print_json, warnings_into
from ipmdae.text import counted, enumerated, visible

if TYPE_CHECKING:
    from ipmdae.formats import ReadOptions, SignalReader
    from ipmdae.inspection.files import Inspection
    from ipmdae.inspection.preview import Preview
    from ipmdae.inspection.verdict import Verdict
    from ipmdae.methods import Method
    from ipmdae.recording import Header

_SHORT_KINDS = {
    "voltage, no beats found": "no beats",
    "without samples": "no samples",
}

SHORT = 3.0
"""Shortest duration in s with enough beats to judge a recording."""


def info(
    files: Annotated[list[Path], typer.Argument(help="Recordings, of any format.")],
    fs: Rate = None,
    unit: Unit = None,
    columns: Columns = "",
    array: Array = None,
    resample: Resample = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Describe recordings: leads, quality, noise, heart rate, and what denoise would do.

    It says how the sampling rate and the units were determined. A long recording is measured
    completely, and denoised in parts to estimate its noise. Nothing is written.
    """
    from ipmdae.commands.inputs import located
    from ipmdae.formats.table_text import members
    from ipmdae.methods.network import Network

    options = read_options(fs, unit, columns, array, resample)
    method = Network()
    described, failed = [], 0
    unpacked = [table for file in files for table in members(file) or [file]]
    for file in unpacked:
        try:
            name, file = located(file)
            with err.status(f"reading {plain(file.name)}"):
                description = examine(file, options, method) | {"file": name}
        except Exception as error:  # an error in one file must not stop the others
            message = console.describe(error)
            complain("error", message if file.name in message else f"{file}: {message}")
            failed += 1
            continue
        described.append(description)
        if not as_json:
            show(description)
    if as_json:
        print_json(described)
    if failed:
        raise typer.Exit(1)


def examine(file: Path, options: ReadOptions, method: Method) -> dict[str, Any]:
    """Examine a file; see :func:`describe`.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    from ipmdae import formats
    from ipmdae.inspection.files import inspect
    from ipmdae.inspection.preview import preview

    warnings: list[str] = []
    with warnings_into(warnings), formats.open_reader(file, options=options) as reader:
        found = inspect(reader) if "mV" in reader.info.units else None
        tried = preview(reader, found, method)
        description = describe(file, options, reader, found, tried)
    description["warnings"] = [*dict.fromkeys(warnings + description["warnings"])]
    return description


def describe(
    file: Path, options: ReadOptions, reader: SignalReader, found: Inspection | None, tried: Preview
) -> dict[str, Any]:
    """Describe a recording as in the JSON output; times in s, voltages in mV."""
    from ipmdae.formats import format_of

    header, format = reader.info, format_of(file.absolute())
    cleaned = [verdict.lead for verdict in tried.verdicts if not verdict.why]
    return {
        "file": str(file),
        "format": format.NAME if format else "",
        "duration": header.duration,
        "fs": header.fs,
        "rate from": _rate_from(reader, options),
        "samples": header.samples,
        "start": header.start.isoformat() if header.start else None,
        "leads": [
            {
                "name": verdict.lead,
                "unit": verdict.unit,
                "unit from": _unit_from(header, i, options),
                "kind": kind(verdict),
                **(_measures(found, i) if found else {}),
                **_quality(verdict),
            }
            for i, verdict in enumerate(tried.verdicts)
        ],
        "other signals": [other.name for other in header.auxiliary],
        "denoise": {
            "refused": tried.refused or None,
            "tried seconds": tried.seconds,
            "cleans": [] if tried.refused else cleaned,
            "leaves": {v.lead: v.why for v in tried.verdicts if v.why},
        },
        "annotations": {name: len(marks) for name, marks in header.annotations.items()},
        "comments": list(header.comments),
        "warnings": (found.warnings() if found else []) + doubts(header, tried),
    }


def _rate_from(reader: SignalReader, options: ReadOptions) -> str:
    """Source of the sampling rate, in words."""
    if options.fs is not None:
        return "stated by --fs"
    if options.resample:
        return "interpolated to the mean rate of its time column"
    return visible(reader.rate_from)


def _unit_from(header: Header, lead: int, options: ReadOptions) -> str:
    """Source of a lead's unit, in words."""
    if header.units[lead] != "mV":
        return "stated by the file" if header.units[lead] != "NU" else "not stated"
    if options.unit is not None:
        return f"stated by --unit {options.unit}"
    resolution = header.resolution[lead]
    return f"stored in {resolution.unit}" if resolution else "as the file says or by default"


def kind(verdict: Verdict) -> str:
    """Kind of a lead, in words."""
    if not verdict.judged:
        return "not a voltage"
    if verdict.why:
        return verdict.why
    beats = verdict.rate_before == verdict.rate_before or verdict.rate_after == verdict.rate_after
    return "ECG" if beats else "voltage, no beats found"


def doubts(header: Header, tried: Preview) -> list[str]:
    """Warnings about a doubtful sampling rate, unit or verdict."""
    from ipmdae.inspection.verdict import cleaned_before, disagreements

    found = [*cleaned_before(header.comments), *disagreements(tried.verdicts)]
    rates = [v.rate_after for v in tried.verdicts if v.rate_after == v.rate_after]
    if rates and not 25 <= sorted(rates)[len(rates) // 2] <= 250:
        found.append(
            f"the heart rate would be {sorted(rates)[len(rates) // 2]:.0f} beats per minute: "
            f"is the rate of {header.fs:g} Hz right?"
        )
    if header.duration < SHORT:
        found.append(
            f"{header.duration:.2g} s are too short to judge quality, noise and heart rate by"
        )
    return found


def _measures(found: Inspection, lead: int) -> dict[str, Any]:
    """Measures of a lead as recorded; empty if it is not a voltage."""
    import numpy as np

    from ipmdae.pipeline.mains import NOMINAL
    from ipmdae.pipeline.window import MIN_SPREAD
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
        "gaps": sum(s.reason is Reason.MISSING for s in found.quality.unusable_segments(i)),
        "flat": int((found.seconds.high - found.seconds.low <= MIN_SPREAD)[:, i].sum()),
        "saturated": int((reasons == Reason.SATURATED).sum()),
        "hum": {f"{mains:g}": float(recorded.hum(mains)[i]) for mains in NOMINAL},
    }


def _quality(verdict: Verdict) -> dict[str, Any]:
    """Quality, heart rate and noise of a lead; empty if it is not a voltage."""
    if not verdict.judged:
        return {}
    return {
        "grade": verdict.grade,
        "good": verdict.good,
        "limited": verdict.limited,
        "unusable": verdict.unusable,
        "reasons": dict(verdict.reasons),
        "heart rate": verdict.rate_before,
        "heart rate cleaned": verdict.rate_after,
        "noise": dict(verdict.noise),
        "removed": verdict.removed,
    }


def show(description: dict[str, Any]) -> None:
    """Print a description as text."""
    leads, tried = description["leads"], description["denoise"]
    out.print(
        f"{visible(description['file'])}: {description['format']}, "
        f"{description['duration']:.1f} s at {description['fs']:g} Hz, "
        f"{counted(len(leads), 'lead')}"
        + (f", from {description['start']}" if description["start"] else ""),
        markup=False,
    )
    out.print(f"  rate {description['rate from']}; {_units(leads)}", markup=False)
    if any("grade" in lead for lead in leads):
        out.print(_quality_table(leads))
        out.print(_signal_table(leads))
    for other in description["other signals"]:
        out.print(f"  {visible(other)}: auxiliary channel, copied unchanged", markup=False)
    out.print(f"  denoise {_would(tried, leads)}", markup=False)
    for name, count in description["annotations"].items():
        out.print(f"  annotations {visible(name)}: {count}", markup=False)
    for comment in description["comments"]:
        out.print(f"  comment: {visible(comment)}", markup=False)
    for warning in description["warnings"]:
        complain("warning", warning)


def _units(leads: list[dict[str, Any]]) -> str:
    """Describe how units were determined, grouping leads with the same source."""
    by_way: dict[str, list[str]] = {}
    for lead in leads:
        if lead["unit"] == "mV":
            by_way.setdefault(lead["unit from"], []).append(visible(lead["name"]))
    if len(by_way) == 1:
        return f"unit {next(iter(by_way))}"
    return (
        "; ".join(f"unit of {enumerated(names)} {way}" for way, names in by_way.items())
        or "no unit"
    )


def _would(tried: dict[str, Any], leads: list[dict[str, Any]]) -> str:
    """Describe what denoising would do, as the end of a sentence."""
    leaves = "; ".join(f"{visible(lead)} ({why})" for lead, why in tried["leaves"].items())
    left = f"; would leave {leaves}" if leaves else ""
    if tried["refused"]:
        return f"would refuse it: {visible(tried['refused'])}"
    if not tried["cleans"]:
        voltages = any(lead["unit"] == "mV" for lead in leads)
        return f"would clean nothing{'' if voltages else ': no lead is a voltage'}{left}"
    removed = [lead["removed"] for lead in leads if lead["name"] in tried["cleans"]]
    amount = (
        f"{min(removed):.3f} mV rms"
        if len(removed) == 1
        else f"{min(removed):.3f} to {max(removed):.3f} mV rms"
    )
    leads_cleaned = enumerated([visible(lead) for lead in tried["cleans"]])
    return (
        f"would clean {leads_cleaned} and remove {amount} "
        f"(tried on {tried['tried seconds']:.0f} s){left}"
    )


def _quality_table(leads: list[dict[str, Any]]) -> Table:
    """Kind, quality, heart rate and noise of each lead."""
    from math import nan

    from ipmdae.inspection.verdict import GRADES, number, percent

    kinds = list(dict.fromkeys(k.split(" (")[0] for v in leads for k in v.get("noise", {})))
    heads = ["lead", "", *GRADES, "heart\nrate", *(name.replace(" ", "\n") for name in kinds)]
    table = Table(
        Column(heads[0], overflow="fold", min_width=4),  # alone gives way to a narrow terminal
        *(Column(head, no_wrap=True) for head in heads[1:]),
        box=None,
        caption="noise in mV rms, as denoise would remove it" if kinds else None,
        caption_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for lead in leads:
        if "grade" not in lead:
            table.add_row(*map(plain, (lead["name"], _SHORT_KINDS.get(lead["kind"], lead["kind"]))))
            continue
        noise = {name.split(" (")[0]: value for name, value in lead["noise"].items()}
        cells = [
            _SHORT_KINDS.get(lead["kind"], lead["kind"]),
            *(percent(lead[grade]) for grade in GRADES),
            number(lead["heart rate cleaned"]).replace("not known", "-"),
            *(f"{noise[name]:.3f}" if noise.get(name, nan) >= 0 else "-" for name in kinds),
        ]
        table.add_row(*map(plain, (lead["name"], *cells)))
    return table


def _signal_table(leads: list[dict[str, Any]]) -> Table:
    """Amplitude and gaps of each lead as recorded."""
    from ipmdae.recording import NO_UNIT

    table = Table(
        Column("lead", overflow="fold"),
        *(Column(head, no_wrap=True) for head in ("unit", "amplitude", "lowest", "highest")),
        *(Column(f"{head}\n(s)", no_wrap=True) for head in ("missing", "flat", "saturated")),
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for lead in leads:
        cells = [
            f"{lead[name] + 0.0:.4g}".replace("nan", "-") if name in lead else ""
            for name in ("amplitude", "lowest", "highest", "missing", "flat", "saturated")
        ]
        unit = lead["unit"] if lead["unit"] != NO_UNIT else "-"
        table.add_row(*map(plain, (lead["name"], unit, *cells)))
    return table
