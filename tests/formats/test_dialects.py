"""Tables as wearables, telephones and amplifiers export them, made by the facts of each layout."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipmdae import ReadOptions, formats
from ipmdae.formats import FormatError
from ipmdae.formats.names import units_by_size
from ipmdae.recording import Recording

T = np.arange(400)
ECG = np.round(np.sin(T / 9.0) + np.exp(-(((T % 100) - 50) ** 2) / 8.0), 3) * 1000
"""µV, whole numbers."""


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read(tmp_path: Path, text: str | bytes, name: str = "x.csv", **options: object) -> Recording:
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return formats.read(tmp_path / name, options=ReadOptions(**options))  # type: ignore[arg-type]


# Apple Health. Order and values as on the telephone, keys and words in its language.
APPLE = {
    "en": (
        "Name,Date of Birth,Recorded Date,Classification,Symptoms,Software Version,Device,"
        "Sample Rate|hertz|Lead,Unit|Lead I"
    ),
    "de": (
        "Name,Geburtsdatum,Aufzeichnungsdatum,Klassifizierung,Symptome,Softwareversion,Gerät,"
        "Messrate|Hertz|Ableitung,Einheit|Ableitung I"
    ),
    "fr": (
        "Nom,Date de naissance,Date d'enregistrement,Classification,Symptômes,Version,Appareil,"
        "Taux d'échantillonnage|hertz|Dérivation,Unité|Dérivation I"
    ),
    "ja": "名前,生年月日,記録日,分類,症状,版,機器,サンプルレート|ヘルツ|誘導,単位|I誘導",
    "zh": "姓名,出生日期,记录日期,分类,症状,软件版本,设备,采样率|赫兹|导联,单位|导联 I",
    "ru": "Имя,Дата рождения,Дата записи,Вывод,Симптомы,Версия,Прибор,Частота|герц|Отв.,Ед.|I",
    "xx": "A,B,C,D,E,F,G,H|qwertz|J,K|L I",
}


def apple(language: str = "en", decimal: str = ".", end: str = "\n") -> str:
    keys, hertz, keys_below, lead = APPLE[language].split("|")
    values = [
        *('"Doe, Jane"', '"1 Jan 1980"', '"2026-11-20 08:15:02 +0100"', "Sinus", "", "2.0"),
        *('"Watch6,2"', f"512 {hertz}"),
    ]
    lines = [f"{key},{value}" for key, value in zip(keys.split(","), values, strict=True)]
    below = [f"{k},{v}" for k, v in zip(keys_below.split(","), (lead, "µV"), strict=True)]
    samples = [f"{value:.3f}".replace(".", decimal) for value in ECG]
    return end.join([*lines, "", "", *below, "", *samples, ""])


@pytest.mark.parametrize("language", APPLE)
@pytest.mark.parametrize("decimal", [".", ","])
def test_apple_watch_in_the_language_of_the_telephone(
    tmp_path: Path, language: str, decimal: str
) -> None:
    r = read(tmp_path, apple(language, decimal, "\r\n" if decimal == "," else "\n"))
    assert (r.fs, r.leads, r.units) == (512, ("I",), ("mV",))
    assert r.start == datetime(2026, 11, 20, 8, 15, 2)
    assert_allclose(r.signal[:, 0], ECG / 1000)
    assert not any(word in " ".join(r.comments) for word in ("Doe", "1980"))
    assert any("Watch6,2" in comment for comment in r.comments)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_apple_watch_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    r = read(tmp_path, apple("de").encode(encoding))
    assert (r.fs, r.samples) == (512, len(ECG))
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_apple_watch_within_the_export(tmp_path: Path) -> None:
    folder = "apple_health_export/electrocardiograms"
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export.xml", "<HealthData/>")
        archive.writestr("apple_health_export/workout-routes/notes.csv", "a,b\n1,2\n")
        archive.writestr(f"{folder}/ecg_2026-11-20.csv", apple())
    r = formats.read(tmp_path / "export.zip")
    assert (r.fs, r.samples) == (512, len(ECG))
    with zipfile.ZipFile(tmp_path / "export.zip", "a") as archive:
        archive.writestr(f"{folder}/ecg_2026-11-21.csv", apple("fr"))
    with pytest.raises(FormatError, match=r"holds 2 tables; name one of them: .*ecg_2026-11-20"):
        formats.read(tmp_path / "export.zip")
    second = tmp_path / "export.zip" / folder / "ecg_2026-11-21.csv"
    assert formats.read(second).fs == 512
    with pytest.raises(FileNotFoundError, match="no such file in"):
        formats.read(tmp_path / "export.zip" / folder / "ecg_2026-11-22.csv")


def polar(block: int = 73, zero: int = 599616000000000000) -> str:
    """Polar Sensor Logger: the telephone's clock stands still during a packet."""
    rows = [
        f"2026-11-27T10:00:{(k // block) * block / 130:06.3f};"
        f"{zero + round(k * 1e9 / 130)};{k * 1e3 / 130:.6f};{ECG[k]:.0f}"
        for k in T
    ]
    head = "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"
    return "\n".join([head, *rows, ""])


