from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from clinical_files import FILES, aecg, ishne
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError

pytest.importorskip("ecgdatakit")

DIGITAL = np.random.default_rng(0).integers(-400, 400, (500, 2)).astype(np.int16)


@pytest.mark.parametrize("name", FILES)
def test_samples_units_start_and_patient(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{Path(name).suffix}"
    path.write_bytes(FILES[name](DIGITAL))
    r = formats.read(path)
    assert_allclose(r.signal, DIGITAL * 0.005, atol=1e-12)
    assert (r.fs, r.leads, r.units) == (500, ("I", "II"), ("mV", "mV"))
    assert r.start == datetime(2020, 3, 4, 5, 6, 7)
    assert r.metadata["patient id"] == "P1"
    assert [how and how.step for how in r.resolution] == pytest.approx([0.005, 0.005])


@pytest.mark.parametrize("name", FILES)
def test_the_content_tells_the_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(FILES[name](DIGITAL))
    assert formats.read(path).samples == 500


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_cut_file_is_refused_or_said_to_be_short(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"x{Path(name).suffix}"
    path.write_bytes(FILES[name](DIGITAL)[:300])
    with pytest.raises(FormatError, match="cannot be decoded"):
        formats.read(path)


def test_a_lead_that_was_off_is_missing(tmp_path: Path) -> None:
    digital = DIGITAL.copy()
    digital[10:20, 1] = -32768
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(digital))
    r = formats.read(path)
    assert np.isnan(r.signal[10:20, 1]).all()
    assert not np.isnan(r.signal[:, 0]).any()


def test_a_rate_that_is_no_whole_number(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(aecg(DIGITAL).replace(b'increment value="0.002"', b'increment value="0.003"'))
    assert formats.read(path).fs == pytest.approx(1000 / 3)


def test_they_are_for_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(DIGITAL))
    with pytest.raises(FormatError, match="for reading only; what can be written: .*WFDB, EDF"):
        formats.write(formats.read(path), tmp_path / "y.xml")


def test_a_bomb_of_entities_is_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    text = (
        f'<!DOCTYPE AnnotatedECG [<!ENTITY e0 "lol">{entities}]><AnnotatedECG>&e9;</AnnotatedECG>'
    )
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(FormatError, match="cannot be decoded"):
        formats.read(path)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(DIGITAL))
    monkeypatch.setitem(sys.modules, "ecgdatakit", None)
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[formats\]"):
        formats.read(path)
