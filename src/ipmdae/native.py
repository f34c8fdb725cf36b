"""The C++ library of ``native/``, called through ctypes: selective scan and whole networks.

The recurrence of Mamba (Gu and Dao, 2023), for each item of a batch, d channels and n states:

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t,    y_t = C_t . h_t + D u_t

Arrays are float32 and C-contiguous: u, delta, y, dy (batch, length, d), with delta >= 0 (its
softplus is already taken); A (d, n), <= 0; B, C (batch, length, n); D (d,); h (batch, d, n).
Results are the same to the last bit for any number of threads.

Environment: ``IPMDAE_NATIVE`` names another library file, ``IPMDAE_ISA`` an instruction set
narrower than the processor's best (avx512, avx2, sse42), ``IPMDAE_NUM_THREADS`` or else
``OMP_NUM_THREADS`` the threads, otherwise as many as there are processors to run on.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "available",
    "convolution_backward_pointers",
    "convolution_forward_pointers",
    "default_threads",
    "gated_scan_backward_pointers",
    "gated_scan_forward_pointers",
    "instruction_set",
    "library",
    "network_close",
    "network_open",
    "network_run",
    "processors",
    "scan_backward_pointers",
    "scan_forward",
    "scan_forward_pointers",
    "set_threads",
]

Array = NDArray[np.float32]

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
_pointer, _size, _int = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_INTERFACE = 3  # IPMDAE_INTERFACE of native/ipmdae.h
_SIGNATURES: dict[str, tuple[list[type], type | None]] = {
    "ipmdae_instruction_set": ([], ctypes.c_char_p),
    "ipmdae_set_instruction_set": ([ctypes.c_char_p], _int),
    "ipmdae_set_threads": ([_int], None),
    "ipmdae_scan_forward": ([_pointer] * 9 + [_size] * 4, _int),
    "ipmdae_scan_backward": ([_pointer] * 13 + [_size] * 4, _int),
    "ipmdae_gated_scan_forward": ([_pointer] * 9 + [_size] * 6, _int),
    "ipmdae_gated_scan_backward": ([_pointer] * 16 + [_size] * 6, _int),
    "ipmdae_convolution_forward": ([_pointer] * 4 + [_size] * 5, _int),
    "ipmdae_convolution_backward": ([_pointer] * 7 + [_size] * 5, _int),
    "ipmdae_network_open": ([_pointer, _size, _pointer, _pointer, _size, _pointer], _int),
    "ipmdae_network_run": ([_pointer, *[_pointer, _size] * 2, _size, _size], _int),
    "ipmdae_network_close": ([_pointer], None),
    "ipmdae_exp": ([_pointer, _pointer, _size], None),
}


@cache
def library() -> ctypes.CDLL | None:
    """The loaded library, or None (after one warning) where it was not built or does not load.

    Raises:
        ValueError: ``IPMDAE_ISA`` names an instruction set that this processor does not support.
    """
    built = Path(__file__).parent / "_native" / f"libipmdae{_SUFFIX}"
    path = Path(os.environ.get("IPMDAE_NATIVE") or built)
    try:
        loaded = ctypes.CDLL(str(path))
        if not hasattr(loaded, "ipmdae_interface") or loaded.ipmdae_interface() != _INTERFACE:
            raise OSError(f"{path} is of another version of ipmdae")
    except OSError as error:
        warnings.warn(
            f"ipmdae runs without its native library, many times slower: {error}. Install a C++ "
            "compiler or the package ziglang and install ipmdae again to build it.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    for name, (arguments, result) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = arguments, result
    wanted = os.environ.get("IPMDAE_ISA")
    if wanted and loaded.ipmdae_set_instruction_set(wanted.encode()):
        raise ValueError(f"IPMDAE_ISA={wanted} is not an instruction set of this processor")
    loaded.ipmdae_set_threads(default_threads())
    return loaded


def available() -> bool:
    """True if the native library is loaded."""
    return library() is not None


def instruction_set() -> str:
    """Instruction set in use: ``avx512``, ``avx2``, ``sse42`` or ``generic``."""
    name: bytes = _required().ipmdae_instruction_set()
    return name.decode()


def default_threads() -> int:
    """Number of threads, see the module's text."""
    for variable in ("IPMDAE_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable, "")
        if text.isdigit() and int(text) > 0:
            return int(text)
    return processors()


def processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_threads(threads: int | None) -> None:
    """Limit the threads of a call; None restores the number at the start.

    Raises:
        ValueError: ``threads`` is less than 1.
    """
    if threads is None:
        threads = default_threads()
    if threads < 1:
        raise ValueError(f"the number of threads must be at least 1, got {threads}")
    _required().ipmdae_set_threads(threads)


def scan_forward(u: Array, delta: Array, A: Array, B: Array, C: Array, D: Array) -> Array:
    """Output y (batch, length, d) of the scan that starts at the state zero.

    Raises:
        ValueError: an array is not float32, not C-contiguous, or of a shape that does not fit
            the others.
    """
    sizes = _check_inputs(u, delta, A, B, C, D)
    y = np.empty_like(u)
    scan_forward_pointers(*_addresses(u, delta, A, B, C, D), 0, *_addresses(y), 0, *sizes)
    return y


def scan_forward_pointers(*pointers_and_sizes: int) -> None:
    """Forward scan on addresses: u, delta, A, B, C, D, h0, y, h_last, then batch, length, d, n.

    ``h0`` and ``h_last`` may be 0. Only sizes are checked: for callers that hold the memory of
    another library.
    """
    _raise_for(_required().ipmdae_scan_forward(*pointers_and_sizes))


def scan_backward_pointers(*pointers_and_sizes: int) -> None:
    """Backward scan on addresses; only sizes are checked.

    The order is u, delta, A, B, C, D, dy, du, ddelta, dA, dB, dC, dD, then batch, length, d, n.
    """
    _raise_for(_required().ipmdae_scan_backward(*pointers_and_sizes))


def gated_scan_forward_pointers(*pointers_and_sizes: int) -> None:
    """Forward scan of a Mamba block on addresses; only sizes are checked.

    The order is u, s, A, B, C, D, z, y, out, then batch, length, d, n and the floats from one row
    to the next of B and C, and of z.
    """
    _raise_for(_required().ipmdae_gated_scan_forward(*pointers_and_sizes))


def gated_scan_backward_pointers(*pointers_and_sizes: int) -> None:
    """Its gradients; u, s, A, B, C, D, z, y, dout, du, ds, dA, dB, dC, dD, dz, sizes as there."""
    _raise_for(_required().ipmdae_gated_scan_backward(*pointers_and_sizes))


def convolution_forward_pointers(*pointers_and_sizes: int) -> None:
    """Causal convolution and SiLU on addresses; only sizes are checked.

    The order is u, weight, bias, y, then batch, length, d, taps and the floats from one row of u
    to the next.
    """
    _raise_for(_required().ipmdae_convolution_forward(*pointers_and_sizes))


def convolution_backward_pointers(*pointers_and_sizes: int) -> None:
    """Its gradients; u, weight, bias, dy, du, dweight, dbias, sizes as there."""
    _raise_for(_required().ipmdae_convolution_backward(*pointers_and_sizes))


def network_open(description: Sequence[int], tensors: Sequence[Array]) -> int:
    """Open a network and return its handle, to be closed with :func:`network_close`.

    Args:
        description: the architecture as listed at ``ipmdae_network_open`` in native/ipmdae.h.
        tensors: C-contiguous float32 weights, in the order and of the shapes of
            :func:`ipmdae.engine.shapes.expected_shapes`. They are copied.

    Raises:
        ValueError: the description does not match tensors of these sizes.
        MemoryError: the weights do not fit into memory.
    """
    numbers = (ctypes.c_int32 * len(description))(*description)
    pointers = (_pointer * len(tensors))(*_addresses(*tensors))
    sizes = (_size * len(tensors))(*(tensor.size for tensor in tensors))
    handle = _pointer()
    status = _required().ipmdae_network_open(
        numbers, len(numbers), pointers, sizes, len(pointers), ctypes.byref(handle)
    )
    if status == 1:
        raise ValueError(
            "the native library cannot run this network: it takes up to 32 stages, sizes from 1 to "
            f"2^20 and the tensors of the description; got {list(description)} and "
            f"{len(tensors)} tensors of {sum(sizes)} values"
        )
    _raise_for(status)
    assert handle.value is not None
    return handle.value


def network_run(handle: int, windows: Array, result: Array) -> None:
    """Run windows (batch, time, leads) through the network ``handle``.

    Both arrays are float32 and C-contiguous, which is not checked; ``result`` is (batch, time,
    outputs).

    Raises:
        ValueError: the sizes of the arrays do not match the network's leads and outputs.
        MemoryError: the windows are too long for the memory.
    """
    batch, samples, _ = windows.shape
    x, y = _addresses(windows, result)
    status = _required().ipmdae_network_run(handle, x, windows.size, y, result.size, batch, samples)
    if status == 1:
        raise ValueError(
            f"windows {windows.shape} and result {result.shape} do not fit the network's leads and "
            "outputs, or have no samples"
        )
    _raise_for(status)


def network_close(handle: int) -> None:
    """Free the network ``handle``."""
    _required().ipmdae_network_close(handle)


def _required() -> ctypes.CDLL:
    loaded = library()
    if loaded is None:
        raise RuntimeError("the native library is not built: check ipmdae.native.available() first")
    return loaded


def _addresses(*arrays: Array) -> tuple[int, ...]:
    return tuple(array.ctypes.data for array in arrays)


def _raise_for(status: int) -> None:
    if status == 1:
        raise ValueError("sizes must not be negative, and at least one state or tap is needed")
    if status == 2:
        raise MemoryError("not enough memory for the working space: pass shorter or fewer signals")


def _check(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32:
        raise ValueError(f"{name} must be float32, got {array.dtype}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous: pass np.ascontiguousarray({name})")
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")


def _check_inputs(
    u: Array, delta: Array, A: Array, B: Array, C: Array, D: Array
) -> tuple[int, int, int, int]:
    if u.ndim != 3 or A.ndim != 2:
        raise ValueError(
            f"u must be (batch, length, d) and A (d, n), got the shapes {u.shape} and {A.shape}"
        )
    batch, length, d = u.shape
    n = A.shape[1]
    _check("u", u, u.shape)
    _check("delta", delta, u.shape)
    _check("A", A, (d, n))
    _check("B", B, (batch, length, n))
    _check("C", C, (batch, length, n))
    _check("D", D, (d,))
    if A.size and A.max() > 0:
        raise ValueError("A must not be positive: the state would grow without bound")
    if delta.size and delta.min() < 0:
        raise ValueError("delta must not be negative: take its softplus first")
    return batch, length, d, n
