from __future__ import annotations

import base64
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clinical_files import FILES, aecg, edan, ishne, mfer, philips, scp, xle
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions
from ipmdae.formats.clinical import expanded_length

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


@pytest.mark.parametrize("step", [500, 1000, 5000])
def test_a_lead_that_was_off_is_missing(tmp_path: Path, step: int) -> None:
    digital = DIGITAL.copy()
    digital[10:20, 1] = -32768
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(digital, step))
    r = formats.read(path)
    assert_allclose(r.signal[:, 0], digital[:, 0].astype(float) * step * 1e-6)
    assert np.isnan(r.signal[10:20, 1]).all()
    assert not np.isnan(r.signal[:, 0]).any()


def test_a_rate_that_is_no_whole_number(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(aecg(DIGITAL).replace(b'increment value="0.002"', b'increment value="0.003"'))
    assert formats.read(path).fs == pytest.approx(1000 / 3)


def test_a_fractional_rate_of_mfer(tmp_path: Path) -> None:
    path = tmp_path / "x.mwf"
    hertz = b"\x0b\x04\x00"
    content = mfer(DIGITAL)
    tenths = content.replace(hertz + b"\0\xf4\x01", hertz + b"\xff" + (1285).to_bytes(2, "little"))
    path.write_bytes(tenths)
    assert formats.read(path).fs == pytest.approx(128.5)


def test_leads_of_scp_recorded_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "x.scp"
    path.write_bytes(scp(DIGITAL, firsts=(1, 501)))
    r = formats.read(path)
    assert_allclose(r.signal[:500, 0], DIGITAL[:, 0] * 0.005, atol=1e-12)
    assert_allclose(r.signal[500:, 1], DIGITAL[:, 1] * 0.005, atol=1e-12)
    assert np.isnan(r.signal[500:, 0]).all()
    assert np.isnan(r.signal[:500, 1]).all()


def test_more_samples_announced_than_there_are(tmp_path: Path) -> None:
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(DIGITAL, announced=800))
    with pytest.warns(UserWarning, match="announces 800 samples a lead and holds 500"):
        formats.read(path)
    path.write_bytes(ishne(DIGITAL, announced=1000))  # as of both leads
    assert formats.read(path).samples == 500


def test_they_are_for_reading_only(tmp_path: Path) -> None:
    path = tmp_path / "x.ecg"
    path.write_bytes(ishne(DIGITAL))
    with pytest.raises(FormatError, match=r"for reading only; what can be written: WFDB, EDF"):
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


NAMES = {
    "aecg.xml": "HL7 aECG",
    "muse.xml": "GE MUSE XML",
    "philips.xml": "Philips Sierra XML",
    "mortara.xml": "Mortara ELI XML",
    "scp.scp": "SCP-ECG",
    "ishne.ecg": "ISHNE",
    "mfer.mwf": "MFER",
}


@pytest.mark.parametrize("name", FILES)
def test_each_format_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.unknown"
    path.write_bytes(FILES[name](DIGITAL))
    found = [format.NAME for format in formats.FORMATS if format.recognises(path)]
    assert found == [NAMES[name]]


def test_all_formats_of_the_library_are_read(tmp_path: Path) -> None:
    from ecgdatakit import FileParser

    from ipmdae.formats import clinical

    own = {"AliveCorKardiaParser", "DICOMWaveformParser", "EDFParser", "WFDBParser"}
    theirs = {parser.__name__ for parser in FileParser().parsers}
    assert theirs == own | {format.parser for format in clinical.FORMATS}


def pulse(leads: int) -> np.ndarray:
    """A second at 500 Hz, the pulse of 1 mV in it, in steps of 5 uV."""
    second = np.zeros((500, leads), np.int16)
    second[350:450] = 200
    return second


@pytest.mark.parametrize("leads", [1, 12])
def test_the_calibration_pulse_of_philips_is_cut_off(tmp_path: Path, leads: int) -> None:
    ecg = np.random.default_rng(1).integers(-400, 400, (1500, leads)).astype(np.int16)
    path = tmp_path / "x.xml"
    path.write_bytes(philips(np.concatenate([ecg, pulse(leads)])))
    with pytest.warns(UserWarning, match="calibration pulse"):
        r = formats.read(path)
    assert_allclose(r.signal, ecg * 0.005, atol=1e-12)


