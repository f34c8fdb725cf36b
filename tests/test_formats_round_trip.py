"""What every format that is written must keep, and that others read it."""

from __future__ import annotations

import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.recording import Annotations, Recording, Resolution

NAMES = (
    "x",
    "x.edf",
    "x.bdf",
    "x.csv",
    "x.tsv",
    "x.csv.gz",
    "x.npz",
    "x.mat",
    "x.parquet",
    "x.dcm",
)
LIBRARIES = {".mat": "scipy", ".parquet": "pyarrow", ".dcm": "pydicom"}
TABLES = (".csv", ".tsv", ".gz")

START = datetime(2021, 3, 4, 5, 6, 7, 250000)
MARKS = {
    "atr": Annotations(
        sample=np.array([3, 40, 40, 700]),
        symbol=("N", "V", "+", '"'),
        note=("", "couplet", "(AFIB", "a cough"),
        subtype=np.array([0, 1, 0, 0]),
        number=np.array([0, 2, 0, 0]),
    ),
    "qrs": Annotations(sample=np.array([5]), symbol=("N",)),
}
PATIENT = {"patient id": "P-7", "patient name": "Ada Byron", "sex": "F", "birth date": "1980-12-10"}
PATIENT |= {"technician": "Bo", "device": "Holter 3"}


def recording(samples: int = 1000, **fields: Any) -> Recording:
    """Two leads as a recorder digitised them, of 200 and of 0.819 steps per mV and µV."""
    how = (Resolution(gain=200, baseline=1024, bits=12), Resolution(gain=0.819, unit="uV"))
    digital = np.random.default_rng(1).integers(-900, 900, (samples, 2))
    signal = np.column_stack([(digital[:, 0] - 1024) / 200, digital[:, 1] / 819])
    known: dict[str, Any] = {"fs": 250, "leads": ("MLII", "V5"), "resolution": how}
    return Recording(**({"signal": signal} | known | fields))


def write(r: Recording, path: Path) -> None:
    """Write; that a table cannot hold annotations and patients is told elsewhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*cannot hold, and loses, (annot|metadata)")
        formats.write(r, path)


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write, in each format."""
    target = tmp_path / str(request.param)
    pytest.importorskip(LIBRARIES.get(target.suffix, "numpy"))
    return target


def test_samples_come_back_to_half_a_step(path: Path) -> None:
    r = recording()
    cleaned = r.with_signal(r.signal + np.random.default_rng(2).normal(0, 0.01, r.signal.shape))
    write(cleaned, path)
    again = formats.read(path)
    steps = [how.step for how in r.resolution if how]
    assert (np.abs(again.signal - cleaned.signal) <= np.array(steps) * (0.5 + 1e-6)).all()


def test_digital_samples_come_back_as_they_were(path: Path) -> None:
    r = recording()
    write(r, path)
    once = formats.read(path)
    steps = np.array([how.step for how in r.resolution if how])
    assert_array_equal(np.rint(once.signal / steps), np.rint(r.signal / steps))
    if path.suffix not in TABLES:
        for before, after in zip(r.resolution, once.resolution, strict=True):
            assert before is not None
            assert after is not None
            assert after.step == pytest.approx(before.step, rel=1e-5)


def test_rate_leads_units_and_start_are_kept(path: Path) -> None:
    r = recording(start=START)
    write(r, path)
    again = formats.read(path)
    assert (again.fs, again.leads, again.units) == (250, r.leads, ("mV", "mV"))
    assert again.samples == r.samples
    assert again.start == START


@pytest.mark.parametrize("fs", [125.0, 128.0, 360.0, 512.0, 1000 / 3, 999.5])
def test_any_rate(path: Path, fs: float) -> None:
    write(recording(fs=fs), path)
    assert formats.read(path).fs == pytest.approx(fs, rel=1e-8)


@pytest.mark.parametrize("samples", [2, 3, 251, 997])
def test_any_length(path: Path, samples: int) -> None:
    r = recording(samples)
    write(r, path)
    assert_allclose(formats.read(path).signal, r.signal, atol=3e-4)


def test_annotations_and_patient_are_kept_where_they_can_be(path: Path) -> None:
    r = recording(annotations=MARKS, metadata=PATIENT, comments=("Cleaned by a model",))
    if path.suffix in TABLES:
        with pytest.warns(UserWarning, match="a table cannot hold, and loses, annotations, metad"):
            formats.write(r, path)
        return
    formats.write(r, path)
    again = formats.read(path)
    assert set(again.annotations) == set(MARKS)
    for name, marks in MARKS.items():
        found = again.annotations[name]
        assert_array_equal(found.sample, marks.sample)
        assert (found.symbol, found.note) == (marks.symbol, marks.note)
        for field in ("subtype", "channel", "number"):
            assert_array_equal(getattr(found, field), getattr(marks, field))
    if path.suffix:  # WFDB has comments only
        assert dict(again.metadata) == PATIENT | dict(again.metadata)
        assert again.comments == r.comments
    assert formats.read(path, annotations=False).annotations == {}