def test_polar_sensor_logger(tmp_path: Path) -> None:
    r = read(tmp_path, polar(), "x.txt")
    assert (r.fs, r.leads, r.units, r.samples) == (130, ("ecg",), ("mV",), len(ECG))
    assert r.start == datetime(2026, 11, 27, 10)
    assert_allclose(r.signal[:, 0], ECG / 1000)
    acc = polar().replace("ecg [uV]", "X [mg];Y [mg];Z [mg]").splitlines()
    text = "\n".join([acc[0], *(f"{line};{i};7" for i, line in enumerate(acc[1:]))])
    assert read(tmp_path, text, "y.txt").units == ("mg", "mg", "mg")


def test_ecg_logger(tmp_path: Path) -> None:
    """Stamps in ns since 1970, an ECG in µV without a unit, heart rate and RR now and then."""
    rows = [
        f"{1_700_000_000_000_000_000 + round(k * 1e9 / 130)},{ECG[k]:.0f},"
        + ("72,833" if k % 100 == 0 else ",")
        for k in T
    ]
    with pytest.warns(UserWarning, match="says no unit of ecg; by their size .* taken as uV"):
        r = read(tmp_path, "\n".join(["time,ecg,hr,rr", *rows, ""]))
    assert (r.fs, r.leads, r.units) == (130, ("ecg", "hr", "rr"), ("mV", "bpm", "NU"))
    assert r.start == datetime(2023, 11, 14, 22, 13, 20)
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_movesense(tmp_path: Path) -> None:
    rows = [f"{int(k * 1000 / 125) + 5_000_000},{ECG[k]:.0f}" for k in T]
    text = "\n".join(["Timestamp,sample", *rows])
    with pytest.warns(UserWarning, match="says no unit of sample"):
        r = read(tmp_path, text)
    assert (r.fs, r.leads, r.samples) == (125, ("sample",), len(ECG))
    assert_allclose(r.signal[:, 0], ECG / 1000)
    steps = read(tmp_path, text, unit="0.38147uV")
    assert_allclose(steps.signal[:, 0], ECG * 0.38147e-3)


@pytest.mark.parametrize("mark", ["\t", ","])
@pytest.mark.parametrize("sep", ["sep={}\n", '"sep={}"\n', ""])
@pytest.mark.parametrize("trailing", [False, True])
@pytest.mark.parametrize("long", [False, True])
def test_shimmer(tmp_path: Path, mark: str, sep: str, trailing: bool, long: bool) -> None:
    """A line ``sep=``, headings, units; older files say device and CAL for each column, too."""
    headings = (
        "Timestamp_Unix_CAL ECG_LL-RA_24BIT_CAL ECG_EMG_Status1_CAL Accel_LN_X_CAL Battery_CAL"
    )
    names = headings.split()
    rows = [names, ["ms", "mV", "no_units", "m/(s^2)", "mV"]]
    if long:
        rows = [["Shimmer_1234"] * 5, names, ["CAL"] * 5, rows[1]]
    else:
        rows[0] = [f"Shimmer_1234_{name}" for name in names]
    rows += [
        [f"{1.7e12 + k * 1000 / 512:.3f}", f"{ECG[k] / 1000:.5f}", "128", "9.81", "3987.1"]
        for k in T
    ]
    end = mark + "\n" if trailing else "\n"
    r = read(tmp_path, sep.format(mark) + "".join(mark.join(row) + end for row in rows))
    assert r.fs == 512
    assert [lead.removeprefix("Shimmer_1234_") for lead in r.leads] == names[1:]
    assert r.units == ("mV", "NU", "m/(s^2)", "V")
    assert r.start == datetime(2023, 11, 14, 22, 13, 20)
    assert_allclose(r.signal[:, 0], ECG / 1000)


