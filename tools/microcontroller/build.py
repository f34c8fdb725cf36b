"""Compilers and emulators for exported networks: this machine, and Arm boards in QEMU.

The board's programs need Debian's packages gcc-arm-none-eabi, libnewlib-arm-none-eabi and
qemu-system-arm.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
GCC, SIZE, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"

WARNINGS = ("-Wall", "-Wextra", "-Wdouble-promotion", "-Werror")
STRICT = ("-std=c99", "-Wpedantic", "-Wconversion", "-Wshadow", *WARNINGS)
OPTIMISED = ("-std=gnu99", "-O2", "-fno-math-errno", *WARNINGS)
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")

Array = NDArray[np.float32]


class Board(NamedTuple):
    """A board that QEMU emulates, with the memory of the goal.

    Attributes:
        flags: of the compiler.
        machine: name in QEMU.
        flash: address of the code.
        ram: address of the data.
    """

    flags: tuple[str, ...]
    machine: str
    flash: int
    ram: int


BOARDS = {
    "Cortex-M4F": Board(
        ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"), "mps2-an386", 0x00000000, 0x20000000
    ),
    "Cortex-M55": Board(("-mcpu=cortex-m55",), "mps3-an547", 0x10000000, 0x30000000),
}


class Measured(NamedTuple):
    """A run of firmware with one network.

    Attributes:
        output: (time, 2), cleaned samples and deviation in mV.
        flash: bytes of code and constants, of the whole firmware.
        ram: bytes of the state, of buffers for the output, and of the deepest stack.
        instructions: of the call that takes most.
    """

    output: Array
    flash: int
    ram: int
    instructions: int


def missing_tools() -> str:
    """Names of programs for boards that are not installed."""
    return ", ".join(name for name in (GCC, SIZE, QEMU) if shutil.which(name) is None)


def build_host(header: Path, flags: tuple[str, ...] = ("-O2",)) -> Path:
    """Compile an exported network for this machine, all warnings being errors.

    Raises:
        RuntimeError: the compiler failed; the message has its output.
    """
    program = header.with_name("denoise")
    _run(
        ["cc", *STRICT, *flags, *_sources(header, "host.c"), "-lm", "-o", str(program)],
        header.parent,
    )
    return program


def run_host(program: Path, samples: Array, seed: int = 0) -> Array:
    """Denoise samples (time,) in mV in blocks of random sizes: (time, 2).

    Raises:
        RuntimeError: the program failed; the message has its output.
    """
    done = subprocess.run(
        [program, str(seed)],
        input=samples.astype("<f4").tobytes(),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return np.frombuffer(done.stdout, "<f4").reshape(-1, 2)


def run_board(board: Board, header: Path, samples: Array) -> Measured:
    """Denoise samples (time,) in mV on a board, one by one.

    Raises:
        RuntimeError: the firmware does not fit the board's memory, or a program failed; the
            message has its output.
    """
    folder = header.parent
    addresses = f"-Wl,--defsym=FLASH={board.flash:#x},--defsym=RAM={board.ram:#x}"
    layout = ["-nostartfiles", "--specs=nosys.specs", "-T", str(FOLDER / "board.ld"), addresses]
    flags = [*OPTIMISED, *SECTIONS, "-mthumb", "-mfloat-abi=hard", *board.flags, *layout]
    _run([GCC, *flags, *_sources(header, "firmware.c"), "-lm", "-o", "firmware.elf"], folder)
    samples.astype("<f4").tofile(folder / "input.f32")
    semihosting = ["-semihosting-config", "enable=on,target=native", "-icount", "shift=0"]
    display = ["-display", "none", "-serial", "none", "-monitor", "none"]
    firmware = ["-machine", board.machine, "-kernel", "firmware.elf"]
    _run([QEMU, *firmware, *semihosting, *display], folder)
    text, data, bss = map(int, _run([SIZE, "firmware.elf"], folder).splitlines()[1].split()[:3])
    two_million, ticks, stack = np.fromfile(folder / "measured.bin", "<u4").tolist()
    output = np.fromfile(folder / "output.f32", "<f4").reshape(-1, 2)
    instructions = round(ticks * 2_000_000 / two_million)
    return Measured(output, text + data, data + bss + stack, instructions)


def _sources(header: Path, main: str) -> list[str]:
    source = header.with_suffix(".c")
    return [f'-DHEADER="{header.name}"', f"-I{header.parent}", str(FOLDER / main), str(source)]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
