"""A bill of materials of a release: ``python -m tools.sbom --to dist``.

Writes ``NAME-VERSION.cdx.json`` (CycloneDX 1.6): the package with its wheels and source
distribution in that folder and their digests, and all that the base installation needs with
versions and licences, as installed.
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
        files = sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])
        text = json.dumps(bill(files), indent=1)
        aside.write_text(text + "\n", encoding="utf-8")
    return path


def bill(files: list[Path]) -> dict[str, Any]:
    """The bill of materials; the same for the same files and packages."""
    packages = needed()
    own = Package(name=NAME, version=version(NAME), licence="MIT", needs=tuple(direct()))
    parts = [
        {
            "type": "file",
            "bom-ref": file.name,
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": digest(file)}],
        }
        for file in files
    ]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**component(own), "type": "application", "components": parts}},
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


def check(path: Path) -> None:
    """Compare a bill of materials with the schema of CycloneDX; needs the extra ``release``.

    Raises:
        ValueError: it does not conform; the message names the place.
    """
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text(encoding="utf-8"))
    if error is not None:
        raise ValueError(f"{path}: {str(error).splitlines()[0]}")


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
