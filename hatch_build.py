"""Builds the C++ core in ``native/`` and puts it into the wheel.

Uses the machine's C++ compiler where one works, and otherwise the one in the package ``ziglang``,
which the build then asks for. Without either, the wheel is built without the library: the package
works, slower. ``python hatch_build.py [FOLDER]`` builds by hand, in place without a folder.

Environment: ``CXX`` names the compiler; ``IPMDAE_COMPILER=zig`` takes the one in ``ziglang`` even
where another works.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

ROOT = Path(__file__).resolve().parent
LIBRARY = "libipmdae" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
IN_PLACE = ROOT / "src" / "ipmdae" / "_native"

# No -ffast-math: linked into a shared library, it makes the whole process drop denormals.
FLAGS = [
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
]
SOURCES = ("dispatch", "network", "pool", "scan", "terminate")
# The kernels are compiled once for each instruction set, under the name that native/ looks for;
# those for the oldest processors to be small, the others to be quick.
X86_KERNELS = {
    "sse42": ["-msse4.2", "-Os"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"],
}
# Without the C++ runtime as a dependency, the library loads beside an older one, as in conda.
LINK_ATTEMPTS: tuple[list[str], ...] = (
    ["-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL,--gc-sections"],
    [],
)


class NativeBuildError(RuntimeError):
    """No compiler was found, or it did not compile the library."""


def find_compiler() -> list[str] | None:
    """The command of a C++17 compiler that works on this machine, None where there is none."""
    if os.environ.get("IPMDAE_COMPILER") == "zig":
        return None
    named = os.environ.get("CXX")
    commands = [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]
    return next((command for command in commands if _compiles(command)), None)


def _compiles(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "try.cpp")
        source.write_text("#include <thread>\nint main() { std::thread([] {}).join(); }\n")
        arguments = [*command, *FLAGS, str(source), "-o", str(Path(folder, "try"))]
        return subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def _zig() -> list[str]:
    if importlib.util.find_spec("ziglang") is None:
        raise NativeBuildError("there is no working C++ compiler, nor the package ziglang")
    # Zig would otherwise compile everything for this very processor, baseline code included.
    baseline = ["-mcpu=baseline"] if _is_x86() else []
    return [sys.executable, "-m", "ziglang", "c++", *baseline]


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NativeBuildError(f"{shlex.join(arguments)} failed:\n{done.stderr}")


def build(folder: Path) -> Path:
    """Compile ``native/`` to a shared library in ``folder`` and return its path.

    Raises:
        NativeBuildError: no compiler, or an error while compiling.
    """
    compiler = find_compiler() or _zig()
    native = ROOT / "native"
    kernels = X86_KERNELS if _is_x86() else {"generic": []}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        jobs = {
            name: [native / "kernels.cpp", f"-DIPMDAE_KERNELS={name}", *flags]
            for name, flags in kernels.items()
        }
        jobs |= {name: [native / f"{name}.cpp"] for name in SOURCES}
        objects = {name: str(Path(temporary, f"{name}.o")) for name in jobs}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            commands = [
                [*compiler, *FLAGS, "-c", *map(str, job), "-o", objects[name]]
                for name, job in jobs.items()
            ]
            list(pool.map(_run, commands))
        library = Path(temporary, LIBRARY)
        _link([*compiler, "-shared", "-pthread", "-s", *objects.values(), "-o", str(library)])
        return library.replace(folder / LIBRARY)


def _link(command: list[str]) -> None:
    *attempts, last = LINK_ATTEMPTS
    for extra in attempts:
        try:
            return _run([*command, *extra])
        except NativeBuildError:
            continue
    _run([*command, *last])


def _platform() -> str:
    """This machine's platform tag: on Linux the plain one, which claims no older system."""
    if sys.platform == "linux":
        return sysconfig.get_platform().replace("-", "_")
    return next(iter(platform_tags()))


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds the library to a wheel, or builds it in place for an editable installation."""

    def dependencies(self) -> list[str]:
        return [] if self.target_name != "wheel" or find_compiler() else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        self._temporary = tempfile.TemporaryDirectory()
        folder = IN_PLACE if version == "editable" else Path(self._temporary.name)
        try:
            library = build(folder)
        except NativeBuildError as error:
            self.app.display_warning(f"ipmdae is built without its native library: {error}")
            return
        if version != "editable":
            build_data["force_include"][str(library)] = f"ipmdae/_native/{LIBRARY}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self._temporary.cleanup()


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else IN_PLACE))
