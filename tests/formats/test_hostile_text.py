"""Names, units, patients and notes of any text: they come back from each format, or are refused."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from round_trips import LIBRARIES, NAMES, TABLES

from ipmdae import formats
from ipmdae.formats import FormatError, description
from ipmdae.recording import Annotations, Recording

pytestmark = pytest.mark.usefixtures("in_this_process")

INJECTION = "a\nevil.dat 16 1(0)/mV 16 0 0 0 0 X\r\n# patient id: 0"
TERMINAL = "\x1b]0;title\x07\x1b[31mV1\x9b2J"
HOSTILE = (
    *("II, filtered", "a\tb", "a;b|c", 'ECG "A"', "'a'", "x [y", "x (y", "x (uV)", "ecg_mV", "a#b"),
    *("time", "time (s)", "index", "sample", "n", "#", "%", "t", "unnamed: 0", "hr", "", " ", "-"),
    *("nan", "1", "1,5", "1e3", "II II", "  II", "lead 2", "Lead II", "ecg v1", "avf", "AVR"),
    *("EDF Annotations", "BDF Annotations", "Brustwandableitung links außen", "Δ V5", "µ", "導出"),
    *("a\\b", "a^b", "a=b", "../x", "<b>", "\u202eV1", "a\x00b", "\ud800", "x" * 70, "x  y", "~"),
    *(INJECTION, TERMINAL, "front", "SpO2", "leads: 1", "label 1: x", "missing: 1 II"),
)
"""Names that some format would cut, part, rename, or take for something else."""

UNITS = (
    "mV",
    "uV",
    "%",
    "mm Hg",
    "breaths/min",
    "°C",
    "µmol/l",
    "a_b",
    "NU",
    "",
    "V\n",
    "m(V",
)

any_text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
notes = st.one_of(
    st.sampled_from(["", "N", "atr/V: x {1,2,3}", "V {1,2,3}", "Recording ends", "# no comment"]),
    st.sampled_from(["missing: 1 II [3 s]", "apnoea [3.0 s]", "apnoea [12 s]", "leads: 1"]),
    st.text("abc:/{}[] 123#äé", max_size=20).map(str.strip),
)


def written(recording: Recording, path: Path) -> Recording | None:
    """What comes back; nothing if it was refused, in one line and without a trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            formats.write(recording, path)
        except FormatError as error:
            assert str(path) in str(error)
            assert str(error).isprintable()
            assert list(path.parent.iterdir()) == []
            return None
        again = formats.read(path)
    for file in path.parent.iterdir():
        file.unlink()
    return again


def recording(leads: tuple[str, ...], **known: Any) -> Recording:
    signal = np.random.default_rng(3).integers(-500, 500, (300, len(leads))) / 200
    everything: dict[str, Any] = {"signal": signal, "fs": 250, "leads": leads} | known
    return Recording(**everything)


