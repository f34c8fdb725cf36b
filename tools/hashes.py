"""Digests of what is pinned: ``python -m tools.hashes``.

Writes ``constraints-hashed.txt``: of all that the base installation and its build need the version
in ``constraints.txt`` with the SHA-256 of the file that pip would install on this system and
Python, as the package index publishes it. Then

    pip install --require-hashes -r constraints-hashed.txt
    pip install --no-deps --no-build-isolation .

installs nothing else. torch is not included: its builds come from another index with digests.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ipmdae.files import replacing
from tools import show
from tools.dependencies import CONSTRAINTS, ROOT, needed, pins

OUTPUT = ROOT / "constraints-hashed.txt"
BUILD = ("hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers")
"""Packages for a build (``[build-system]`` of pyproject.toml), with their dependencies."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.hashes", description="Write the digests of what is pinned."
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE")
    args = parser.parse_args(arguments)
    versions = wanted(pins(CONSTRAINTS.read_text(encoding="utf-8")))
    with replacing(args.output) as aside:
        aside.write_text(hashed(versions, report(versions)), encoding="utf-8")
    print(f"written to {args.output}")


def wanted(pinned: dict[str, str]) -> dict[str, str]:
    """Name -> version of what an installation and a build need.

    Raises:
        ValueError: one of these packages is not pinned.
    """
    names = sorted({*needed(), *BUILD})
    for name in names:
        if name not in pinned:
            raise ValueError(f"{name} is needed and not pinned in {CONSTRAINTS.name}")
    return {name: pinned[name] for name in names}


def report(versions: dict[str, str]) -> dict[str, Any]:
    """Packages that pip would install, with their files.

    Raises:
        ValueError: pip finds one of the versions not, or not for this system.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--report", str(path)]
        command += [f"{name}=={version}" for name, version in versions.items()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"pip finds not all: {done.stderr.strip().splitlines()[-1]}")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def hashed(versions: dict[str, str], found: dict[str, Any]) -> str:
    """The file: a line for each package, without addresses.

    Raises:
        ValueError: the report has other versions, or no SHA-256 of a file.
    """
    digests: dict[str, Any] = {}
    for item in found["install"]:
        name = canonicalize_name(item["metadata"]["name"])
        sha256 = item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if sha256 is None or item["metadata"]["version"] != versions.get(name):
            raise ValueError(f"no digest of {name}=={versions.get(name)} is known")
        digests[name] = sha256
    if digests.keys() != versions.keys():
        raise ValueError(f"no digest of {', '.join(sorted(versions.keys() - digests.keys()))}")
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    lines = [f"# Made by python -m tools.hashes on {system}."]
    lines += [f"{name}=={versions[name]} --hash=sha256:{digests[name]}" for name in versions]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    show.run(main)
