"""Small valid files of every kind that is read, made here, the same each time."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import re
import struct
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import cast
from unittest import mock

import numpy as np

from ipmdae import formats
from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile, Preprocessing, write_model
from ipmdae.engine.shapes import expected_shapes
from ipmdae.recording import Annotations, Recording, Resolution
from tools.fuzz.mutations import Files, zipped

SIGNAL = np.round(np.sin(np.arange(60).reshape(30, 2) / 7) * 200) / 200


def recording() -> Recording:
    """Thirty samples of two leads, with all that a recording can have."""
    marks = Annotations(
        sample=np.array([3, 9, 12]), symbol=("N", '"', "+"), note=("", "a note", "(AFIB")
    )
    return Recording(
        signal=SIGNAL,
        fs=250,
        leads=("I", "V5"),
        start=datetime(2020, 1, 2, 3, 4, 5, 500000),
        resolution=(Resolution(gain=200), Resolution(gain=200)),
        annotations={"atr": marks},
        metadata={"patient id": "7", "patient name": "A B"},
        comments=("made up",),
    )


_TESTS = Path(__file__).resolve().parents[2] / "tests" / "helpers"


def written(*names: str) -> list[Files]:
    """Files written by the formats of these names."""
    return [_written(name) for name in names]


def _written(name: str) -> Files:
    same = mock.patch("uuid.uuid4", return_value=uuid.UUID(int=1 << 120))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), same:
        warnings.simplefilter("ignore")
        formats.write(recording(), Path(folder, name))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    order = sorted(files, key=lambda file: (file != name, not file.endswith(".hea"), file))
    return {file: _constant(files[file]) for file in order}


_CONTENT_TIME = re.compile(
    rb"(\x08\x00#\x00DA\x08\x00)\d{8}(.{0,80}?\x08\x003\x00TM\x06\x00)\d{6}", re.DOTALL
)
"""Date and time of the content of a DICOM file: when it was written."""


def _constant(data: bytes) -> bytes:
    """A file without the time at which it was written, and in one order."""
    if data[:2] == b"\x1f\x8b":
        return gzip.compress(gzip.decompress(data), mtime=0)
    if data[:2] == b"PK":
        with np.load(io.BytesIO(data)) as arrays:
            return npz({name: arrays[name] for name in arrays.files})
    if data[:19] == b"MATLAB 5.0 MAT-file":
        return b"MATLAB 5.0 MAT-file".ljust(124) + data[124:]
    if data[128:132] == b"DICM":
        return _CONTENT_TIME.sub(rb"\g<1>20200102\g<2>030405", data)
    if data[8:10] == b'{"':
        end = 8 + int.from_bytes(data[:8], "little")
        head = json.dumps(json.loads(data[8:end]), sort_keys=True).encode()
        return len(head).to_bytes(8, "little") + head + data[end:]
    return data


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as ``numpy.savez_compressed`` stores them."""
    entries = {}
    for name, value in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        entries[f"{name}.npy"] = buffer.getvalue()
    return zipped(entries)


def tables() -> list[Files]:
    """CSV files of several dialects."""
    rows = [(i / 250, first, second) for i, (first, second) in enumerate(SIGNAL.tolist())]
    lines: list[list[str]] = [
        ["time (s),I (mV),V5 (uV)", *(f"{t:.3f},{a},{b}" for t, a, b in rows)],
        ["sep=;", "Zeit [ms];I", "ms;mV"]
        + [f"{1000 * t:g};{a}".replace(".", ",") for t, a, _ in rows],
        ["# rate: 250 Hz", "# unit: uV", *(f"{a}\t{b}" for _, a, b in rows)],
        ["datetime,ECG"] + [f"2024-01-02T03:04:05.{int(1e6 * t):06d},{a}" for t, a, _ in rows],
        ["'Elapsed time','II','V5'", "'hh:mm:ss.mmm','mV','mV'"]
        + [f"'0:00:{t:06.3f}',{a},-" for t, a, _ in rows],
        [str(a) for _, a, _ in rows],
    ]
    texts = ["\n".join(table).encode() for table in lines]
    texts.append("\ufeff".encode() + texts[0].replace(b"\n", b"\r\n"))
    return [{"x.csv": text} for text in texts]


