"""Options of the commands that clean, the same in each."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


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
