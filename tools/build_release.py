"""Builds and checks the files of a release: ``python -m tools.build_release --to dist``.

The source distribution, the wheels of all platforms, built from it by the cross-compiler of the
package ``ziglang``, a bill of materials and ``SHA256SUMS``. Everything is built twice and must come
out the same. With ``--run``, the wheel for this machine is installed into a fresh environment of
each Python found here, the source distribution into one more, and the conda package is built; each
must denoise a recording as this tree does.

The first run also compiles, once for each platform, the C and C++ libraries that zig holds as
source, a minute or two each; zig keeps them. The web page is part of all of them. Needs a clean
checkout, the extras ``dev``, ``release`` and ``test``, and Node.js with npm.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from hatch_build import TARGETS
from ipmdae.checksums import digest
from ipmdae.files import replacing
from tools import sbom, show
from tools.build_web import build_web
from tools.check_sdist import check_sdist, tracked_files
from tools.check_wheel import check_wheel
from tools.dependencies import ROOT
from tools.environments import VERSIONS, fresh, pythons, run
from tools.provenance import commit_now
from tools.try_package import try_package

SUMS = "SHA256SUMS"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.build_release", description="Build and check a release."
    )
    parser.add_argument("--to", type=Path, default=Path("dist"), help="folder to write to")
    parser.add_argument(
        "--target",
        action="append",
        choices=TARGETS,
        help="a platform to build for; can be given again (default: all)",
    )
    parser.add_argument(
        "--run", action="store_true", help="install what this machine can run, and run it"
    )
    args = parser.parse_args(arguments)
    commit = commit_now()
    if commit.endswith("-dirty"):
        raise ValueError("files differ from the last commit: commit them first")
    print(f"commit {commit}")
    build_web()
    targets = args.target or list(TARGETS)
    sdist = build_sdist(args.to)
    print(f"{_size(sdist)}: {check_sdist(sdist, tracked_files(ROOT))} files, as in the repository")
    wheels = build_wheels(sdist, args.to, targets)
    files = [sdist, *wheels]
    with tempfile.TemporaryDirectory() as folder:
        again = build_sdist(Path(folder))
        check_same(files, [again, *build_wheels(again, Path(folder), targets)])
    print("built twice: the same bytes")
    for wheel in wheels:
        library = check_wheel(wheel)
        print(f"{_size(wheel)}: library {library.size / 1e3:.0f} KB, needs {library.needs}")
    _run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)])
    print("metadata and description: accepted by twine")
    bill = sbom.write(args.to)
    sbom.check(bill)
    print(f"{bill}: valid CycloneDX")
    print(f"{write_sums(args.to, (*files, bill))}: written")
    if args.run:
        _try(sdist, wheels)


def build_sdist(folder: Path) -> Path:
    """Build the source distribution and return its path.

    Raises:
        RuntimeError: it was not built; the message holds what the build said.
    """
    return _hatchling(ROOT, folder, "sdist")


def build_wheels(sdist: Path, folder: Path, targets: Iterable[str]) -> list[Path]:
    """Build wheels for targets of :data:`hatch_build.TARGETS` from a source distribution.

    Raises:
        RuntimeError: one was not built; the message holds what the build said.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked, filter="data")
        source = Path(unpacked, sdist.name.removesuffix(".tar.gz"))
        return [_hatchling(source, folder, "wheel", IPMDAE_TARGET=target) for target in targets]


def _hatchling(source: Path, folder: Path, kind: str, **variables: str) -> Path:
    """Build one file, dated by the last commit."""
    variables["SOURCE_DATE_EPOCH"] = _run(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.resolve()) as aside:
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", aside]
        _run(command, source, **variables)
        (built,) = Path(aside).iterdir()
        return built.replace(folder / built.name)


def _run(command: list[str], cwd: Path | None = None, **variables: str) -> str:
    """Run a program in this environment with further variables, and return its output."""
    return run(command, cwd, **{**os.environ, **variables})


def check_same(first: Iterable[Path], second: Iterable[Path]) -> None:
    """Compare two builds, file by file.

    Raises:
        RuntimeError: a file differs; the message names it.
    """
    for one, other in zip(first, second, strict=True):
        if digest(one) != digest(other):
            raise RuntimeError(f"{one} came out otherwise when it was built again")


def write_sums(folder: Path, files: Iterable[Path]) -> Path:
    """Write the SHA-256 of files as ``sha256sum --check`` reads them."""
    path = folder / SUMS
    with replacing(path) as aside:
        lines = [f"{digest(file)}  {file.name}\n" for file in files]
        aside.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def _try(sdist: Path, wheels: list[Path]) -> None:
    found = pythons()
    here = set(sys_tags())
    for wheel in wheels:
        _, _, _, tags = parse_wheel_filename(wheel.name)
        if not tags & here:
            print(f"{wheel.name}: NOT RUN: this machine cannot")
            continue
        for version in VERSIONS:
            if version not in found:
                print(f"{wheel.name}: NOT RUN: there is no python{version}")
                continue
            print(f"{wheel.name}, Python {version}: {try_package(found[version], wheel)}")
    outcome = try_package(Path(sys.executable), sdist, PATH=os.environ["PATH"])
    print(f"{sdist.name}, built in a fresh environment: {outcome}")
    with tempfile.TemporaryDirectory() as folder:
        programs = fresh(Path(sys.executable), Path(folder), "cffconvert")
        said = run([str(programs / "cffconvert"), "--validate", "-i", str(ROOT / "CITATION.cff")])
        print(f"CITATION.cff: {said}")
    if sys.platform == "linux":
        from tools.try_conda import try_conda

        print(f"{try_conda(sdist)}: built from the recipe, installed, its tests passed")


def _size(path: Path) -> str:
    return f"{path} ({path.stat().st_size / 1e6:.2f} MB)"


if __name__ == "__main__":
    show.run(main)