def arrays() -> list[Files]:
    """NumPy files of others."""
    buffers = [io.BytesIO(), io.BytesIO()]
    np.save(buffers[0], SIGNAL.astype(np.float32).T)
    np.save(buffers[1], np.asfortranarray(SIGNAL * 200).astype(np.int16))
    content = {"ecg": SIGNAL, "fs": np.array(250), "leads": np.array(["I", "II"])}
    return [
        *({"x.npy": buffer.getvalue()} for buffer in buffers),
        {"x.npz": npz(content)},
        {"x.npz": npz({"x": SIGNAL, "b": SIGNAL[:, 0].astype(np.int8), "units": np.array("uV")})},
    ]


def matlab() -> list[Files]:
    """MATLAB files of levels 4 and 5, of others: matrices, structs, cells, the other byte order."""
    from scipy.io import savemat

    struct_ = {"data": SIGNAL, "srate": 250, "chan": np.array(["I", "V5"], object)}
    sets = [
        ({"ECG": struct_, "more": {"in": {"text": "abc"}}}, False),
        ({"val": (SIGNAL.T * 200).astype(np.int16), "Fs": 250.0, "units": "uV"}, True),
        ({"x": SIGNAL.astype(np.float32), "s": np.array([(1, 2)], [("p", "f8"), ("q", "i4")])}, 0),
    ]
    found = []
    for content, compressed in sets:
        buffer = io.BytesIO()
        savemat(cast("str", buffer), content, do_compression=bool(compressed))  # a file will do
        found.append({"x.mat": _constant(buffer.getvalue())})
    buffer = io.BytesIO()
    level_4 = {"val": (SIGNAL.T * 200).astype(np.int16), "note": "abc"}
    savemat(cast("str", buffer), level_4, format="4")
    array = struct.pack(">IIIIIIii", 6, 8, 6, 0, 5, 8, *SIGNAL.shape)
    array += struct.pack(">HH4sII", 1, 1, b"x", 9, SIGNAL.nbytes) + SIGNAL.T.astype(">f8").tobytes()
    big = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\0MI" + struct.pack(">II", 14, len(array))
    return [*found, {"x.mat": buffer.getvalue()}, {"x.mat": big + array}]


def hdf5(name: str, begin: bytes = b"") -> list[Files]:
    """HDF5 files: plain, compressed, with groups, attributes, texts, references."""
    import h5py

    found = []
    for packed in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            with h5py.File(path, "w", userblock_size=512 if begin else 0) as file:
                group = file.create_group("rec") if packed else file
                options = {"chunks": (2, 16), "compression": 4, "shuffle": True} if packed else {}
                group.create_dataset("signal", data=SIGNAL.T, **options)
                group["fs"] = np.array([[250.0]])
                group["signal"].attrs["units"] = "mV"
                group["codes"] = np.array([[73], [73]], np.uint16)
                group["codes"].attrs["MATLAB_class"] = np.bytes_("char")
                cells = group.create_dataset("leads", (2, 1), h5py.ref_dtype)
                cells[:, 0] = [group["codes"].ref] * 2
                group["texts"] = np.array([b"I", b"V5"])
                group["long"] = ["a", "bc"]
            content = path.read_bytes()
        found.append({name: begin + content[len(begin) :]})
    return found


def matlab_7_3() -> list[Files]:
    """HDF5 behind MATLAB's header."""
    return hdf5("x.mat", b"MATLAB 7.3 MAT-file".ljust(126) + b"\0\2")


