"""Trial of a package in a fresh environment: it denoises an example as this tree does."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import ipmdae
from ipmdae import examples
from tools.environments import fresh, run

EXAMPLE = "118e24_excerpt"
TOLERANCE = 1e-4
"""Largest difference, in standard deviations of the signal; libraries differ in rounding."""

_NATIVE = """
import importlib.util
from ipmdae import native
from ipmdae.commands.web_server import page_files
assert "/ipmdae.wasm" in page_files()
assert importlib.util.find_spec("torch") is None and native.available()
print(native.instruction_set())
"""


def try_package(python: Path, package: Path, **environment: str) -> str:
    """Install a wheel or a source distribution without torch, and denoise an example.

    Args:
        python: interpreter of the fresh environment.
        package: to install with its dependencies.
        environment: variables of the installation; by default no PATH: no compiler is found.

    Returns:
        The instruction set that it used, and the difference from this tree's output.

    Raises:
        RuntimeError: the installation or the denoising failed, or the output is another.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        programs = fresh(python, work / "env", str(package.resolve()), **environment)
        instructions = run([str(programs / "python"), "-c", _NATIVE], cwd=work)
        command = str(programs / "ipmdae")
        run([command, "example"], cwd=work)
        run([command, "denoise", f"example/{EXAMPLE}", "-o", "cleaned.npz"], cwd=work)
        cleaned = ipmdae.read(work / "cleaned.npz").signal
    difference = float(np.abs(cleaned - expected()).max() / expected().std())
    if not difference < TOLERANCE:
        raise RuntimeError(f"{package} denoises otherwise: {difference:.1e} standard deviations")
    return f"{instructions}, within {difference:.1e} standard deviations of this tree"


@cache
def expected() -> NDArray[np.float64]:
    """The example as this tree denoises it."""
    return ipmdae.denoise(ipmdae.read(examples.path(EXAMPLE))).signal