OPENBCI = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = X\n"


def test_openbci(tmp_path: Path) -> None:
    """The counter runs to 255; stamps come in packets; the rate stands in the head."""
    head = (
        "Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Other, Analog Channel 0, "
        "Timestamp, Other.7, Timestamp (Formatted)\n"
    )
    rows = "".join(
        f"{k % 256}, {ECG[k]}, {-ECG[k]}, 0.25, 0.0, 0.0, {1.7e9 + (k // 10) / 25:.6f}, 0.0, "
        f"2026-03-14 09:15:{(k // 10) / 25:06.3f}\n"
        for k in T
    )
    r = read(tmp_path, OPENBCI + head + rows, "x.txt")
    cleaned = [lead for lead, unit in zip(r.leads, r.units, strict=True) if unit == "mV"]
    assert (r.fs, cleaned) == (250, ["EXG Channel 0", "EXG Channel 1"])
    assert r.start == datetime(2026, 3, 14, 9, 15)
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_openbci_before_headings(tmp_path: Path) -> None:
    rows = "".join(
        f"{k % 256}, {ECG[k]}, {-ECG[k]}, 0.25, 0.1, 0.2, 10:01:0{k / 250:.3f}\n" for k in T
    )
    r = read(tmp_path, OPENBCI.replace("250 Hz", "250.0 Hz") + rows, "x.txt")
    cleaned = [lead for lead, unit in zip(r.leads, r.units, strict=True) if unit == "mV"]
    assert (r.fs, cleaned) == (250, ["EXG Channel 0", "EXG Channel 1"])
    assert_allclose(r.signal[:, 1], -ECG / 1000)


@pytest.mark.parametrize(
    ("width", "fs", "channels"), [(24, 250, 8), (32, 125, 16), (32, 250, 16), (15, 200, 4)]
)
def test_brainflow(tmp_path: Path, width: int, fs: int, channels: int) -> None:
    """No headings; counter, channels, ..., stamps that jitter, marker; a row a sample."""
    table = np.zeros((len(T), width))
    table[:, 0] = T % 256
    table[:, 1 : 1 + channels] = ECG[:, None]
    jitter = np.random.default_rng(0).uniform(-0.4, 0.4, len(T))
    table[:, -2] = 1.7e9 + (T + jitter) / fs
    text = "".join("\t".join(f"{x:f}" for x in row) + "\n" for row in table)
    r = read(tmp_path, text)
    cleaned = [lead for lead, unit in zip(r.leads, r.units, strict=True) if unit == "mV"]
    assert (r.fs, cleaned) == (fs, [f"EXG Channel {i}" for i in range(channels)])
    assert_allclose(r.signal[:, channels - 1], ECG / 1000)


BITALINO, PLUX = 3.3e3 / 1100, 3e3 / 1019
"""Range in mV of an ECG sensor."""


