"""Options that several commands have: settings of denoising, and of files without metadata."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ipmdae.formats import ReadOptions


class MainsFrequency(str, Enum):
    """Mains frequencies of the world in Hz."""

    FIFTY = "50"
    SIXTY = "60"


class ModeName(str, Enum):
    """Names of :data:`ipmdae.safeguards.MODES`."""

    DIAGNOSTIC = "diagnostic"
    MONITORING = "monitoring"
    BEATS = "beats"
    GENTLE = "gentle"


class UnreadableName(str, Enum):
    """Values of :data:`ipmdae.safeguards.Unreadable`."""

    CLASSICAL = "classical"
    NETWORK = "network"
    RAW = "raw"
    BLANK = "blank"


def methods() -> list[tuple[str, str]]:
    """Names of the methods, to complete them in a shell, and which extra brings each."""
    from ipmdae.methods import extra_of, method_names

    extras = {name: extra_of(name) for name in method_names()}
    return [(name, f"needs the extra {extra}" if extra else "") for name, extra in extras.items()]


MethodName = Annotated[
    str | None,
    typer.Option(
        "--method",
        "--model",
        help="Name of a network (see: ipmdae models), a model file, or a classical method, such as "
        "iir.",
        autocompletion=methods,
    ),
]
Mains = Annotated[
    MainsFrequency | None,
    typer.Option(help="Remove powerline interference of this frequency in Hz first."),
]
Mode = Annotated[
    ModeName | None,
    typer.Option(
        help="What a network may change: diagnostic (nothing above 0.7 Hz unless noise exceeds "
        "4 % of the QRS), monitoring (2 %; the default), beats (all noise; for R peaks), "
        "gentle (baseline wander alone)."
    ),
]
Strength = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the noise found that is removed.")
]
Unreadable = Annotated[
    UnreadableName | None,
    typer.Option(
        help="What stands where the network is not trusted: a classical filter's result, the "
        "network's, the raw signal, or nothing."
    ),
]
MaxAttenuation = Annotated[
    float | None, typer.Option(min=0, help="Largest attenuation of the noise found, in dB.")
]
ConsistentLeads = Annotated[
    bool,
    typer.Option(
        help="Make limb leads obey Einthoven's and Goldberger's equations where the recorded "
        "ones do."
    ),
]


def method_settings(
    method: str | None,
    mains: MainsFrequency | None,
    mode: ModeName | None,
    unreadable: UnreadableName | None,
) -> dict[str, Any]:
    """Options of a command line as keyword arguments of :class:`ipmdae.Denoiser`."""
    from ipmdae.methods import DEFAULT_MODEL

    return {
        "method": DEFAULT_MODEL if method is None else method,
        "mains": float(mains.value) if mains else None,
        "mode": mode.value if mode else None,
        "unreadable": unreadable.value if unreadable else None,
    }


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

    names = split_names(columns)
    return ReadOptions(fs=fs, unit=unit, columns=names, array=array, resample=resample)


def split_names(names: str) -> tuple[str, ...] | None:
    """Split comma-separated names; ``None`` without any."""
    return tuple(name.strip() for name in names.split(",") if name.strip()) or None