@pytest.mark.parametrize("height", [100, 300])
def test_another_end_is_no_calibration_pulse(tmp_path: Path, height: int) -> None:
    end = pulse(2)
    end[end > 0] = height
    digital = np.concatenate([DIGITAL, DIGITAL, end])
    path = tmp_path / "x.xml"
    path.write_bytes(philips(digital))
    assert formats.read(path).samples == len(digital)


def test_a_pulse_in_one_lead_alone_is_none(tmp_path: Path) -> None:
    end = pulse(2)
    end[:, 1] = 0
    digital = np.concatenate([DIGITAL, DIGITAL, end])
    path = tmp_path / "x.xml"
    path.write_bytes(philips(digital))
    assert formats.read(path).samples == len(digital)


@pytest.mark.slow
@given(st.binary(max_size=100))
@settings(derandomize=True, max_examples=20, deadline=None)
def test_expanded_length_is_that_of_the_decoder(data: bytes) -> None:
    from ecgdatakit.exceptions import CorruptedFileError
    from ecgdatakit.parsing.codecs import LzwDecoder

    try:
        decoded = LzwDecoder(data, bits=10).read_all()
    except CorruptedFileError:
        return
    assert expanded_length(data, 1 << 20) == len(decoded)


def test_compressed_leads_that_expand_beyond_reason_are_refused(tmp_path: Path) -> None:
    # Each code is the string before and one more byte: lengths 1, 2, 3, …
    codes = [0, *range(256, 1023)] + [1022] * 40_000
    bits = "".join(f"{code:010b}" for code in codes)
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    chunk = len(data).to_bytes(4, "little") + b"\0\0\0\0" + data
    text = philips(DIGITAL).decode()
    start, stop = text.index('leadlabels="I II">') + 18, text.index("</parsedwaveforms>")
    text = text[:start] + base64.b64encode(chunk).decode() + text[stop:]
    path = tmp_path / "x.xml"
    path.write_text(
        text.replace('dataencoding="Base64"', 'dataencoding="Base64" compression="XLI"')
    )
    with pytest.raises(FormatError, match="expand to more than 8 MiB"):
        formats.read(path)


@pytest.mark.parametrize("maker", [philips])
def test_entities_of_other_files_are_not_resolved(tmp_path: Path, maker: Any) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("1234")
    head = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    text = maker(DIGITAL, head).decode().replace(">P1<", ">&e;<")
    path = tmp_path / "x.xml"
    path.write_text(text)
    try:
        told = str(formats.read(path).metadata)
    except FormatError as error:
        told = str(error)
    assert "1234" not in told


def write_edan(folder: Path) -> Path:
    head, data = edan(DIGITAL)
    (folder / "patient.hea").write_bytes(head)
    (folder / "ecgraw.dat").write_bytes(data)
    return folder / "patient.hea"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_edan_needs_the_size_of_a_step(tmp_path: Path) -> None:
    path = write_edan(tmp_path)
    with pytest.raises(FormatError, match="states no unit of I, II, V1; give the size of a step"):
        formats.read(path)
    r = formats.read(path, options=ReadOptions(unit="2uV"))
    assert_allclose(r.signal[:, :2], DIGITAL * 0.002, atol=1e-12)
    assert (r.fs, r.leads) == (500, ("I", "II", "V1"))
    assert r.start == datetime(2020, 3, 4, 5, 6, 7)


def test_edan_signals_that_link_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = write_edan(tmp_path)
    (tmp_path / "ecgraw.dat").rename(tmp_path / "a" / "ecgraw.dat")
    (tmp_path / "ecgraw.dat").symlink_to(tmp_path / "a" / "ecgraw.dat")
    with pytest.raises(FormatError, match="links out of its folder"):
        formats.read(path, options=ReadOptions(unit="2uV"))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_xle(tmp_path: Path) -> None:
    path = tmp_path / "x.xle"
    path.write_bytes(xle(DIGITAL))
    r = formats.read(path)
    assert_allclose(r.signal[:, :2], DIGITAL * 0.9375e-3, atol=1e-12)
    assert r.leads[:2] == ("I", "II")
    assert r.metadata["patient id"] == "P1"
