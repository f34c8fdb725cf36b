"""What is written is read by the libraries that people use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from round_trips import LIBRARIES, MARKS, PATIENT, START, recording, write

pytestmark = pytest.mark.slow


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
