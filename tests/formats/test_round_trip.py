"""What every format that is written must keep."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from round_trips import LIBRARIES, MARKS, NAMES, PATIENT, START, TABLES, recording, write

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.recording import Recording

pytestmark = pytest.mark.usefixtures("in_this_process")


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


OTHERS = {
    "S": 1e-5 * (5 + np.sin(np.arange(500) / 9)),
    "m3/s": 2e-5 * np.sin(np.arange(500) / 9),
    "degC": 36.5 + 0.3 * np.sin(np.arange(500) / 9),
    "Ohm": np.full(500, 4.7e5),
    "N": 4e6 * np.sin(np.arange(500) / 9),
}


@pytest.mark.parametrize("unit", OTHERS)
def test_values_of_any_size_keep_a_thousandth_of_their_range(path: Path, unit: str) -> None:
    values = OTHERS[unit]
    signal = np.column_stack([np.sin(np.arange(500) / 9), values])
    write(Recording(signal=signal, fs=250, leads=("II", "x"), units=("mV", unit)), path)
    again = formats.read(path).signal
    assert_allclose(again[:, 0], signal[:, 0], atol=6e-4)
    assert_allclose(again[:, 1], values, atol=1e-3 * (np.ptp(values) or values[0]), rtol=0)


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_values_that_edf_cannot_hold_are_told(tmp_path: Path, suffix: str) -> None:
    wave = np.sin(np.arange(500) / 9)
    path = tmp_path / f"x.{suffix}"
    signal = np.column_stack([wave, 3e-12 * wave])
    with pytest.warns(UserWarning, match=r"field does not fit \d\d bits at steps of 6e-15 T"):
        formats.write(
            Recording(signal=signal, fs=250, leads=("II", "field"), units=("mV", "T")), path
        )
    signal[:, 1] *= 1e19
    with pytest.raises(FormatError, match=r"force: -3\.\d+e\+07 does not fit the 8 characters"):
        formats.write(
            Recording(signal=signal, fs=250, leads=("II", "force"), units=("mV", "N")), path
        )


def test_values_that_wfdb_cannot_hold_are_told(tmp_path: Path) -> None:
    signal = 1.7e9 + np.arange(500)[:, np.newaxis] / 250
    with pytest.warns(UserWarning, match="stamp does not fit 32 bits but in steps of 1 s"):
        formats.write(
            Recording(signal=signal, fs=250, leads=("stamp",), units=("s",)), tmp_path / "x"
        )


ZONE = {"time zone": "+05:30"}


def test_a_stated_time_zone_is_kept(path: Path) -> None:
    write(recording(start=START, metadata=ZONE), path)
    again = formats.read(path)
    assert again.start == START
    if path.suffix and path.suffix not in TABLES:
        assert again.metadata["time zone"] == "+05:30"


@pytest.mark.parametrize("year", [1685, 1985, 2285])
def test_dates_of_any_century(path: Path, year: int) -> None:
    start = START.replace(year=year)
    write(recording(start=start), path)
    assert formats.read(path).start == start
    if path.suffix == ".parquet":
        import pandas as pd

        stamps = pd.read_parquet(path).index
        assert stamps[0] == pd.Timestamp(start)
        assert (stamps[1] - stamps[0]).total_seconds() == pytest.approx(1 / 250)


@pytest.mark.parametrize("suffix", ["", ".edf", ".bdf"])
def test_a_time_without_a_date_keeps_its_fraction(tmp_path: Path, suffix: str) -> None:
    time = {"time of day": "07:08:09.500000"}
    formats.write(recording(metadata=time), tmp_path / f"x{suffix}")
    assert dict(formats.read(tmp_path / f"x{suffix}").metadata) == time


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
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[formats\]"):
        formats.write(recording(), path)
    if suffix == ".mat":  # read without SciPy
        assert formats.read(path).leads == recording().leads
        return
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[formats\]"):
        formats.read(path)


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