def test_missing_samples_stay_missing(path: Path) -> None:
    signal = recording().signal.copy()
    signal[100:300, 0] = np.nan
    signal[999, 1] = np.nan
    write(recording(signal=signal), path)
    assert_array_equal(np.isnan(formats.read(path).signal), np.isnan(signal))


@pytest.mark.filterwarnings("ignore:.*do not fit the 16 bits:UserWarning")
def test_a_lead_that_is_no_voltage_keeps_its_unit(path: Path) -> None:
    signal = np.column_stack([np.sin(np.arange(500) / 9), 90 + np.arange(500) % 7])
    r = Recording(signal=signal, fs=250, leads=("II", "SpO2"), units=("mV", "%"))
    write(r, path)
    again = formats.read(path)
    assert again.units == ("mV", "%")
    assert_allclose(again.signal, signal, atol=1e-3)


@pytest.mark.parametrize("block", [100, 333])
def test_blocks_are_read_and_written_as_the_whole(path: Path, block: int) -> None:
    signal = recording().signal.copy()
    signal[420:440] = np.nan
    whole = recording(signal=signal, start=START)
    write(whole, path)
    expected = formats.read(path)
    if not path.suffix:
        path.with_suffix(".hea").unlink()
    else:
        path.unlink()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*cannot hold")
        with formats.open_writer(whole.header, path) as writer:
            for first in range(0, whole.samples, block):
                writer.write(whole.signal[first : first + block])
    with formats.open_reader(path) as reader:
        assert reader.info.samples == whole.samples
        assert reader.info.leads == expected.leads
        assert reader.info.start == START
        parts = [
            reader.read(i, min(i + block, whole.samples)) for i in range(0, whole.samples, block)
        ]
        assert_array_equal(reader.read(417, 421), expected.signal[417:421])
    assert_array_equal(np.concatenate(parts), expected.signal)


def test_a_failure_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    write(recording(), path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def interrupted() -> None:
        with formats.open_writer(recording().header, path) as writer:
            writer.write(recording().signal[:500])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_too_few_samples_are_not_written(path: Path) -> None:
    with (
        pytest.raises(formats.FormatError, match="500 samples a lead came, 1000 were announced"),
        formats.open_writer(recording().header, path) as writer,
    ):
        writer.write(recording().signal[:500])
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("suffix", LIBRARIES)
def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    pytest.importorskip(LIBRARIES[suffix])
    write(recording(), path)
    for name in list(sys.modules):
        if name.split(".")[0] == LIBRARIES[suffix]:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, LIBRARIES[suffix], None)
    for action in (lambda: formats.read(path), lambda: formats.write(recording(), path)):
        with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[formats\]"):
            action()


