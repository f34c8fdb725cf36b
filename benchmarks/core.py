"""roofline.cpp: what one core can do, measured with the code and flags of the native library."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.part import ROOT, UnavailableError
from benchmarks.products import Plan

_LINE = 64  # bytes

_pointer, _size, _real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
_SIGNATURES: dict[str, tuple[list[type], type | None]] = {
    "width": ([], ctypes.c_int),
    "chunk": ([], ctypes.c_int),
    "chains": ([], ctypes.c_int),
    "multiply_add": ([_size, _real], ctypes.c_float),
    "triad": ([_size, _real, _pointer, _pointer, _pointer], None),
    "matrices": ([_pointer, _size], _pointer),
    "products": ([_pointer, _pointer, _size, _pointer, _pointer], None),
}


class Core:
    """The compiled functions.

    Attributes:
        width: floats in a vector.
        chunk: rows that go through a Mamba block at once.
        flops: floating-point operations of a step of :meth:`multiply_add`.

    Raises:
        UnavailableError: there is no compiler, or what the build needs is not installed.
    """

    def __init__(self, instruction_set: str) -> None:
        self._library = _compile(instruction_set)
        for name, (arguments, result) in _SIGNATURES.items():
            function = getattr(self._library, f"roofline_{name}")
            function.argtypes, function.restype = arguments, result
        self.width: int = self._library.roofline_width()
        self.chunk: int = self._library.roofline_chunk()
        self.flops: int = 2 * self.width * self._library.roofline_chains()

    def multiply_add(self, steps: int) -> None:
        """Multiply and add in registers, without waiting for memory or for results."""
        self._library.roofline_multiply_add(steps, 0.999)

    def triad(self, a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]) -> None:
        """a = b + 3 c, of :func:`aligned` arrays."""
        vectors = len(a) // self.width
        self._library.roofline_triad(vectors, 3.0, *(x.ctypes.data for x in (a, b, c)))


class Products:
    """The products of a plan, ready to run; weights and inputs are made up."""

    def __init__(self, core: Core, plan: Plan) -> None:
        self._library, self._plan = core._library, plan
        sizes = np.array([[p.depth, p.columns] for p in plan.products], np.int64)
        self._matrices = self._library.roofline_matrices(sizes.ctypes.data, len(sizes))
        self._calls = np.array(plan.calls, np.int64)
        self._memory = aligned(plan.floats)
        self._memory[:] = np.random.default_rng(0).standard_normal(plan.floats, np.float32)

    def run(self) -> NDArray[np.float64]:
        """Run all once; the seconds of each product."""
        seconds = np.zeros(len(self._plan.products))
        self._library.roofline_products(
            self._matrices,
            self._calls.ctypes.data,
            len(self._calls),
            self._memory.ctypes.data,
            seconds.ctypes.data,
        )
        return seconds


def aligned(floats: int) -> NDArray[np.float32]:
    """An array of ones that begins with a cache line."""
    spare = _LINE // 4
    array = np.ones(floats + spare, np.float32)
    first = -array.ctypes.data % _LINE // 4
    return array[first : first + floats]


def _compile(instruction_set: str) -> ctypes.CDLL:
    try:
        from hatch_build import FLAGS, X86_KERNELS, find_compiler
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{error.name} is not installed, which the build needs") from error
    compiler = find_compiler()
    if compiler is None:
        raise UnavailableError("there is no C++ compiler")
    flags = [*FLAGS, *X86_KERNELS.get(instruction_set, []), "-Wno-unused-function"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "roofline.so")
        source = str(Path(__file__).with_name("roofline.cpp"))
        command = [*compiler, *flags, "-shared", f"-I{ROOT / 'native'}", source, "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnavailableError(f"roofline.cpp does not compile: {done.stderr.strip()[-500:]}")
        return ctypes.CDLL(str(target))