def opensignals(resolution: Any, device: str = "bitalino_rev") -> str:
    """A line of JSON names columns of counts, in 10 bits."""
    described = {
        "00:07:80:3B:46:61": {
            "sensor": ["ECG", "ACC"],
            "device": device,
            "column": ["nSeq", "I1", "A1", "A2"],
            "label": ["A1", "A2"],
            "resolution": resolution,
            "sampling rate": 1000,
            "date": "2026-3-4",
            "time": "9:5:40.9",
            "comments": "Jane Doe",
        }
    }
    counts = np.rint(512 + ECG / 1000 / BITALINO * 1024).astype(int)
    rows = "".join(f"{k % 16}\t1\t{counts[k]}\t500\t\n" for k in T)
    return f"# OpenSignals Text File Format\n# {json.dumps(described)}\n# EndOfHeader\n{rows}"


@pytest.mark.parametrize("resolution", [[10, 10], [4, 1, 10, 10]])
@pytest.mark.parametrize(
    ("device", "volts"), [("bitalino_rev", 1), ("biosignalsplux", PLUX / BITALINO)]
)
def test_opensignals(tmp_path: Path, resolution: list[int], device: str, volts: float) -> None:
    """The ECG by the sensor's transfer function; resolutions are of channels or of columns."""
    r = read(tmp_path, opensignals(resolution, device), "x.txt")
    assert (r.fs, r.start) == (1000, datetime(2026, 3, 4, 9, 5, 40))
    assert dict(zip(r.leads, r.units, strict=True))["ECG A1"] == "mV"
    assert r.units.count("mV") == 1
    ecg = r.signal[:, r.leads.index("ECG A1")]
    assert_allclose(ecg, ECG / 1000 * volts, atol=0.6 * BITALINO / 1024)
    assert "Doe" not in " ".join(r.comments)


OF_UNKNOWN_BITS: tuple[Any, ...] = (10, [10], [10] * 3, [4, 10], [64, 10], ["x", 10], [None, 10])


@pytest.mark.parametrize("resolution", OF_UNKNOWN_BITS, ids=str)
def test_opensignals_of_an_unknown_resolution_needs_the_size_of_a_step(
    tmp_path: Path, resolution: Any
) -> None:
    with pytest.raises(FormatError, match="steps of a converter whose size it does not say"):
        read(tmp_path, opensignals(resolution), "x.txt")
    assert read(tmp_path, opensignals(resolution), "x.txt", unit="3uV").units.count("mV") == 1


def test_opensignals_of_an_unknown_device_needs_the_size_of_a_step(tmp_path: Path) -> None:
    device: dict[str, Any] = {"sensor": ["ECG"], "device": "new", "column": ["nSeq", "A1"]}
    described = {"x": device | {"label": ["A1"], "resolution": [16], "sampling rate": 500}}
    head = f"# OpenSignals Text File Format\n# {json.dumps(described)}\n# EndOfHeader\n"
    rows = "".join(f"{k % 16}\t{30000 + ECG[k]:.0f}\n" for k in T)
    with pytest.raises(FormatError, match="steps of a converter whose size it does not say"):
        read(tmp_path, head + rows, "x.txt")
    assert_allclose(
        read(tmp_path, head + rows, "x.txt", unit="0.5uV").signal[:, 0], (30000 + ECG) * 0.5e-3
    )


def test_empatica(tmp_path: Path) -> None:
    """The start and the rate are the first two rows."""
    rows = "".join(f"{value / 1000:.2f}\n" for value in ECG)
    with quiet():
        r = read(tmp_path, "1700000000.000000\n64.000000\n" + rows, "ECG.csv")
    assert (r.fs, r.leads, r.samples) == (64, ("ECG",), len(ECG))
    assert r.start == datetime(2023, 11, 14, 22, 13, 20)
    assert_allclose(r.signal[:, 0], ECG / 1000, atol=0.0051)
    r = read(tmp_path, "1700000000.00, 1700000000.00\n32.0, 32.0\n" + "1,2\n" * 9, "ACC.csv")
    assert (r.fs, r.leads, r.units) == (32, ("ACC 1", "ACC 2"), ("NU", "NU"))


