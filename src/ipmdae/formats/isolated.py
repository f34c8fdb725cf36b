"""Readers that run in a child process: a file that crashes one, or makes it grow, costs no more.

For libraries written in C that are not made for untrusted files. The child sends its results as
JSON and plain samples, is limited in memory where the system can do that, and is ended when an
answer takes too long.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import warnings
import weakref
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.blocks import SignalReader
from ipmdae.formats.errors import FormatError, format_errors, most
from ipmdae.formats.options import ReadOptions
from ipmdae.recording import AuxiliaryChannel, Header, Resolution

_START = 60.0
"""Seconds that the child may take to start."""
_ANSWER = 8.0
"""Seconds of processor time that an answer may take, and ..."""
_SPEED = 2e6
"""... bytes of a file for which it may take a second more."""
_PATIENCE = 6
"""Factor on the time limit, for machines under load."""
_MEMORY = 256 << 20
"""Bytes of memory beside three copies of the content."""
_BLOCK = 1 << 21
"""Samples of a message, all leads together."""

_ENVIRONMENT = {
    "HDF5_PLUGIN_PRELOAD": "::",  # no plugins
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OMP_NUM_THREADS": "1",  # each thread takes memory
}

_ERRORS = (FileNotFoundError, PermissionError, ModuleNotFoundError, OSError)

enabled = True
"""True if child processes are used; without them a broken file may end this process."""


def open_reader(path: Path, options: ReadOptions, module: str) -> SignalReader:
    """Open a file by ``open_here(path, options)`` of a module, in a child process.

    Where no process can be started (a browser, a frozen application), in this one.

    Raises:
        FormatError: as the reader does; also if it dies, or takes too much memory or time.
        OSError, ModuleNotFoundError: as the reader does.
    """
    frozen = getattr(sys, "frozen", False) or sys.platform == "emscripten"
    if not enabled or frozen or not sys.executable:
        here: Any = import_module(module)
        reader: SignalReader = here.open_here(path, options)
        return reader
    return _ChildReader(path, options, module)


class _ChildReader(SignalReader):
    """A reader whose work is done by a child process, which ends with it."""

    def __init__(self, path: Path, options: ReadOptions, module: str) -> None:
        self._path = path
        self._late = False
        self._limit = _ANSWER + (path.stat().st_size / _SPEED if path.exists() else 0)
        # The child imports from where this process does, not from its working folder.
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
        self._child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._questions: IO[bytes] = self._child.stdin
        self._answers: IO[bytes] = self._child.stdout
        self._close = weakref.finalize(self, _end_child, self._child)
        try:
            task = {"module": module, "path": str(path), "options": asdict(options)}
            self._ask(task | {"limit": self._limit})
            self._answer(_START)
            known = json.loads(self._answer())
            header = description.from_json(known["header"])
            others = enumerate(known["others"])
            header["auxiliary"] = tuple(self._auxiliary(i, about) for i, about in others)
            self.info = Header(samples=known["samples"], **header)
        except BaseException:
            self._close()
            raise

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        width = len(self.info.leads)
        out = np.empty((stop - first, width))
        step = max(_BLOCK // width, 1)
        for low in range(first, stop, step):
            high = min(low + step, stop)
            self._ask({"first": low, "stop": high})
            block = np.frombuffer(self._answer(), np.float64)
            out[low - first : high - first] = block.reshape(high - low, width)
        return out

    def __exit__(self, *_: object) -> None:
        self._close()

    def _auxiliary(self, number: int, about: dict[str, Any]) -> AuxiliaryChannel:
        """An auxiliary channel, read into memory, so that it outlives the child."""
        self._ask({"channel": number, "first": 0, "stop": about["samples"]})
        values = np.frombuffer(self._answer(), np.float64)
        how = about.pop("resolution")
        return AuxiliaryChannel(
            **about,
            resolution=Resolution(**how) if how else None,
            read=lambda first, stop: values[first:stop],
        )

    def _ask(self, question: dict[str, Any]) -> None:
        try:
            _send(self._questions, json.dumps(question).encode())
        except OSError as error:
            raise self._died() from error

    def _answer(self, limit: float = 0.0) -> bytes:
        """The next answer, or the error that the child had."""
        timer = threading.Timer(limit or self._limit * _PATIENCE, self._end)
        timer.start()
        try:
            kind, content = _receive(self._answers)
        except (EOFError, OSError) as error:
            raise self._died() from error
        finally:
            timer.cancel()
        if kind == b"w":
            warnings.warn(json.loads(content), stacklevel=6)
            return self._answer()
        if kind == b"e":
            raise self._error(**json.loads(content))
        return content

    def _error(self, kind: str, reason: str) -> Exception:
        known = next((error for error in _ERRORS if error.__name__ == kind), None)
        return FormatError(self._path, reason) if known is None else known(reason)

    def _end(self) -> None:
        self._late = True
        self._child.kill()

    def _died(self) -> FormatError:
        status = self._child.wait()
        if self._late or -status == getattr(signal, "SIGPROF", None):
            why = f"reading it took more than {self._limit:.0f} s"
        elif status < 0:
            why = f"it ends its reader by {signal.Signals(-status).name}"
        else:
            why = f"it ends its reader with status {status}"
        return FormatError(self._path, f"is broken ({why})")


def _end_child(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):  # what is not sent need not be
                pipe.close()
    child.wait()


def serve() -> None:
    """Answer the questions of a parent process until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    try:
        _, question = _receive(questions)
        _serve(questions, answers, **json.loads(question))
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _serve(
    questions: IO[bytes],
    answers: IO[bytes],
    module: str,
    path: str,
    options: dict[str, Any],
    limit: float,
) -> None:
    here: Any = import_module(module)
    if options["columns"] is not None:
        options["columns"] = tuple(options["columns"])
    _limit_memory(Path(path))
    _send(answers, b"", b"r")
    _limit_time(limit)
    try:
        with warnings.catch_warnings(record=True) as said, format_errors(path):
            warnings.simplefilter("always")
            reader = here.open_here(Path(path), ReadOptions(**options))
        for warning in said:
            _send(answers, json.dumps(str(warning.message)).encode(), b"w")
        header = {
            "samples": reader.info.samples,
            "header": description.to_json(reader.info),
            "others": [_about(channel) for channel in reader.info.auxiliary],
        }
        _send(answers, json.dumps(header).encode(), b"r")
        with reader:
            while True:
                _, question = _receive(questions)
                _limit_time(limit)
                with format_errors(path):
                    block = _block(reader, **json.loads(question))
                _send(answers, np.ascontiguousarray(block, np.float64).tobytes(), b"r")
    except FormatError as error:
        _fail(answers, error, error.reason)
    except _ERRORS as error:
        _fail(answers, error, str(error))


