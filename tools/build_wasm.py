"""Builds the native core as WebAssembly: ``python -m tools.build_wasm --to web/public``.

Writes ``ipmdae.wasm``, which ``web/src/core/network.ts`` loads. The library uses 128-bit vectors
and one thread, imports nothing, and exports the C interface, ``malloc`` and ``free``. Needs the
package ``ziglang``, whose C library the first run compiles as well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ipmdae.files import replacing
from tools.interface import interface

NATIVE = Path(__file__).resolve().parent.parent / "native"
ZIG = [sys.executable, "-m", "ziglang", "c++", "-target", "wasm32-wasi", "-O3"]
COMPILE = [
    "-std=c++17",
    "-g0",
    "-msimd128",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
    "-DIPMDAE_KERNELS=generic",
]
# Without zig's C++ library, whose part in this is wasm/runtime.cpp.
LINK = ["-nostdlib++", "-mexec-model=reactor", "-s", "-Wl,--gc-sections"]
SOURCES = (
    "kernels.cpp",
    "dispatch.cpp",
    "network.cpp",
    "scan.cpp",
    "causal_convolution.cpp",
    "wasm/runtime.cpp",
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.build_wasm", description="Build the core as WebAssembly."
    )
    parser.add_argument("--to", type=Path, default=Path("web/public"), help="folder to write to")
    args = parser.parse_args(arguments)
    library = build_wasm(args.to)
    print(f"written to {library} ({library.stat().st_size / 1e3:.0f} KB)")


def build_wasm(folder: Path) -> Path:
    """Build ``ipmdae.wasm`` into ``folder`` and return its path.

    Raises:
        RuntimeError: the compiler failed; the message holds what it said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        objects = [str(Path(temporary, f"{i}.o")) for i in range(len(SOURCES))]
        with ThreadPoolExecutor() as pool:
            commands = [
                [*ZIG, *COMPILE, "-c", str(NATIVE / source), "-o", path]
                for source, path in zip(SOURCES, objects, strict=True)
            ]
            list(pool.map(_run, commands))
        exports = [f"-Wl,--export={name}" for name in ("malloc", "free", *sorted(interface()))]
        with replacing(folder / "ipmdae.wasm") as aside:
            _run([*ZIG, *LINK, *exports, *objects, "-o", str(aside)])
    return folder / "ipmdae.wasm"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")


if __name__ == "__main__":
    main()
