"""Fuzz targets: their seeds, and how an input is read."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ipmdae import formats, native
from ipmdae.engine import read_model
from ipmdae.engine.native import NativeNetwork
from ipmdae.formats import FormatError, ReadOptions
from tools.fuzz import seeds
from tools.fuzz.mutations import Files

OPTIONS = (
    *(ReadOptions(fs=250),) * 4,
    ReadOptions(),
    ReadOptions(fs=250, unit="uV"),
    ReadOptions(array="signal"),
    ReadOptions(columns=("1",), fs=100),
    ReadOptions(fs=250, resample=True),
)
"""Reading options, one per input; a rate admits files that lost theirs."""

VITE = Path(__file__).parents[2] / "web/node_modules/vite"

ISOLATED = ("matlab-7.3", "hdf5", "parquet", "xdf", "acqknowledge")

_LONGEST_MESSAGE = 1200


class BrokenPromiseError(Exception):
    """An input is neither read nor refused as it should be."""


class MemoryPromiseError(BrokenPromiseError):
    """An input takes more than a gigabyte of memory."""


class Target(NamedTuple):
    """A kind of file.

    Attributes:
        name: of it.
        seeds: valid files.
        read: reads a file; returns whether it was accepted, raises for what is a finding.
        needs: the package without which it cannot be read.
        isolated: whether users read it in a child process, so that one that dies, or takes too
            much, is a refusal and no finding.
    """

    name: str
    seeds: Callable[[], list[Files]]
    read: Callable[[Path, random.Random], bool]
    needs: str = "numpy"
    isolated: bool = False


def targets() -> list[Target]:
    """All that can be fuzzed on this machine."""
    recordings = {
        "csv": (lambda: seeds.tables() + seeds.written("x.csv", "x.csv.gz"), "pandas"),
        "wfdb": (lambda: seeds.written("x.hea"), "wfdb"),
        "edf": (lambda: seeds.written("x.edf"), "numpy"),
        "bdf": (lambda: seeds.written("x.bdf"), "numpy"),
        "numpy": (lambda: seeds.arrays() + seeds.written("x.npz", "x.npy"), "numpy"),
        "matlab": (lambda: seeds.matlab() + seeds.written("x.mat"), "scipy"),
        "matlab-7.3": (seeds.matlab_7_3, "h5py"),
        "hdf5": (lambda: seeds.hdf5("x.h5"), "h5py"),
        "parquet": (lambda: seeds.parquet() + seeds.written("x.parquet"), "pyarrow"),
        "json": (seeds.json_files, "numpy"),
        "wav": (lambda: seeds.written("x.wav"), "numpy"),
        "bids": (lambda: seeds.written("x_physio.tsv.gz"), "pandas"),
        "unisens": (seeds.unisens, "numpy"),
        "acqknowledge": (seeds.acqknowledge, "bioread"),
        "xdf": (seeds.streams, "pyxdf"),
        "dicom": (lambda: seeds.written("x.dcm"), "pydicom"),
        **{name: (make, "ecgdatakit") for name, make in seeds.devices().items()},
    }
    found = [
        Target(name, make, read_file, needs, isolated=name in ISOLATED)
        for name, (make, needs) in recordings.items()
    ]
    found.append(Target("model", seeds.model, read_network))
    node = shutil.which("node") and VITE.is_dir()  # vite loads the TypeScript sources
    if node and importlib.util.find_spec("ziglang"):
        found.append(Target("wasm", seeds.model, WasmReader()))
    return [target for target in found if importlib.util.find_spec(target.needs)]


def read_file(path: Path, rng: random.Random) -> bool:
    """Read a recording whole or in blocks, and check what comes."""
    options = rng.choice(OPTIONS)
    try:
        if rng.random() < 0.5:
            recording = formats.read(path, options=options)
            shape, signal = (recording.samples, len(recording.leads)), recording.signal
        else:
            with formats.open_reader(path, options=options) as reader:
                samples, count = reader.info.samples, len(reader.info.leads)
                reader.read(0, min(samples, 7))
                first = max(samples - 5, 0)
                shape, signal = (samples - first, count), reader.read(first, samples)
    except (FormatError, FileNotFoundError) as error:
        check_message(error, path)
        return False
    if signal.shape != shape or np.isinf(signal).any():
        raise BrokenPromiseError(f"a signal {signal.shape} of {shape}, or infinite values")
    return True


def check_message(error: Exception, path: Path) -> None:
    """Check that a refusal is one line of moderate length that names a file of the folder."""
    text = str(error)
    if path.parent.name not in text or not text.isprintable() or len(text) > _LONGEST_MESSAGE:
        raise BrokenPromiseError(f"the message {text[:200]!r}") from error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise MemoryPromiseError("more than a gigabyte of memory") from error
        cause = cause.__cause__ or cause.__context__


def read_network(path: Path, rng: random.Random) -> bool:
    """Read a model file, and clean a few samples by the native engine where it is built."""
    try:
        model = read_model(path)
    except ValueError as error:
        if not str(error).startswith(str(path)):
            raise
        return False
    if native.available():
        with contextlib.suppress(ValueError):  # an architecture that the library does not run
            network = NativeNetwork(model.architecture, model.tensors)
            network.run(np.ones((1, 9, model.architecture.leads), np.float32))
    return True


class WasmReader:
    """The WebAssembly module in a Node process, to which inputs go one after the other."""

    def __init__(self) -> None:
        self._node: subprocess.Popen[bytes] | None = None

    def __call__(self, path: Path, rng: random.Random) -> bool:
        """Open a model and clean a few samples; a trap or a dead process is a finding."""
        node = self._started()
        assert node.stdin is not None
        assert node.stdout is not None
        data = path.read_bytes()
        try:
            node.stdin.write(struct.pack("<I", len(data)) + data)
            node.stdin.flush()
            answer = node.stdout.readline().decode().strip()
        except OSError:
            answer = ""
        if answer not in ("read", "refused"):
            node.kill()
            self._node = None
            raise BrokenPromiseError(answer or "Node died")
        return answer == "read"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._node is None:
            script = Path(__file__).with_name("wasm.mjs")
            self._node = subprocess.Popen(
                ["node", "--single-threaded", str(script), str(wasm_folder())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._node


def wasm_folder() -> Path:
    """The module, built when it is first asked for."""
    if not _built:
        from tools.build_wasm import build_wasm

        folder = tempfile.TemporaryDirectory(prefix="ipmdae-wasm-")
        build_wasm(Path(folder.name))
        _built.append(folder)
    return Path(_built[0].name)


_built: list[tempfile.TemporaryDirectory[str]] = []
