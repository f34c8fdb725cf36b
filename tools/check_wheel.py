"""Check that a wheel conforms to its name: ``python -m tools.check_wheel dist/*.whl``.

The files are those of RECORD, and the library is of the tag's machine, asks for no newer system
than the tag says and for no library but the system's, and exports the C interface and nothing else.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import lief
from packaging.utils import parse_wheel_filename

from tools.interface import interface

lief.logging.disable()  # it writes to the console of parts that are of no matter here

# Parts of every installation of their systems, the first of glibc.
SYSTEM_LIBRARIES = re.compile(
    r"(ld-linux-(x86-64|aarch64)|lib(c|m|dl|pthread))\.so\.\d"
    r"|/usr/lib/libSystem\.B\.dylib"
    r"|KERNEL32\.dll|api-ms-win-crt-\w+-l1-1-0\.dll"
)
# On macOS zig exports the C++ runtime's allocation too; names there begin with one more _.
ALLOCATION = re.compile(r"__Z(n[aw]|d[al])\w*")
MACHINE = {
    "x86_64": "X86_64",
    "amd64": "AMD64",
    "aarch64": "AARCH64",
    "arm64": "ARM64",
}


class WheelError(ValueError):
    """A wheel does not conform to its name."""


@dataclass(frozen=True)
class Library:
    """Metadata of a shared library.

    Attributes:
        size: bytes of its file.
        machine: the processor's name in its format.
        system: oldest glibc or macOS that has what it asks for; (0, 0) for Windows, which is asked
            for what all versions have that run Python.
        needs: names of the libraries that it loads.
        exports: names that it offers.
    """

    size: int
    machine: str
    system: tuple[int, int]
    needs: list[str]
    exports: set[str]


def check_wheel(path: Path) -> Library:
    """Check a wheel and return what its library says.

    Raises:
        WheelError: the wheel does not conform to its name.
    """
    _, _, _, tags = parse_wheel_filename(path.name)
    with ZipFile(path) as wheel:
        _check_record(wheel, path)
        names = [name for name in wheel.namelist() if "/_native/libipmdae." in name]
        if len(names) != 1:
            raise WheelError(f"{path}: one native library was expected, found {names}")
        data = wheel.read(names[0])
        _require(f"{path}: WHEEL", set(map(str, tags)), _stated_tags(wheel))
    library = read_library(data)
    platforms = [tag.platform for tag in tags]
    for platform in platforms:
        where = f"{path}: library for {platform}"
        machine = next(MACHINE[end] for end in MACHINE if platform.endswith(end))
        _require(f"{where}: machine", machine, library.machine)
        oldest = _oldest_system(platform)
        if library.system > oldest:
            raise WheelError(f"{where}: needs {library.system}, the tag allows {oldest}")
    unknown = [name for name in library.needs if not SYSTEM_LIBRARIES.fullmatch(name)]
    _require(f"{path}: libraries beyond the system's", [], unknown)
    _require(f"{path}: exported names", interface(), library.exports)
    return library


def read_library(data: bytes) -> Library:
    """Read a shared library in the format of Linux, macOS or Windows.

    Raises:
        WheelError: it is not a library, or one for macOS without the signature that ARM requires.
    """
    binary = lief.parse(data)
    if isinstance(binary, lief.ELF.Binary):
        return _read_elf(binary, len(data))
    if isinstance(binary, lief.MachO.Binary):
        return _read_macho(binary, len(data))
    if isinstance(binary, lief.PE.Binary):
        return _read_pe(binary, len(data))
    raise WheelError("the native library is in no known format")


def _read_elf(binary: lief.ELF.Binary, size: int) -> Library:
    versions = [
        (int(major), int(minor))
        for requirement in binary.symbols_version_requirement
        for symbol in requirement.get_auxiliary_symbols()
        for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", str(symbol.name))
    ]
    return Library(
        size,
        binary.header.machine_type.name,
        max(versions),
        [str(name) for name in binary.libraries],
        {str(symbol.name) for symbol in binary.exported_symbols},
    )


def _read_macho(binary: lief.MachO.Binary, size: int) -> Library:
    version = binary.build_version
    if version is None or not binary.has_code_signature:
        raise WheelError("the library for macOS is not signed, so ARM processors refuse it")
    names = {str(symbol.name) for symbol in binary.exported_symbols}
    return Library(
        size,
        binary.header.cpu_type.name,
        (version.minos[0], version.minos[1]),
        [
            str(command.name)
            for command in binary.libraries
            if command.command is not lief.MachO.LoadCommand.TYPE.ID_DYLIB  # its own name
        ],
        {name[1:] for name in names if not ALLOCATION.match(name)}
        - {"_mh_dylib_header", "__dso_handle"},
    )


def _read_pe(binary: lief.PE.Binary, size: int) -> Library:
    export = binary.get_export()
    return Library(
        size,
        binary.header.machine.name,
        (0, 0),
        [str(library.name) for library in binary.imports],
        {str(entry.name) for entry in export.entries} if export else set(),
    )


def _oldest_system(platform: str) -> tuple[int, int]:
    """The glibc or macOS version in a wheel's platform tag."""
    if platform.startswith("manylinux2014"):
        return 2, 17
    numbers = re.match(r"(?:manylinux|macosx)_(\d+)_(\d+)_", platform)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _stated_tags(wheel: ZipFile) -> set[str]:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    return set(re.findall(r"^Tag: (\S+)$", wheel.read(name).decode(), re.MULTILINE))


def _check_record(wheel: ZipFile, path: Path) -> None:
    record = next(name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
    rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
    _require(f"{path}: files of RECORD", set(wheel.namelist()), {name for name, *_ in rows})
    for name, digest, size in rows:
        if name == record:
            continue
        data = wheel.read(name)
        found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        _require(f"{path}: {name}", (digest, size), (f"sha256={found}", str(len(data))))


def _require(where: str, expected: object, found: object) -> None:
    if found != expected:
        raise WheelError(f"{where}: expected {expected}, found {found}")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        check_wheel(Path(argument))
        print(f"{argument}: ok")