@pytest.mark.parametrize(
    "head",
    [
        "Sampling rate: 300 Hz\n",
        "# fs = 300\n",
        "Sample Rate,300 Hz\n\n",
        "sampling frequency (Hz);300\n",
        '"Sampling interval","3.3333333333 ms"\n',
        "% Abtastrate: 300,0 Hz\n",
        "Частота дискретизации: 300 Гц\n",
        "Frequency: 0.3 kHz\n",
        "samplingrate=300.0\n",
        "Samples per second: 300\n",
        "Frequency (Hz): 300\n",
        "# dt = 3.3333333333e-3 s\n",
        "dt (ms): 3.3333333333\n",
        "Acquisition rate 300 Hz\n",
        "Hz=300\n",
        "Sample Freq. 300\n",
    ],
)
def test_a_rate_in_the_head(tmp_path: Path, head: str) -> None:
    r = read(tmp_path, head + "ecg (uV)\n" + "".join(f"{x:.0f}\n" for x in ECG))
    assert r.fs == pytest.approx(300)
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_personal_lines_of_a_head_are_not_copied(tmp_path: Path) -> None:
    head = "# Patient: Jane Doe\n# Geburtsdatum: 1980-01-01\n# Device: X1\n# Name = Jane\n"
    r = read(tmp_path, head + "# recorded lying\ntime,II (mV)\n0,1\n.004,2\n.008,1\n")
    assert r.comments == ("Device: X1", "recorded lying")


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        *(("nV", 1e-6), ("µV", 1e-3), ("μV", 1e-3), ("microvolts", 1e-3), ("V", 1e3)),
        *(("Mikrovolt", 1e-3), ("milli V", 1), ("Millivoltios", 1), ("Volt", 1e3)),
        *(("мкВ", 1e-3), ("マイクロボルト", 1e-3)),
    ],
)
def test_units(tmp_path: Path, unit: str, scale: float) -> None:
    text = "ecg\n" + "".join(f"{value:.0f}\n" for value in ECG)
    for table in (text.replace("ecg", f"ecg [{unit}]"), text.replace("ecg", f"ecg\n{unit}")):
        assert_allclose(read(tmp_path, table, fs=250).signal[:, 0], ECG * scale)
    rows = "".join(f"{k / 250:.3f},{ECG[k]:.0f}\n" for k in T)
    for head in (f"time (s),II ({unit})", f"time,II\ns,{unit}", f"Zeit,II\n(s),[{unit}]"):
        r = read(tmp_path, f"{head}\n{rows}")
        assert (r.fs, r.leads, r.units) == (250, ("II",), ("mV",))
        assert_allclose(r.signal[:, 0], ECG * scale)


@pytest.mark.parametrize(
    "head", ["時間,心電図,心拍数,加速度X", "时间,心电,心率,加速度", "Zeit,Ableitung II,Puls,Lage"]
)
def test_what_is_beside_an_ecg_in_any_language_is_no_lead(tmp_path: Path, head: str) -> None:
    rows = "".join(f"{k / 250:.3f},{ECG[k] / 1000},{70 + k % 3},{k * k % 17}\n" for k in T)
    with quiet():
        r = read(tmp_path, f"{head}\n{rows}")
    assert (r.fs, r.units[0]) == (250, "mV")
    assert "mV" not in r.units[1:]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_units_in_other_encodings_and_ends_of_lines(
    tmp_path: Path, encoding: str, end: str
) -> None:
    text = "Zeit (s);Ableitung II (µV)\n" + "".join(f"{k / 250:.3f};{ECG[k]:.0f}\n" for k in T)
    r = read(tmp_path, text.replace(".", ",").replace("\n", end).encode(encoding))
    assert (r.fs, r.leads) == (250, ("Ableitung II",))
    assert_allclose(r.signal[:, 0], ECG / 1000)


HEADINGS = {
    "Voltage (uV) Run #1": "Voltage Run #1",
    "ECG (uV), raw": "ECG, raw",
    "ECG (uV) (raw)": "ECG (raw)",
    "ECG(uV) 1": "ECG 1",
    "ECG <uV>": "ECG",
    "ECG:uV": "ECG",
    "ECG/uV": "ECG",
    "ECG,uV": "ECG",
    "ECG (mcV)": "ECG",
    "uV": "uV",
}
"""With the unit otherwise than in brackets at the end, and the name that is left of them."""


