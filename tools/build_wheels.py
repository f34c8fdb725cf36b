"""Builds the wheels of all platforms on this machine: ``python -m tools.build_wheels --to dist``.

Each is built by ``hatch_build.py`` with the cross-compiler of the package ``ziglang``, and checked
by :mod:`tools.check_wheel`; a bill of materials (:mod:`tools.sbom`) is written beside them. The
first run also compiles, once for each platform, the C and C++ libraries that zig holds as source, a
minute or two each; zig keeps them. The web page is part of each wheel. With ``--run``, the wheel
for this machine is installed into a new environment, where it cleans a recording without torch and
without a compiler. Needs the extras ``dev`` and ``test``, and Node.js with npm.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from hatch_build import TARGETS
from tools import sbom
from tools.build_web import build_web
from tools.check_wheel import check_wheel

# What a new environment must do: clean an example by the native library, without torch.
TRIAL = """
import importlib.util
import numpy as np
import ipmdae
from ipmdae import examples, native
from ipmdae.commands.web_server import page_files
assert importlib.util.find_spec("torch") is None and native.available()
assert "/ipmdae.wasm" in page_files()
recording = ipmdae.read(examples.path(examples.names()[0]))
native_signal, oracle = (
    ipmdae.Denoiser(backend=backend).denoise(recording).signal for backend in ("native", "numpy")
)
assert np.abs(native_signal - oracle).max() < 1e-4 * oracle.std()
print(native.instruction_set())
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.build_wheels", description="Build and check wheels."
    )
    parser.add_argument("--to", type=Path, default=Path("dist"), help="folder to write to")
    parser.add_argument(
        "--target",
        action="append",
        choices=TARGETS,
        help="a platform to build for; can be given again (default: all)",
    )
    parser.add_argument(
        "--run", action="store_true", help="install the wheel for this machine, and run it"
    )
    args = parser.parse_args(arguments)
    build_web()
    for target in args.target or TARGETS:
        begin = time.perf_counter()
        wheel = build_wheel(target, args.to)
        library = check_wheel(wheel)
        print(
            f"{wheel}: {wheel.stat().st_size / 1e6:.2f} MB, library {library.size / 1e3:.0f} KB, "
            f"built in {time.perf_counter() - begin:.0f} s\n"
            f"  needs {library.needs}\n"
            f"  tag, RECORD, machine and symbols checked; {_outcome(wheel, args.run)}"
        )
    print(f"bill of materials: {sbom.write(args.to)}")


def build_wheel(target: str, folder: Path) -> Path:
    """Build the wheel of a platform of :data:`hatch_build.TARGETS` and return its path.

    Raises:
        RuntimeError: it was not built; the message holds what the build said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.resolve())],
        env={**os.environ, "IPMDAE_TARGET": target},
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the wheel for {target} was not built:\n{done.stdout}")
    return folder / Path(done.stdout.strip().splitlines()[-1]).name


def run_wheel(wheel: Path) -> str:
    """Install a wheel into a new environment and clean a recording there.

    Returns:
        The instruction set that it used.

    Raises:
        RuntimeError: the installation or the cleaning failed; the message holds what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "Scripts" if sys.platform == "win32" else "bin", "python")
        # No PATH: no compiler.
        environment = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
        for arguments in (["-m", "pip", "install", "-q", str(wheel.resolve())], ["-c", TRIAL]):
            done = subprocess.run(
                [str(python), *arguments],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise RuntimeError(f"{wheel} does not work:\n{done.stderr}")
    return done.stdout.strip()


def _outcome(wheel: Path, run: bool) -> str:
    _, _, _, tags = parse_wheel_filename(wheel.name)
    if not tags & set(sys_tags()):
        return "NOT RUN: this machine cannot"
    if not run:
        return "not run: --run does"
    return f"run in a new environment, with {run_wheel(wheel)}"


if __name__ == "__main__":
    main()
