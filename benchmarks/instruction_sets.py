"""The instruction sets of the native library, switched within a process to be timed in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ipmdae import native

P = ParamSpec("P")
T = TypeVar("T")

_NAMES = ("avx512", "avx2", "sse42", "generic")


def available() -> list[str]:
    """Those that this machine runs, the widest first; none where the library is not built."""
    if not native.available():
        return []
    before = native.instruction_set()
    found = [name for name in _NAMES if _choose(name)]
    _choose(before)
    return found


def using(name: str, function: Callable[P, T]) -> Callable[P, T]:
    """``function`` with an instruction set: one of :func:`available`."""

    def call(*arguments: P.args, **named: P.kwargs) -> T:
        _choose(name)
        return function(*arguments, **named)

    return call


def _choose(name: str) -> bool:
    library = native.library()
    return library is not None and library.ipmdae_set_instruction_set(name.encode()) == 0
