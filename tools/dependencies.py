"""Dependencies of the package, direct and indirect, as installed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAME = "ultralight-ipm-dae"
ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

#: Licences of packages whose own metadata do not say them, or not all, from their licence files.
_LICENCES = {"bioread": "MIT", "soxr": "LGPL-2.1-or-later", "torch": "BSD-3-Clause"}
_LONG = 60  # characters: a licence that is longer is its text


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that is needed.

    Attributes:
        name: its canonical name.
        version: the one that is installed.
        licence: from the metadata, an SPDX expression if available.
        needs: canonical names of the packages that it needs here.
    """

    name: str
    version: str
    licence: str
    needs: tuple[str, ...]


def extras() -> list[str]:
    """The optional parts of the package."""
    return sorted(distribution(NAME).metadata.get_all("Provides-Extra") or [])


def needed(extra: str = "") -> dict[str, Package]:
    """All packages that the package, or one of its optional parts, needs; by canonical name.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    found: dict[str, Package] = {}
    waiting = [(NAME, frozenset([extra]))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        installed = distribution(name)
        requirements = list(_requirements(installed, wanted))
        waiting += [(_canonical(r), frozenset(r.extras) or frozenset([""])) for r in requirements]
        if canonicalize_name(name) == NAME:
            continue
        before = found[name].needs if name in found else ()
        needs = sorted({*before, *map(_canonical, requirements)})
        found[name] = Package(
            name=name,
            version=installed.version.partition("+")[0],
            licence=licence(installed),
            needs=tuple(needs),
        )
    return dict(sorted(found.items()))


def direct(extra: str = "") -> list[str]:
    """Canonical names of what the package itself asks for."""
    requirements = _requirements(distribution(NAME), frozenset([extra]))
    return sorted({_canonical(r) for r in requirements} - {NAME})


def licence(installed: Distribution) -> str:
    """The licence of an installed package: an SPDX expression, or what its metadata call it."""
    metadata = installed.metadata
    name = canonicalize_name(metadata["Name"])
    stated = str(metadata.json.get("license_expression") or metadata.json.get("license") or "")
    if name in _LICENCES:
        return _LICENCES[name]
    if stated and len(stated) <= _LONG and "\n" not in stated.strip() and stated != "UNKNOWN":
        return stated.strip()
    classified = [
        line.rsplit("::", 1)[1].strip()
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    return ", ".join(classified) or "not stated"


def pins(text: str) -> dict[str, str]:
    """Canonical name -> version, of a constraints file."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {
        canonicalize_name(name): version
        for name, version in (re.split("==", line, maxsplit=1) for line in lines if line)
    }


def _requirements(installed: Distribution, wanted: Iterable[str]) -> Iterator[Requirement]:
    for text in installed.requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
            yield requirement


def _canonical(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)
