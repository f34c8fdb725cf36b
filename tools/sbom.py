"""A bill of materials of a release: ``python -m tools.sbom --to dist``.

Writes ``NAME-VERSION.cdx.json`` (CycloneDX 1.6): the package with its wheels in that folder and
their digests, and all that the base installation needs with versions and licences, as installed.
"""

from __future__ import annotations

import argparse
import json
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ipmdae.checksums import digest
from ipmdae.files import replacing
from tools import show
from tools.dependencies import NAME, Package, direct, needed

_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 4122


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.sbom", description="Write a bill of materials (CycloneDX)."
    )
    parser.add_argument("--to", type=Path, default=Path("dist"), help="folder of the release")
    args = parser.parse_args(arguments)
    print(f"written to {write(args.to)}")


def write(folder: Path) -> Path:
    """Write the bill of the release in ``folder``, and give its path."""
    path = folder / f"{NAME}-{version(NAME)}.cdx.json"
    with replacing(path) as aside:
        text = json.dumps(bill(sorted(folder.glob("*.whl"))), indent=1)
        aside.write_text(text + "\n", encoding="utf-8")
    return path


def bill(wheels: list[Path]) -> dict[str, Any]:
    """The bill of materials; the same for the same files and packages."""
    packages = needed()
    own = Package(name=NAME, version=version(NAME), licence="MIT", needs=tuple(direct()))
    files = [
        {
            "type": "file",
            "bom-ref": wheel.name,
            "name": wheel.name,
            "hashes": [{"alg": "SHA-256", "content": digest(wheel)}],
        }
        for wheel in wheels
    ]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**component(own), "type": "application", "components": files}},
        "components": [component(package) for package in packages.values()],
        "dependencies": [
            {
                "ref": reference(package),
                "dependsOn": [reference(packages[name]) for name in package.needs],
            }
            for package in (own, *packages.values())
        ],
    }
    serial = uuid.uuid5(_SPACE, json.dumps(content, sort_keys=True))
    return {**content, "serialNumber": f"urn:uuid:{serial}"}


def component(package: Package) -> dict[str, Any]:
    """A package as CycloneDX has it."""
    return {
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
        "purl": reference(package),
        "licenses": [{"license": {"name": package.licence}}],
    }


def reference(package: Package) -> str:
    """The package's address in the scheme of package URLs."""
    return f"pkg:pypi/{package.name}@{package.version}"


if __name__ == "__main__":
    show.run(main)
