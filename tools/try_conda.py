"""Trial of the conda recipe: built from the source distribution, installed and tested.

A local channel stands in for conda-forge: this Python with the libraries that pip would install as
one package, and for each requirement of the recipe an empty package of the installed version. So
versions are solved as in conda, the recipe's script runs with the machine's compiler, and its tests
run on the result. Linux on x86-64; needs the extra ``release``.
"""

from __future__ import annotations

import io
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.metadata import distributions
from pathlib import Path

from rattler_build import (
    FileEntry,
    RattlerBuildError,
    Stage0Recipe,
    ToolConfiguration,
    VariantConfig,
    assemble_package,
)
from rattler_build.progress import SimpleProgressCallback

from tools.dependencies import ROOT
from tools.environments import run

RECIPE = ROOT / "packaging" / "conda" / "recipe.yaml"
ON_PYPI = {"matplotlib-base": "matplotlib", "soxr-python": "soxr"}
"""Packages that have another name on conda-forge than on PyPI."""

_COMPILER = {"gxx_linux-64": "14", "sysroot_linux-64": "2.17"}
_LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "site-packages", "test", "tkinter"}
_PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'


def try_conda(sdist: Path) -> str:
    """Build the recipe from a source distribution, install the package and run its tests.

    Returns:
        The package's file name.

    Raises:
        RuntimeError: the recipe is invalid, its build or its tests failed; the message holds the
            log.
    """
    log = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(log):
        recipe, channel = Path(folder, "packaging", "conda"), Path(folder, "channel")
        shutil.copytree(RECIPE.parent, recipe)
        (dist := Path(folder, "dist")).mkdir()
        shutil.copy(sdist, dist)
        try:
            (variant,) = Stage0Recipe.from_file(recipe / RECIPE.name).render(
                VariantConfig.from_file(recipe / "variants.yaml")
            )
            requirements = variant.recipe.requirements
            names = {spec.split()[0] for spec in map(str, requirements.host + requirements.run)}
            _fill(channel, Path(folder), names - {"python"})
            built = variant.run_build(
                tool_config=ToolConfiguration(test_strategy="native"),
                output_dir=channel,
                channels=[channel.as_uri()],
                progress_callback=SimpleProgressCallback(),
            )
        except RattlerBuildError as error:
            raise RuntimeError(f"{log.getvalue()}\nno conda package: {error}") from error
        return Path(built.packages[0]).name


def _fill(channel: Path, folder: Path, names: set[str]) -> None:
    """Assemble Python with libraries, and empty packages of the compiler and the named ones."""
    site, pip = folder / "site", folder / "pip"
    libraries = sorted(ON_PYPI.get(name, name) for name in names)
    run([sys.executable, "-m", "pip", "install", "-q", "--target", str(site), *libraries])
    pip.write_text(_PIP)
    pip.chmod(0o755)
    versions = {found.name.lower(): found.version for found in distributions(path=[str(site)])}
    packages = {name: versions[ON_PYPI.get(name, name)] for name in names} | _COMPILER
    packages["python"] = ".".join(map(str, sys.version_info[:3]))
    for name, version in packages.items():
        files = [FileEntry.from_paths(pip, f"{'bin' if name == 'pip' else 'share/stub'}/{name}")]
        assemble_package(
            *(name, version, "linux-64", "0", channel / "linux-64"),
            files=files if name != "python" else list(_python(site)),
            detect_prefix=False,
            compression_level=1,
        )


def _python(site: Path) -> Iterator[FileEntry]:
    """This Python without what no package needs, and with the libraries in ``site``."""
    base, version = Path(sys.base_prefix), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("python", version):
        yield FileEntry.from_paths(base / "bin" / version, f"bin/{name}")
    for library in base.glob("lib/libpython*.so*"):
        yield FileEntry.from_paths(library, f"lib/{library.name}")
    standard = Path(sysconfig.get_paths()["stdlib"])
    for source, target in ((standard, ""), (site, "site-packages/")):
        for path in source.rglob("*"):
            inside = path.relative_to(source)
            if path.is_file() and not (source == standard and _LEFT_OUT & set(inside.parts)):
                yield FileEntry.from_paths(path, f"lib/{version}/{target}{inside}")
