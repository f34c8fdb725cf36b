"""Options of the commands that read recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ipmdae.formats import ReadOptions

_PANEL = "Options for files that do not state it themselves, or state it wrongly"

Rate = Annotated[
    float | None,
    typer.Option("--fs", help="Sampling rate in Hz; overrides the file's.", rich_help_panel=_PANEL),
]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Unit of the stored values: uV, mV, V, nV, or the size of a step such as 0.298uV.",
        rich_help_panel=_PANEL,
    ),
]
Columns = Annotated[
    str,
    typer.Option(
        help="Columns to read as leads, by heading or number, comma-separated.",
        rich_help_panel=_PANEL,
    ),
]
Array = Annotated[
    str | None,
    typer.Option(help="Array that holds the signal (.npz, .mat).", rich_help_panel=_PANEL),
]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample",
        help="Interpolate unevenly sampled rows to an even rate, by default their mean rate.",
        rich_help_panel=_PANEL,
    ),
]


def read_options(
    fs: float | None, unit: str | None, columns: str, array: str | None, resample: bool
) -> ReadOptions:
    """Build the options of a command line.

    Raises:
        ValueError: the sampling rate or the unit is invalid.
    """
    from ipmdae.formats import ReadOptions

    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    return ReadOptions(fs=fs, unit=unit, columns=names or None, array=array, resample=resample)