def parquet() -> list[Files]:
    """Tables of others, by several encodings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stamps = pa.array(np.arange(30) * 4_000_000, pa.timestamp("ns"))
    table = pa.table({"time": stamps, "I (uV)": SIGNAL[:, 0], "n": np.arange(30)})
    found = []
    for codec, dictionary, version in (("none", True, "1.0"), ("zstd", False, "2.0")):
        buffer = io.BytesIO()
        pq.write_table(
            table,
            buffer,
            compression=codec,
            use_dictionary=dictionary,
            data_page_version=version,
            row_group_size=16,
        )
        found.append({"x.parquet": buffer.getvalue()})
    return found


def devices() -> dict[str, Callable[[], list[Files]]]:
    """Formats of hospitals' devices: those that the tests write byte by byte."""
    sys.path.insert(0, str(_TESTS))
    from clinical_files import FILES, edan, xle

    digital = (SIGNAL * 200).astype(np.int16)

    def made(name: str) -> Callable[[], list[Files]]:
        return lambda: [{f"x{Path(name).suffix}": FILES[name](digital)}]

    def holter() -> list[Files]:
        head, data = edan(digital)
        return [{"patient.hea": head, "ecgraw.dat": data}]

    others = {"edan": holter, "xle": lambda: [{"x.xle": xle(digital)}]}
    return {Path(name).stem: made(name) for name in FILES} | others


def acqknowledge() -> list[Files]:
    """An AcqKnowledge file of two channels."""
    sys.path.insert(0, str(_TESTS))
    from recorder_files import acq

    digital = (SIGNAL[:, 0] * 200).astype(np.int16)
    return [{"x.acq": acq([("ECG", "mV", digital, 1, 0.005), ("Resp", "l", digital[::2], 2, 1.0)])}]


def unisens() -> list[Files]:
    """A Unisens description and its signal."""
    sys.path.insert(0, str(_TESTS))
    from recorder_files import unisens as described

    entry = (
        '<signalEntry id="ecg.bin" adcResolution="16" baseline="0" contentClass="ECG" '
        'dataType="int16" lsbValue="0.005" sampleRate="250" unit="mV">'
        '<binFileFormat endianess="LITTLE"/><channel name="I"/></signalEntry>'
    )
    data = (SIGNAL[:, 0] * 200).astype("<i2").tobytes()
    return [{"unisens.xml": described(entry).encode(), "ecg.bin": data}]


def streams() -> list[Files]:
    """An XDF file with a signal and a stream of marks."""
    sys.path.insert(0, str(_TESTS))
    from recorder_files import xdf, xdf_marks, xdf_samples, xdf_stream

    values = SIGNAL[:, :1].astype(np.float32)
    times = 10 + np.arange(len(values)) / 250
    content = xdf(
        xdf_stream(1, "Amp", "ECG", 1, 250),
        xdf_samples(1, values, times),
        xdf_marks(2, "marks", [(10.1, "a")]),
    )
    return [{"x.xdf": content}]


def json_files() -> list[Files]:
    """A Kardia recording and a FHIR Observation."""
    block = {"frequency": 300, "mainsFrequency": 50, "amplitudeResolution": 500}
    samples = {"leadI": (SIGNAL[:, 0] * 200).astype(int).tolist()}
    kardia = {"recordedAt": "2026-03-14T09:15:00Z", "data": {"raw": block | {"samples": samples}}}
    return [{"x.json": json.dumps(kardia).encode()}, *written("x.json")]


def model() -> list[Files]:
    """Model files of tiny networks."""
    found = []
    plain = Architecture(leads=1, channels=(4, 6), branches=(2,), d_state=2, d_conv=2, pool_cap=2)
    other = dataclasses.replace(plain, residual=True, uncertainty=True, fusion="figure")
    for architecture in (plain, other):
        rng = np.random.default_rng(0)
        tensors = {
            name: rng.normal(0, 0.1, shape).astype(np.float32)
            for name, shape in expected_shapes(architecture).items()
        }
        settings = Preprocessing(fs=250, window=64, overlap=16)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "x.safetensors")
            write_model(
                path,
                ModelFile(
                    name="tiny",
                    architecture=architecture,
                    preprocessing=settings,
                    card={"trained": "no"},
                    tensors=tensors,
                ),
            )
            found.append({path.name: _constant(path.read_bytes())})
    return found
