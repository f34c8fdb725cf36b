"""Kardia's recordings and FHIR Observations."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions
from ipmdae.recording import Recording, Resolution

COUNTS = [0, 100, -200, 3000, -1, 7]


def saved(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def kardia(raw: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """A recording of a Kardia recorder of one lead, with a filtered signal beside the raw one."""
    samples = {"leadI": COUNTS}
    block = {"frequency": 300, "mainsFrequency": 50, "amplitudeResolution": 500}
    return {
        "id": "1",
        "recordedAt": "2026-03-14T09:15:00.5Z",
        "algorithmDetermination": "normal",
        "patientID": "P1",
        "deviceInfo": {"hardwareType": "triangle"},
        "data": {
            "enhanced": block | {"samples": {"leadI": [1] * 6}},
            "raw": block | {"samples": samples} | (raw or {}),
        },
    } | others


def test_kardia_reads_the_raw_samples(tmp_path: Path) -> None:
    r = formats.read(saved(tmp_path / "x.json", kardia()))
    assert_allclose(r.signal[:, 0], np.array(COUNTS) * 0.5e-3, atol=1e-15)
    assert (r.fs, r.leads, r.units) == (300, ("I",), ("mV",))
    assert r.start == datetime(2026, 3, 14, 9, 15, 0, 500000)
    assert r.comments == ("algorithm: normal",)
    assert dict(r.metadata) == {"patient id": "P1", "device": "AliveCor triangle"}
    assert r.resolution[0] == Resolution(gain=2, unit="uV")


def test_kardia_has_six_leads(tmp_path: Path) -> None:
    names = ("leadI", "leadII", "leadIII", "AVR", "AVL", "AVF")
    content = kardia({"samples": {name: COUNTS for name in names}})
    r = formats.read(saved(tmp_path / "x.json", content))
    assert r.leads == ("I", "II", "III", "aVR", "aVL", "aVF")


def test_kardia_states_its_gain_in_steps_per_volt(tmp_path: Path) -> None:
    content = kardia({"amplitudeResolution": None, "gain": 1e6})
    r = formats.read(saved(tmp_path / "x.json", content))
    assert_allclose(r.signal[:, 0], np.array(COUNTS) * 1e-3, atol=1e-15)


def test_kardia_without_resolution_needs_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", kardia({"amplitudeResolution": None}))
    with pytest.raises(FormatError, match=r"give the size of a step \(--unit"):
        formats.read(path)
    r = formats.read(path, options=ReadOptions(unit="2uV"))
    assert_allclose(r.signal[:, 0], np.array(COUNTS) * 2e-3, atol=1e-15)


def test_a_stated_resolution_is_overruled_with_a_warning(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", kardia())
    with pytest.warns(UserWarning, match="overrules"):
        r = formats.read(path, options=ReadOptions(unit="2uV"))
    assert_allclose(r.signal[:, 0], np.array(COUNTS) * 2e-3, atol=1e-15)


def test_an_empty_lead_of_kardia_is_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", kardia({"samples": {"leadI": COUNTS, "AVR": []}}))
    with pytest.warns(UserWarning, match="without samples, left out: aVR"):
        assert formats.read(path).leads == ("I",)


def test_missing_samples_of_kardia_are_missing(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", kardia({"samples": {"leadI": [1, None, 3]}}))
    assert np.isnan(formats.read(path).signal[:, 0]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"samples": {}}, "holds no samples"),
        ({"samples": {"leadI": []}}, "holds no samples"),
        ({"samples": {"leadI": ["a"]}}, "not numbers"),
        ({"samples": {"leadI": [[1], [2]]}}, "not a list of numbers"),
        ({"samples": {"leadI": 7}}, "not a list"),
        ({"samples": {"leadI": [10**400]}}, "not numbers"),
        ({"frequency": 0}, "states no sampling rate"),
        ({"frequency": -3}, "states no sampling rate"),
        ({"frequency": "NaN"}, "states no sampling rate"),
    ],
)
def test_broken_kardia(tmp_path: Path, raw: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.read(saved(tmp_path / "x.json", kardia(raw)))


def test_kardia_of_twelve_leads_is_a_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.json", {"recordedAt": "", "data12L": {}})
    with pytest.raises(FormatError, match="Kardia 12L"):
        formats.read(path)


def component(name: str, data: str, **others: Any) -> dict[str, Any]:
    sampled = {
        "origin": {"value": 0, "unit": "mV", "code": "mV"},
        "period": 2,
        "factor": 0.005,
        "dimensions": 1,
        "data": data,
    }
    return {"code": {"text": name}, "valueSampledData": sampled | others}


def observation(*components: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "effectiveDateTime": "2020-03-04T05:06:07+01:00",
        "subject": {"reference": "Patient/P1", "display": "Ada Byron"},
        "component": list(components),
    } | others


def test_fhir_scale_origin_rate_and_names(tmp_path: Path) -> None:
    coded = component("x", "10 20 30", origin={"value": 1, "unit": "uV"}, factor=2)
    coded["code"] = {
        "coding": [{"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131390"}],
        "text": "augmented",
    }
    shown = component("", "1 E 3.5")
    shown["code"] = {"coding": [{"code": "x", "display": "MDC_ECG_LEAD_AVF"}]}
    r = formats.read(saved(tmp_path / "x.json", observation(coded, shown)))
    assert (r.fs, r.leads, r.units) == (500, ("aVR", "aVF"), ("mV", "mV"))
    assert_allclose(r.signal[:, 0], [0.021, 0.041, 0.061], atol=1e-15)
    assert_allclose(r.signal[:, 1], [0.005, np.nan, 0.0175], atol=1e-15)
    assert r.start == datetime(2020, 3, 4, 5, 6, 7)
    about = {"patient id": "P1", "patient name": "Ada Byron", "time zone": "+01:00"}
    assert dict(r.metadata) == about
    formats.write(r, tmp_path / "y.json")
    again = json.loads((tmp_path / "y.json").read_text())
    assert again["effectiveDateTime"] == "2020-03-04T05:06:07+01:00"


@pytest.mark.parametrize(
    ("limit", "value"), [(0.5, 0.5), (100, 0.5), (None, np.nan), (0.1, np.nan)]
)
def test_fhir_limits_in_either_unit(tmp_path: Path, limit: float | None, value: float) -> None:
    """Both 0.5 mV and 100 steps of 5 uV are above 0.2 mV; 0.1 is not, in any unit."""
    stated = {"upperLimit": limit, "lowerLimit": None if limit is None else -limit}
    path = saved(tmp_path / "x.json", observation(component("II", "-40 U 40 L", **stated)))
    with pytest.warns(UserWarning, match="beyond the"):
        r = formats.read(path)
    assert_allclose(r.signal[:, 0], [-0.2, value, 0.2, -value], atol=1e-15)


@pytest.mark.parametrize(
    ("interval", "unit", "fs"), [(4, "ms", 250), (0.004, "s", 250), (4000, "us", 250)]
)
def test_fhir_interval_of_release_5(tmp_path: Path, interval: float, unit: str, fs: float) -> None:
    part = component("I", "1 2", period=None, interval=interval, intervalUnit=unit)
    assert formats.read(saved(tmp_path / "x.json", observation(part))).fs == fs


def test_fhir_dimensions_are_interleaved(tmp_path: Path) -> None:
    part = component("ECG", "1 10 2 20 3 30", dimensions=2)
    r = formats.read(saved(tmp_path / "x.json", observation(part)))
    assert r.leads == ("ECG 1", "ECG 2")
    assert_allclose(r.signal, np.array([[1, 10], [2, 20], [3, 30]]) * 0.005)


def test_fhir_in_a_bundle(tmp_path: Path) -> None:
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Patient"}},
            {"resource": observation(component("I", "1 2"))},
            {"resource": observation(component("II", "1 2"))},
        ],
    }
    with pytest.warns(UserWarning, match="holds 2 Observations; the first is read"):
        assert formats.read(saved(tmp_path / "x.json", bundle)).leads == ("I",)


def test_fhir_value_of_the_observation_itself(tmp_path: Path) -> None:
    single = observation(valueSampledData=component("", "1 2")["valueSampledData"])
    single["code"] = {"text": "ECG"}
    assert formats.read(saved(tmp_path / "x.json", single)).leads == ("ECG",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": ""}, "has no data"),
        ({"data": 7}, "has no data"),
        ({"data": "1 two"}, "are not numbers"),
        ({"data": "1 2 3", "dimensions": 2}, "3 values of 2 dimensions"),
        ({"dimensions": 10**9}, "dimensions"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"period": 0}, "period"),
        ({"period": -2}, "period"),
        ({"period": None}, "states no period"),
        ({"period": None, "interval": 1, "intervalUnit": "mo"}, "has the unit 'mo'"),
        ({"factor": 0}, "factor"),
        ({"factor": "x"}, "factor"),
        ({"origin": {"value": "x"}}, "origin"),
        ({"data": "1e999"}, "infinite"),
    ],
)
def test_broken_fhir(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    part = component("I", "1 2")
    part["valueSampledData"] |= change
    path = saved(tmp_path / "x.json", observation(part))
    with pytest.raises(FormatError, match=message):
        formats.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "no object"),
        ("{", "not valid JSON"),
        ("{}", "neither a FHIR resource nor a Kardia"),
        ('{"a":' * 100_000, "not valid JSON"),
        ('{"resourceType": "Patient"}', "no Observation"),
        (b"\xff\xfe{", "not valid JSON"),
    ],
)
def test_other_json_is_a_sentence(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FormatError, match=message) as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)


def recording(**fields: Any) -> Recording:
    steps = np.random.default_rng(0).integers(-900, 900, (50, 3))
    signal = np.column_stack([(steps[:, 0] - 7) / 200, steps[:, 1] / 819, steps[:, 2] * 0.01])
    signal[5:9, 1] = np.nan
    how = (Resolution(gain=200, baseline=7), Resolution(gain=0.819, unit="uV"), None)
    known: dict[str, Any] = {"fs": 360, "leads": ("I", "V5", "resp"), "units": ("mV", "mV", "l")}
    known |= {"signal": signal, "resolution": how}
    return Recording(**(known | fields))


def test_fhir_comes_back_as_it_was_written(tmp_path: Path) -> None:
    r = recording(
        start=datetime(2021, 3, 4, 5, 6, 7, 250000),
        metadata={"patient id": "P-7", "patient name": "Ada", "technician": "Bo", "device": "H3"},
        comments=("a note", "with é"),
    )
    formats.write(r, tmp_path / "x.json")
    back = formats.read(tmp_path / "x.json")
    assert_allclose(back.signal, r.signal, atol=1e-9)
    assert (back.fs, back.leads, back.units, back.start) == (360, r.leads, r.units, r.start)
    assert (back.comments, dict(back.metadata)) == (r.comments, dict(r.metadata))
    assert back.resolution[0] == Resolution(gain=200, baseline=7)


def test_fhir_is_as_the_specification_wants_it(tmp_path: Path) -> None:
    formats.write(recording(), tmp_path / "x.json")
    resource = json.loads((tmp_path / "x.json").read_text())
    assert (resource["resourceType"], resource["status"]) == ("Observation", "final")
    first, second, _ = (part["valueSampledData"] for part in resource["component"])
    assert first["period"] == pytest.approx(1000 / 360)
    assert first["origin"]["code"] == "mV"
    values = [first["origin"]["value"] + first["factor"] * int(x) for x in first["data"].split()]
    assert_allclose(values, recording().signal[:, 0], atol=1e-12)
    assert second["data"].split()[5:9] == ["E"] * 4
    codes = resource["component"][0]["code"]["coding"]
    assert codes[0]["code"] == "131329"


def test_a_lead_between_its_steps_keeps_ten_nanovolts(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(size=(100, 1))
    r = Recording(signal=signal, fs=250, leads=("II",), resolution=(Resolution(gain=200),))
    formats.write(r, tmp_path / "x.json")
    assert_allclose(formats.read(tmp_path / "x.json").signal, signal, atol=5.1e-6)


def test_a_lead_that_is_missing_altogether(tmp_path: Path) -> None:
    r = Recording(signal=np.full((9, 1), np.nan), fs=250, leads=("II",), resolution=(Resolution(),))
    formats.write(r, tmp_path / "x.json")
    assert np.isnan(formats.read(tmp_path / "x.json").signal).all()