def _about(channel: AuxiliaryChannel) -> dict[str, Any]:
    """The fields of an auxiliary channel but its samples, for JSON."""
    fields = ("name", "unit", "fs", "samples", "place")
    how = channel.resolution
    about: dict[str, Any] = {field: getattr(channel, field) for field in fields}
    return about | {"resolution": None if how is None else asdict(how)}


def _block(
    reader: SignalReader, first: int, stop: int, channel: int | None = None
) -> NDArray[np.float64]:
    """Samples of the leads, or of an auxiliary channel."""
    if channel is None:
        return reader.read(first, stop)
    return reader.info.auxiliary[channel].read(first, stop)


def _fail(answers: IO[bytes], error: BaseException, reason: str) -> None:
    kind = next((k.__name__ for k in _ERRORS if isinstance(error, k)), "FormatError")
    _send(answers, json.dumps({"kind": kind, "reason": reason}).encode(), b"e")


def _limit_memory(path: Path) -> None:
    """Limit memory to what is used now and what the file may need, where the system can do it."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError):
        return
    size = path.stat().st_size if path.is_file() else 0
    limit = used + _MEMORY + 3 * most(size)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(limit: float) -> None:
    """End this process, within code in C too, after so many seconds of processor time from now."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, limit)


def _send(pipe: IO[bytes], content: bytes, kind: bytes = b"q") -> None:
    pipe.write(struct.pack("<cQ", kind, len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("<cQ", _exactly(pipe, 9))
    return kind, _exactly(pipe, length)


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    content = pipe.read(length)
    if len(content) < length:
        raise EOFError
    return content