@given(
    st.sampled_from([name for name in NAMES if Path(name).suffix not in LIBRARIES]),
    st.integers(2, 12),
    st.integers(1, 3),
    st.floats(1e-3, 1e3),
    st.data(),
)
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_values(
    tmp_path: Path, name: str, samples: int, leads: int, scale: float, data: st.DataObject
) -> None:
    values = st.one_of(st.just(np.nan), st.floats(-1, 1, width=32))
    flat = data.draw(st.lists(values, min_size=samples * leads, max_size=samples * leads))
    signal = np.array(flat).reshape(samples, leads) * scale
    r = Recording(signal=signal, fs=250, leads=tuple(f"V{i + 1}" for i in range(leads)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formats.write(r, tmp_path / name)
        again = formats.read(tmp_path / name)
    assert_array_equal(np.isnan(again.signal), np.isnan(signal))
    assert_allclose(again.signal, signal, atol=max(1e-3, scale * 1e-4))


# What others read


def as_read_by_edfio(path: Path) -> NDArray[Any]:
    import edfio

    edf = (edfio.read_bdf if path.suffix == ".bdf" else edfio.read_edf)(path)
    assert edf.startdatetime == START
    assert any(a.text == "atr/V: couplet {1,0,2}" for a in edf.annotations)
    assert (edf.patient.code, edf.patient.name, edf.patient.sex) == ("P-7", "Ada_Byron", "F")
    assert [signal.sampling_frequency for signal in edf.signals] == [250, 250]
    return np.column_stack([edf.signals[0].data, edf.signals[1].data / 1e3])


def as_read_by_pyedflib(path: Path) -> NDArray[Any]:
    pyedflib = pytest.importorskip("pyedflib")
    with pyedflib.EdfReader(str(path)) as edf:
        # pyedflib takes 0.25 s for 0.025.
        assert edf.getStartdatetime().replace(microsecond=0) == START.replace(microsecond=0)
        assert edf.getSignalLabels() == ["MLII", "V5"]
        assert "qrs/N" in edf.readAnnotations()[2]
        return np.column_stack([edf.readSignal(0), edf.readSignal(1) / 1e3])


def as_read_by_mne(path: Path) -> NDArray[Any]:
    mne = pytest.importorskip("mne")
    read = mne.io.read_raw_bdf if path.suffix == ".bdf" else mne.io.read_raw_edf
    raw = read(path, verbose="error")
    assert raw.info["sfreq"] == 250
    assert any(a["description"] == "qrs/N" for a in raw.annotations)
    data: NDArray[Any] = raw.get_data().T * 1e3
    return data


def as_read_by_pandas(path: Path) -> NDArray[Any]:
    import pandas as pd

    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        table = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
    assert list(table.columns[1:]) == ["MLII (mV)", "V5 (mV)"]
    assert_allclose(table.iloc[:, 0], np.arange(1000) / 250, atol=1e-9)
    values: NDArray[Any] = table.iloc[:, 1:].to_numpy()
    return values


def as_read_by_numpy(path: Path) -> NDArray[Any]:
    with np.load(path) as content:
        assert (content["fs"], content["leads"].tolist()) == (250, ["MLII", "V5"])
        signal: NDArray[Any] = content["signal"]
    return signal


def as_read_by_scipy(path: Path) -> NDArray[Any]:
    from scipy.io import loadmat

    content = loadmat(path, simplify_cells=True)
    assert (content["fs"], content["leads"].tolist()) == (250, ["MLII", "V5"])
    signal: NDArray[Any] = content["signal"]
    return signal


def as_read_by_pydicom(path: Path) -> NDArray[Any]:
    import pydicom

    dataset: Any = pydicom.dcmread(path)
    assert dataset.SOPClassUID.name == "General ECG Waveform Storage"
    assert (str(dataset.PatientName), dataset.PatientBirthDate) == ("Ada Byron", "19801210")
    assert dataset.WaveformSequence[0].SamplingFrequency == 250
    values: NDArray[Any] = dataset.waveform_array(0)
    return values / [1, 1e3]


def as_read_by_wfdb(path: Path) -> NDArray[Any]:
    import wfdb  # type: ignore[import-untyped]

    record = wfdb.rdrecord(str(path))
    assert (record.fs, record.sig_name) == (250, ["MLII", "V5"])
    return np.asarray(record.p_signal) / [1, 1e3]


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("x", as_read_by_wfdb),
        *((f"x.{kind}", reader) for kind in ("edf", "bdf") for reader in (
            as_read_by_edfio, as_read_by_pyedflib, as_read_by_mne
        )),
        ("x.csv", as_read_by_pandas),
        ("x.tsv", as_read_by_pandas),
        ("x.csv.gz", as_read_by_pandas),
        ("x.parquet", as_read_by_pandas),
        ("x.npz", as_read_by_numpy),
        ("x.mat", as_read_by_scipy),
        ("x.dcm", as_read_by_pydicom),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:::mne")
def test_others_read_what_is_written(tmp_path: Path, name: str, reader: Any) -> None:
    path = tmp_path / name
    pytest.importorskip(LIBRARIES.get(path.suffix, "numpy"))
    r = recording(start=START, annotations=MARKS, metadata=PATIENT)
    write(r, path)
    assert_allclose(reader(path), r.signal, atol=1e-4)


def test_a_recording_goes_through_all_formats(tmp_path: Path) -> None:
    """From each format to the next one and back to the first, with all that both hold."""
    r = recording(start=START, annotations=MARKS, metadata=PATIENT)
    names = [name for name in NAMES if Path(name).suffix not in TABLES and Path(name).suffix]
    for name in names:
        pytest.importorskip(LIBRARIES.get(Path(name).suffix, "numpy"))
        formats.write(r, tmp_path / name)
        r = formats.read(tmp_path / name)
    assert_allclose(r.signal, recording().signal, atol=1e-5)
    assert (r.start, set(r.annotations)) == (START, set(MARKS))
    assert dict(r.metadata) | PATIENT == dict(r.metadata)
    assert (r.fs, r.leads) == (250, ("MLII", "V5"))
