"""Size of the library and the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.part import ROOT, Goal, Results, Settings, UnavailableError
from benchmarks.tables import number, table

NAME = "size"
TITLE = "Size"


def measure(settings: Settings) -> Results:
    with TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            files = {info.filename: info.file_size for info in archive.infolist()}
        library = [size for name, size in files.items() if "/_native/" in name]
        if not library:
            raise UnavailableError("the wheel was built without the native library: no compiler")
        weights = {
            Path(name).stem: size for name, size in files.items() if name.endswith(".safetensors")
        }
        return {
            "wheel": wheel.stat().st_size,
            "unpacked": sum(files.values()),
            "library": sum(library),
            "weights": weights,
        }


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree, built into ``folder``."""
    # Where the build's requirements are installed, nothing needs to be fetched.
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation]
    done = subprocess.run(
        [*pip, "--wheel-dir", str(folder), str(ROOT)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise UnavailableError(f"no wheel could be built: {done.stderr.strip()[-500:]}")
    (wheel,) = folder.glob("*.whl")
    return wheel


def section(results: Results) -> str:
    rows = [
        ["shared library, all instruction sets", _kilobytes(results["library"])],
        *([f"weights of {name}", _kilobytes(size)] for name, size in results["weights"].items()),
        ["wheel, unpacked", _kilobytes(results["unpacked"])],
        ["wheel", _kilobytes(results["wheel"])],
    ]
    return table(["", "kB (10^3 bytes)"], rows)


def _kilobytes(count: int) -> str:
    return number(count / 1e3)


def goals(results: Results) -> list[Goal]:
    return [Goal(figure="shared library (kB)", bound=300.0, value=results["library"] / 1e3)]
