"""The commands ``ipmdae info``, ``plot`` and ``compare``, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import command_line
import numpy as np
import pytest
from command_line import run

from ipmdae import examples, formats
from ipmdae.inspection.spectrum import BANDS
from ipmdae.recording import Recording

NOISY, CLEAN = (examples.path(name) for name in ("118e06_excerpt", "118e24_excerpt"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    return command_line.refused(run(*arguments))


@pytest.mark.slow
def test_info_tells_what_a_recording_holds() -> None:
    told = done("info", CLEAN)
    assert "118e24_excerpt: WFDB, 60.0 s at 360 Hz, 2 leads" in told
    assert "annotations atr: 72" in told
    quality, signal = (line.split() for line in told.splitlines() if line.strip().startswith("V1"))
    assert quality[:2] == ["V1", "ECG"]
    assert signal[:2] == ["V1", "mV"]
    assert signal[-3:] == ["0", "0", "0"]
    assert "unit stored in mV" in told
    assert "denoise would clean MLII, V1 and remove" in told


@pytest.mark.slow
def test_info_as_json_names_gaps_flat_parts_hum_and_odd_units() -> None:
    recording = formats.read(NOISY, annotations=False)
    signal = recording.signal[:, [0, 0, 1]]
    signal[360 * 5 : 360 * 8, 0] = np.nan
    signal[360 * 20 : 360 * 21, 0] = np.nan
    signal[360 * 9 : 360 * 11, 1] = -5.0
    signal[:, 1] += 0.2 * np.sin(2 * np.pi * 50 * np.arange(21600) / 360)
    signal[:, 2] *= 1000
    odd = Recording(signal=signal, fs=360, leads=("gaps", "hum", "micro"))
    formats.write(odd, "odd.npz")
    (told,) = json.loads(done("info", "odd.npz", "--json"))
    gaps, hum, micro = told["leads"]
    assert (gaps["missing"], gaps["gaps"], gaps["flat"]) == (pytest.approx(4), 2, 0)
    assert gaps["lowest"] == pytest.approx(np.nanmin(signal[:, 0]))
    assert hum["hum"]["50"] == pytest.approx(0.14, abs=0.01)
    assert hum["hum"]["60"] == 0
    assert micro["amplitude"] > 1000
    assert (told["fs"], told["duration"], told["start"]) == (360, 60, None)
    assert ["microvolts" in text for text in told["warnings"]] == [True, False]
    assert "50 Hz powerline interference in hum" in told["warnings"][1]


@pytest.mark.slow
def test_info_says_what_denoise_would_do_and_why_not() -> None:
    signal = formats.read(CLEAN).signal[: 360 * 20]
    columns = np.column_stack([signal, np.full((7200, 1), 71.0)])
    mixed = Recording(signal=columns, fs=360, leads=("I", "II", "hr"), units=("mV", "mV", "bpm"))
    formats.write(mixed, "mixed.npz")
    (told,) = json.loads(done("info", "mixed.npz", "--json"))
    first, _, other = told["leads"]
    assert first["kind"] == "ECG"
    assert first["good"] + first["limited"] + first["unusable"] == pytest.approx(1)
    assert first["heart rate cleaned"] == pytest.approx(72, abs=6)
    assert {"baseline wander", "motion", "muscle", "powerline"} == set(first["noise"])
    assert (other["kind"], "good" in other) == ("not a voltage", False)
    assert told["denoise"]["cleans"] == ["I", "II"]
    assert told["denoise"]["leaves"] == {"hr": "not a voltage: in bpm"}
    assert "leave hr (not a voltage: in bpm)" in done("info", "mixed.npz")


@pytest.mark.parametrize(
    ("signal", "units", "fs", "sentence"),
    [
        (np.zeros((50, 1)), ("mV",), 130, "too short to judge"),
        (np.ones((500, 2)), ("bpm", "l"), 130, "would clean nothing: no lead is a voltage"),
        (np.eye(500, 2), ("mV", "mV"), 20, "would refuse it: a rate of 20 Hz is too low"),
        (np.full((500, 1), np.nan), ("mV",), 130, "would leave a (without samples)"),
        (np.zeros((500, 1)), ("mV",), 130, "would leave a (flat)"),
    ],
)
def test_info_has_a_sentence_for_odd_recordings(
    signal: np.ndarray, units: tuple[str, ...], fs: float, sentence: str
) -> None:
    leads = ("a", "b")[: len(units)]
    formats.write(Recording(signal=signal, fs=fs, leads=leads, units=units), "odd.npz")
    result = run("info", "odd.npz")
    assert result.exit_code == 0, result.output
    assert sentence in result.output


@pytest.mark.slow
def test_info_of_a_hundred_leads() -> None:
    mix = np.random.default_rng(0).normal(size=(2, 100))
    signal = formats.read(CLEAN).signal[: 360 * 4] @ mix
    names = tuple(f"c{i}" for i in range(100))
    formats.write(Recording(signal=signal, fs=360, leads=names), "many.npz")
    told = done("info", "many.npz")
    assert "100 leads" in told
    assert "c11 and 88 more" in told


def test_info_gives_long_names_no_room_of_figures() -> None:
    recording = formats.read(CLEAN).signal[:3600, :1]
    name = "Shimmer_1234_ECG_LL-RA_24BIT_CAL"
    formats.write(Recording(signal=recording, fs=360, leads=(name,)), "long.npz")
    told = done("info", "long.npz")
    assert "…" not in told
    assert {"good", "powerline", "amplitude", "saturated"} <= set(told.split())


@pytest.mark.slow
def test_info_says_how_rate_and_unit_were_found() -> None:
    np.save("bare.npy", formats.read(CLEAN).signal[:3600] * 1000)
    told = done("info", "bare.npy", "--fs", 360, "--unit", "uV")
    assert "rate stated by --fs; unit stated by --unit uV" in told
    rows = "".join(f"{i / 250:.3f},{i % 7}\n" for i in range(1000))
    Path("times.csv").write_text(f"elapsed time,II (mV)\n{rows}", encoding="utf-8")
    assert "rate from the times in column elapsed time; unit" in done("info", "times.csv")
    Path("head.csv").write_text(f"# rate: 250 Hz\nelapsed time,II (mV)\n{rows}", encoding="utf-8")
    assert "rate from the head of the file; unit" in done("info", "head.csv")


@pytest.mark.slow
def test_info_of_several_goes_on_after_a_bad_one() -> None:
    Path("bad.hea").write_text("bad")
    result = run("info", NOISY, "bad", CLEAN)
    assert result.exit_code == 1
    assert result.stdout.count("60.0 s at 360 Hz") == 2
    assert "bad.hea: the WFDB header is malformed" in result.stderr


def test_info_shows_names_as_they_are() -> None:
    recording = Recording.from_array(np.eye(500, 2), 250, ("[bold]x[/bold]", "a\nb"))
    formats.write(recording, "names.npz")
    assert "[bold]x[/bold]" in done("info", "names.npz")


@pytest.mark.slow
def test_info_needs_the_rate_where_a_file_does_not_say_it() -> None:
    np.save("bare.npy", formats.read(NOISY).signal)
    assert "--fs" in refused("info", "bare.npy")
    assert "60.0 s at 360 Hz" in done("info", "bare.npy", "--fs", 360)


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_plot(suffix: str, start: bytes) -> None:
    assert f"strip.{suffix}" in done(
        "plot", NOISY, "-o", f"strip.{suffix}", "--start", 10, "--seconds", 2, "--layout", 2
    )
    assert Path(f"strip.{suffix}").read_bytes().startswith(start)


@pytest.mark.slow
def test_plot_names_its_picture_and_replaces_none() -> None:
    done("plot", NOISY, "--seconds", 1, "--leads", "V1")
    assert Path("118e06_excerpt.png").exists()
    assert "add --overwrite" in refused("plot", NOISY)
    done("plot", NOISY, "--seconds", 1, "--overwrite")


def test_plot_refuses_what_it_cannot_draw() -> None:
    assert "needs the leads I, V1" not in refused("plot", NOISY, "-o", "x.gif")
    assert "this layout needs the leads I; there are MLII, V1" in refused(
        "plot", NOISY, "--layout", "6x2"
    )
    assert "no lead in mV is called aVR" in refused("plot", NOISY, "--leads", "aVR")
    assert "the recording lasts 60 s" in refused("plot", NOISY, "--start", 60)
    assert not list(Path().iterdir())


def test_compare_measures_what_was_removed() -> None:
    told = done("compare", NOISY, CLEAN)
    noisy, clean = (formats.read(path).signal for path in (NOISY, CLEAN))
    rms = np.std(noisy - clean, axis=0)  # constant offsets do not count
    for lead, value in zip(("MLII", "V1"), rms, strict=True):
        (row,) = (line.split() for line in told.splitlines() if line.strip().startswith(lead))
        assert float(row[1]) == pytest.approx(value, abs=1e-4)
        assert len(row) == 2 + len(BANDS)
    assert "SNR" not in told


@pytest.mark.slow
def test_compare_with_the_truth_tells_the_snr() -> None:
    clean = formats.read(CLEAN, annotations=False)
    noise = formats.read(NOISY).signal - clean.signal
    formats.write(clean.with_signal(clean.signal + noise / 10), "less.npz")
    formats.write(clean, "clean.npz")
    (one, two) = json.loads(done("compare", NOISY, "less.npz", "clean.npz", "--json"))
    for lead in (one, two):
        assert lead["snr after"] - lead["snr before"] == pytest.approx(20, abs=0.1)
    assert one["lead"] == "MLII"
    power = sum(rms**2 for rms in one["bands"].values())
    assert power == pytest.approx(one["removed"] ** 2)
    assert f"{one['snr after']:.2f}" in done("compare", NOISY, "less.npz", "clean.npz")


@pytest.mark.slow
def test_compare_draws() -> None:
    words = ("compare", NOISY, CLEAN, "--figure", "both.png", "--seconds", 2)
    done(*words)
    assert Path("both.png").read_bytes().startswith(b"\x89PNG")
    assert "both.png exists" in refused(*words)


def test_compare_refuses_what_is_not_the_same_recording() -> None:
    formats.write(formats.read(CLEAN, annotations=False).excerpt(0, 5), "short.npz")
    assert "samples are 21600 in one and 1800 in the other" in refused(
        "compare", NOISY, "short.npz"
    )