def headed(heading: str) -> str:
    return f"time (s);{heading}\n" + "".join(f"{k / 250:.3f};{ECG[k]:.0f}\n" for k in T)


@pytest.mark.parametrize("heading", HEADINGS)
def test_units_within_headings(tmp_path: Path, heading: str) -> None:
    r = read(tmp_path, headed(heading))
    assert (r.fs, r.leads, r.units) == (250, (HEADINGS[heading],), ("mV",))
    assert_allclose(r.signal[:, 0], ECG / 1000)


def test_a_lead_called_v_states_no_unit(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="says no unit of V; by their size"):
        assert_allclose(read(tmp_path, headed("V")).signal[:, 0], ECG / 1000)


def test_counts_need_their_size(tmp_path: Path) -> None:
    text = "ecg (counts)\n" + "".join(f"{value:.0f}\n" for value in ECG)
    with pytest.raises(FormatError, match=r"gives ecg in steps .* --unit 0.3uV"):
        read(tmp_path, text, fs=250)
    assert_allclose(read(tmp_path, text, fs=250, unit="0.3uV").signal[:, 0], ECG * 0.3e-3)
    huge = "ecg\n" + "".join(f"{value * 1000:.0f}\n" for value in ECG)
    with pytest.raises(FormatError, match="too large for mV and uV; state it"):
        read(tmp_path, huge, fs=250)


def test_a_stated_unit_overrules_that_of_the_leads_alone(tmp_path: Path) -> None:
    text = "time,ecg (mV),hr\n" + "".join(f"{k / 250:.3f},{ECG[k]:.0f},70\n" for k in T)
    with pytest.warns(UserWarning, match="says mV; unit=uV overrules it"):
        r = read(tmp_path, text, unit="uV")
    assert_allclose(r.signal, np.stack([ECG / 1000, np.full(len(T), 70.0)], 1))


def test_chosen_columns_are_leads_whatever_they_are_called(tmp_path: Path) -> None:
    text = "time,ecg (mV),aux,acc_x\n" + "".join(f"{k / 250:.3f},1,{k % 7},2\n" for k in T)
    assert read(tmp_path, text).units == ("mV", "NU", "NU")
    with pytest.warns(UserWarning, match="says no unit of aux; taken as mV"):
        r = read(tmp_path, text, columns=("AUX", "ecg (mV)"))
    assert (r.leads, r.units, r.fs) == (("aux", "ecg"), ("mV", "mV"), 250)
    assert read(tmp_path, text, columns=("2",)).leads == ("ecg",)
    with pytest.raises(FormatError, match="has no column x; there are time, ecg"):
        read(tmp_path, text, columns=("x",))


def listed(heading: str, samples: int) -> str:
    """A table with the samples of an ECG in one cell of a row."""
    return f'date,{heading}\n2026-03-14 09:26:53,300,"{[*range(samples)]}"\n'


LISTS = [
    listed("sampling_frequency,signal", 60),
    listed("samplingFrequencyHz,waveformSamples", 30_000),
]


@pytest.mark.parametrize("text", LISTS)
def test_lists_in_cells_are_refused_with_advice(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match=r"list in a cell.*scalingFactor"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("spreads", "unit"),
    [
        ((30, 1500), "uV"),
        ((1, 1500), "uV"),
        ((1455, 8, 12), "uV"),
        ((1, 200), "mV"),
        ((1, 1, 2000), "mV"),
        ((0, 2), "mV"),
    ],
)
def test_leads_without_a_unit_share_that_of_most(
    tmp_path: Path, spreads: tuple[float, ...], unit: str
) -> None:
    shape = np.random.default_rng(0).uniform(-0.55, 0.55, 1000)
    values = np.column_stack([spread * shape for spread in spreads])
    with pytest.warns(UserWarning, match=unit):
        found = units_by_size(tmp_path, [(i, f"{i}", lead) for i, lead in enumerate(values.T)])
    assert set(found.values()) == {unit}