def assert_same(before: Recording, again: Recording, name: str) -> None:
    assert again.leads == before.leads
    assert again.units == before.units
    assert again.start == before.start
    assert again.fs == pytest.approx(before.fs)
    assert again.auxiliary == ()
    np.testing.assert_allclose(again.signal, before.signal, atol=3e-3)
    if name.endswith(TABLES):
        return
    for key in description.PATIENT:
        assert (again.metadata.get(key) or None) == (before.metadata.get(key) or None)
    assert {name for name, marks in again.annotations.items() if len(marks)} == set(
        before.annotations
    )
    for annotator, marks in before.annotations.items():
        found = again.annotations[annotator]
        assert (found.symbol, found.note) == (marks.symbol, marks.note)
        assert found.sample.tolist() == marks.sample.tolist()
        assert found.subtype.tolist() == marks.subtype.tolist()


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write, in each format."""
    pytest.importorskip(LIBRARIES.get(Path(request.param).suffix, "numpy"))
    return tmp_path / str(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("lead", HOSTILE)
def test_a_hostile_name_beside_an_ordinary_one(path: Path, lead: str) -> None:
    before = recording(("MLII", lead))
    again = written(before, path)
    if again is not None:
        assert_same(before, again, path.name)


@pytest.mark.slow
@pytest.mark.parametrize("lead", ["II, filtered", 'ECG "A"', "front", "Δ V5", "a#b", "x" * 30])
def test_names_that_every_format_holds(path: Path, lead: str) -> None:
    before = recording(("MLII", lead))
    again = written(before, path)
    assert again is not None
    assert again.leads == ("MLII", lead)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", ".edf", ".bdf", ".npz", ".parquet"])
def test_no_name_is_refused_where_texts_have_room(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip(LIBRARIES.get(suffix, "numpy"))
    before = recording(tuple(HOSTILE))
    again = written(before, tmp_path / f"x{suffix}")
    assert again is not None
    assert_same(before, again, suffix)


@pytest.mark.slow
@given(
    leads=st.lists(any_text, min_size=1, max_size=3),
    units=st.lists(st.sampled_from(UNITS), min_size=3, max_size=3),
    patient=st.dictionaries(st.sampled_from(description.PATIENT), any_text, max_size=3),
    day=st.one_of(st.none(), st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))),
    note=notes,
    symbol=st.sampled_from('NV+"/|[('),
)
@example(leads=["I"], units=["mV"] * 3, patient={"sex": "female"}, day=None, note="", symbol='"')
@example(
    leads=["I"], units=["mV"] * 3, patient={"patient id": "0¨0"}, day=None, note="", symbol="N"
)
@example(
    leads=["I"], units=["mV"] * 3, patient={"patient name": "A_B  C"}, day=None, note="", symbol="N"
)
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
def test_what_is_written_is_read(
    path: Path,
    leads: list[str],
    units: list[str],
    patient: dict[str, str],
    day: datetime | None,
    note: str,
    symbol: str,
) -> None:
    marks = Annotations(
        sample=np.array([3, 40]), symbol=(symbol, "N"), note=(note, "x"), subtype=np.array([1, 0])
    )
    before = recording(
        tuple(leads),
        units=tuple(units[: len(leads)]),
        metadata=patient,
        start=day,
        annotations={"atr": marks},
    )
    again = written(before, path)
    if again is not None:
        assert_same(before, again, path.name)


@pytest.mark.parametrize("annotator", ["dat", "hea", "DAT", "mat", "edf", "../x", "a.b", "", "a b"])
def test_annotators_that_would_overwrite_are_refused(tmp_path: Path, annotator: str) -> None:
    marks = Annotations(sample=np.array([3]), symbol=("N",))
    before = recording(("II",), annotations={annotator: marks})
    with pytest.raises(FormatError, match=r"annotations called .* have no place in WFDB"):
        formats.write(before, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_lines_of_metadata_are_no_lines_of_a_header(tmp_path: Path) -> None:
    before = recording(
        (INJECTION,),
        comments=(INJECTION,),
        metadata={"time of day": f"10:00:00\n{INJECTION}", "device": INJECTION, INJECTION: "x"},
    )
    formats.write(before, tmp_path / "x")
    lines = (tmp_path / "x.hea").read_text().splitlines()
    assert [line.split()[0] for line in lines if not line.startswith("#")] == ["x", "x.dat"]
    formats.write(recording((INJECTION,), comments=(INJECTION,)), tmp_path / "x.csv")
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 301


def test_control_characters_are_shown_and_not_kept() -> None:
    before = recording((TERMINAL,), comments=(TERMINAL,), metadata={TERMINAL: TERMINAL})
    shown = r"\x1b]0;title\x07\x1b[31mV1\x9b2J"
    assert before.leads == before.comments == (shown,)
    assert dict(before.metadata) == {shown: shown}


def test_names_are_made_unique_and_cost_no_more_than_their_number() -> None:
    before = recording(("II", "", "II", "II 2", "II"))
    assert before.leads == ("II", "lead 2", "II 2", "II 2 2", "II 3")
    many = Recording(signal=np.zeros((1, 20_000)), fs=250, leads=("a",) * 20_000)
    assert many.leads[-1] == "a 20000"
