"""Builds the C++ core in ``native/`` and puts it into the wheel.

Uses the machine's C++ compiler where one works, and otherwise the one in the package ``ziglang``,
which the build then asks for. Without either, the wheel is built without the library: the package
works, slower. ``python hatch_build.py [FOLDER]`` builds by hand, in place without a folder.

Environment: ``CXX`` names the compiler; ``IPMDAE_COMPILER=zig`` takes the one in ``ziglang`` even
where another works; ``IPMDAE_TARGET`` names a platform of ``TARGETS`` to build for, with the latter
compiler, in place of this machine.
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
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

ROOT = Path(__file__).resolve().parent
IN_PLACE = ROOT / "src" / "ipmdae" / "_native"


class Target(NamedTuple):
    """A platform to build for.

    Attributes:
        triple: its name in zig, with the oldest system that the library is to run on; none stands
            for this machine.
        suffix: of the names of shared libraries.
        tag: the platform of a wheel, in the words of the Python packaging standards.
        kernels: instruction sets, of which one is chosen at run time, and their flags.
    """

    triple: str | None
    suffix: str
    tag: str
    kernels: dict[str, list[str]]

    @property
    def library(self) -> str:
        """The library's file name."""
        return f"libipmdae{self.suffix}"


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
SOURCES = ("causal_convolution", "dispatch", "network", "pool", "scan", "terminate")
# The kernels are compiled once for each instruction set, under the name that native/ looks for;
# those for the oldest processors to be small, the others to be quick.
X86_KERNELS = {
    "sse42": ["-msse4.2", "-Os"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"],
}
OTHER_KERNELS: dict[str, list[str]] = {"generic": []}  # of the compiler's vectors: NEON on ARM
# The systems that wheels are made for, by the names that IPMDAE_TARGET knows.
TARGETS = {
    "linux-x86_64": Target(
        "x86_64-linux-gnu.2.17", ".so", "manylinux_2_17_x86_64.manylinux2014_x86_64", X86_KERNELS
    ),
    "linux-aarch64": Target(
        "aarch64-linux-gnu.2.17",
        ".so",
        "manylinux_2_17_aarch64.manylinux2014_aarch64",
        OTHER_KERNELS,
    ),
    "macos-arm64": Target("aarch64-macos.11.0", ".dylib", "macosx_11_0_arm64", OTHER_KERNELS),
    "windows-x86_64": Target("x86_64-windows-gnu", ".dll", "win_amd64", X86_KERNELS),
}
# Only what the C interface names is exported, and what it does not need is left out. On Linux the
# C++ runtime goes in too: without it as a dependency the library loads beside an older one, as in
# conda. Zig puts it in everywhere.
LINK_FLAGS = {
    ".so": [
        "-static-libstdc++",
        "-static-libgcc",
        f"-Wl,--version-script={ROOT / 'native' / 'exports.map'}",
        "-Wl,--gc-sections",
    ],
    ".dylib": ["-Wl,-dead_strip", "-Wl,-install_name,@rpath/libipmdae.dylib"],
    ".dll": ["-Wl,--gc-sections"],
}


class NativeBuildError(RuntimeError):
    """No compiler was found, or it did not compile the library."""


def find_target() -> Target:
    """The platform to build for: this machine, or what ``IPMDAE_TARGET`` names.

    Raises:
        ValueError: it names none of ``TARGETS``.
    """
    name = os.environ.get("IPMDAE_TARGET")
    if name is None:
        suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
        is_x86 = platform.machine().lower() in ("x86_64", "amd64")
        return Target(None, suffix, _platform(), X86_KERNELS if is_x86 else OTHER_KERNELS)
    if name not in TARGETS:
        raise ValueError(f"IPMDAE_TARGET={name} is none of {', '.join(TARGETS)}")
    return TARGETS[name]


def find_compiler() -> list[str] | None:
    """The command of a C++17 compiler that works here, None where it is to be ziglang's."""
    if os.environ.get("IPMDAE_COMPILER") == "zig" or "IPMDAE_TARGET" in os.environ:
        return None
    named = os.environ.get("CXX")
    commands = [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]
    if sys.platform == "win32" and not named:
        commands = []  # GCC for Windows keeps wide vectors where their instructions crash
    return next((command for command in commands if _compiles(command)), None)


def _compiles(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "try.cpp")
        source.write_text("#include <thread>\nint main() { std::thread([] {}).join(); }\n")
        arguments = [*command, *FLAGS, str(source), "-o", str(Path(folder, "try"))]
        return subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def _zig(target: Target) -> list[str]:
    if importlib.util.find_spec("ziglang") is None:
        raise NativeBuildError("there is no working C++ compiler, nor the package ziglang")
    command = [sys.executable, "-m", "ziglang", "c++"]
    if target.triple:
        command += ["-target", target.triple]
    if target.kernels is X86_KERNELS:
        # Zig would otherwise compile everything for this very processor, baseline code included.
        command += ["-mcpu=baseline"]
    return command


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NativeBuildError(f"{shlex.join(arguments)} failed:\n{done.stderr}")


def build(folder: Path) -> Path:
    """Compile ``native/`` to a shared library in ``folder`` and return its path.

    Raises:
        NativeBuildError: no compiler, or an error while compiling.
        ValueError: as :func:`find_target`.
    """
    target = find_target()
    compiler = find_compiler() or _zig(target)
    native = ROOT / "native"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        jobs = {
            name: [native / "kernels.cpp", f"-DIPMDAE_KERNELS={name}", *flags]
            for name, flags in target.kernels.items()
        }
        jobs |= {name: [native / f"{name}.cpp"] for name in SOURCES}
        objects = {name: str(Path(temporary, f"{name}.o")) for name in jobs}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            commands = [
                [*compiler, *FLAGS, "-c", *map(str, job), "-o", objects[name]]
                for name, job in jobs.items()
            ]
            list(pool.map(_run, commands))
        library = Path(temporary, target.library)
        strip = [] if "-g" in compiler else ["-s"]
        command = [*compiler, "-shared", "-pthread", *strip, *objects.values(), "-o", str(library)]
        _link(command, LINK_FLAGS[target.suffix])
        return library.replace(folder / target.library)


def _link(command: list[str], flags: list[str]) -> None:
    """Link, without ``flags`` where the linker does not know them."""
    try:
        _run([*command, *flags])
    except NativeBuildError:
        _run(command)


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
            if "IPMDAE_TARGET" in os.environ:
                raise
            self.app.display_warning(f"ipmdae is built without its native library: {error}")
            return
        if version != "editable":
            build_data["force_include"][str(library)] = f"ipmdae/_native/{library.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{find_target().tag}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel":
            self._temporary.cleanup()


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else IN_PLACE))
