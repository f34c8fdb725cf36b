"""Runs the native tests under sanitizers: ``python -m tools.sanitize [address|thread]``.

``address`` is AddressSanitizer with UndefinedBehaviorSanitizer; ``thread`` is ThreadSanitizer, for
the tests with several threads or callers. Needs Linux, GCC with its sanitizers and the extras
``dev`` and ``test``; takes minutes. What a sanitizer finds ends the tests, with its report.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TESTS = ["tests/engine/test_native.py", "tests/engine/test_native_network.py"]


class Sanitizer(NamedTuple):
    """Build and run settings of a sanitizer."""

    flags: str
    libraries: list[str]
    options: dict[str, str]
    tests: list[str]


SANITIZERS = {
    "address": Sanitizer(
        "-fsanitize=address,undefined -fno-sanitize-recover=all",
        ["libasan.so", "libubsan.so"],
        # Python leaves much to the end of the process.
        {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        TESTS,
    ),
    "thread": Sanitizer(
        "-fsanitize=thread",
        ["libtsan.so"],
        {"TSAN_OPTIONS": "die_after_fork=0 halt_on_error=1"},
        [*TESTS, "-k", "threads or callers or forked"],
    ),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.sanitize", description="Run the native tests under sanitizers."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="address, thread (default: both)")
    args = parser.parse_args(arguments)
    for name in args.names or SANITIZERS:
        if name not in SANITIZERS:
            parser.error(f"{name} is none of {', '.join(SANITIZERS)}")
        with tempfile.TemporaryDirectory() as folder:
            status = run_tests(SANITIZERS[name], Path(folder))
        if status:
            sys.exit(f"{name}: failed")
        print(f"{name}: passed")


def run_tests(sanitizer: Sanitizer, folder: Path) -> int:
    """Build the library with a sanitizer into ``folder``, run the tests, and return their status.

    Raises:
        subprocess.CalledProcessError: the library was not built.
    """
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    subprocess.run(
        [sys.executable, "hatch_build.py", str(folder)],
        env={**os.environ, "CXX": shlex.join([*compiler, "-g", *sanitizer.flags.split()])},
        cwd=ROOT,
        check=True,
    )
    runtime = [
        subprocess.check_output([*compiler, f"-print-file-name={name}"], text=True).strip()
        for name in sanitizer.libraries
    ]
    environment = {
        **os.environ,
        **sanitizer.options,
        "LD_PRELOAD": " ".join(runtime),
        "IPMDAE_NATIVE": str(folder / "libipmdae.so"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=3000", *sanitizer.tests]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    main()
