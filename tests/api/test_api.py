"""One way in: arrays, recordings and files, by any method, whole or live."""

from __future__ import annotations

import copy
import doctest
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import Fakes
from numpy.testing import assert_allclose, assert_array_equal

import ipmdae
from ipmdae import examples, methods
from ipmdae.methods import classical
from ipmdae.pipeline.survey import Survey
from ipmdae.quality import Reason
from ipmdae.recording import AuxiliaryChannel

SOURCE = examples.path("118e06_excerpt")
FS = 360.0
CLASSICAL = [
    name
    for name in classical.names()
    if name not in (*classical.LEARNERS, *classical.SLOW) and not name.startswith("neurokit-")
]


@pytest.fixture(scope="module")
def recording() -> ipmdae.Recording:
    return ipmdae.read(SOURCE).excerpt(0, 12)


def humming(recording: ipmdae.Recording, frequency: float = 50.2) -> ipmdae.Recording:
    hum = 0.3 * np.sin(2 * np.pi * frequency * np.arange(recording.samples) / recording.fs)
    return recording.with_signal(recording.signal + hum[:, None])


def live(streamer: ipmdae.Streamer, x: np.ndarray, chunk: int = 500) -> np.ndarray:
    pieces = [streamer.feed(x[i : i + chunk]) for i in range(0, len(x), chunk)]
    return np.concatenate([*pieces, streamer.flush()])


# What came in goes out


@pytest.mark.parametrize("settings", [{}, {"method": "iir", "mains": 60}, {"strength": 0.5}])
def test_arrays_recordings_and_files_are_cleaned_alike(
    recording: ipmdae.Recording, tmp_path: Path, settings: dict[str, Any]
) -> None:
    cleaned = ipmdae.denoise(recording, **settings)
    assert isinstance(cleaned, ipmdae.Recording)
    assert cleaned.comments[-1].startswith(f"Cleaned by {settings.get('method', 'ipmdae-base')}")
    assert_array_equal(ipmdae.denoise(recording, recording.fs, **settings).signal, cleaned.signal)
    assert_array_equal(ipmdae.denoise(recording.signal, FS, **settings), cleaned.signal)
    ipmdae.write(recording, tmp_path / "in")
    noisy = ipmdae.read(tmp_path / "in")
    from_file = ipmdae.denoise(tmp_path / "in", **settings)
    assert_array_equal(from_file.signal, ipmdae.denoise(noisy, **settings).signal)
    assert_array_equal(ipmdae.denoise(str(tmp_path / "in"), **settings).signal, from_file.signal)
    ipmdae.denoise_file(tmp_path / "in", tmp_path / "out", **settings)
    step = noisy.resolution[0].step  # type: ignore[union-attr]
    written = ipmdae.read(tmp_path / "out")
    assert_allclose(written.signal, from_file.signal, atol=step / 2 + 1e-9)
    assert written.comments == from_file.comments


def test_some_leads_of_a_recording(recording: ipmdae.Recording, tmp_path: Path) -> None:
    result = ipmdae.denoise(recording, leads=["V1"], return_details=True)
    assert_array_equal(result.cleaned.signal[:, 0], recording.signal[:, 0])
    alone = ipmdae.denoise(recording.signal[:, 1], FS)
    assert_array_equal(result.cleaned.signal[:, 1], alone)
    ipmdae.write(recording, tmp_path / "in")
    ipmdae.denoise_file(tmp_path / "in", tmp_path / "out", leads=["V1"])
    assert ipmdae.read(tmp_path / "out").comments == result.cleaned.comments
    assert np.isnan(result.uncertainty[:, 0]).all()
    assert (result.noise[:, 0] == 0).all()
    assert result.readable.shape == recording.signal.shape
    assert (result.reason[:, 0] == Reason.UNVERIFIED).all()  # a lead that was not checked
    frame = pd.DataFrame(recording.signal, columns=list(recording.leads))
    table = ipmdae.denoise(frame, FS, leads=["V1"], return_details=True)
    assert_array_equal(table.reason, result.reason)
    with pytest.raises(ValueError, match="no lead 'V7'; there are: 'MLII', 'V1'"):
        ipmdae.denoise(recording, leads=["V7"])
    with pytest.raises(ValueError, match="no lead is chosen"):
        ipmdae.denoise(recording, leads=[])


def test_one_class_of_results(recording: ipmdae.Recording) -> None:
    frame = pd.DataFrame(recording.signal, columns=list(recording.leads))
    for x in (recording, frame, recording.signal):
        result = ipmdae.denoise(x, FS, return_details=True)
        assert type(result) is ipmdae.Result
        assert type(result.cleaned) is type(x)
        for values in (result.noise, result.uncertainty):
            assert np.shape(values) == recording.signal.shape
        for values in (result.readable, result.grade, result.reason):
            assert type(values) is np.ndarray
            assert values.shape == recording.signal.shape
        assert_array_equal(result.noise, recording.signal - np.asarray(result.recording.signal))
    by_denoiser = ipmdae.Denoiser().clean(recording)
    assert type(by_denoiser) is ipmdae.Result
    assert_array_equal(by_denoiser.readable, result.readable)
    second = np.arange(recording.samples) // 360
    assert_array_equal(by_denoiser.grade, by_denoiser.quality.grade[second])


def test_a_result_without_a_voltage_can_be_read_everywhere() -> None:
    breath = ipmdae.Recording(signal=np.ones((99, 1)), fs=FS, leads=("Resp",), units=("l/s",))
    result = ipmdae.denoise(breath, return_details=True)
    assert result.readable.all()
    with pytest.raises(ValueError, match="no lead is a voltage"):
        _ = result.quality


# The same names everywhere


@pytest.mark.parametrize("method", ["ipmdae-small", "iir", Path("model"), None])
def test_a_method_is_named_alike(
    recording: ipmdae.Recording, tmp_path: Path, method: str | Path | None
) -> None:
    from ipmdae.engine import model_path

    if isinstance(method, Path):
        method = tmp_path / "mine.safetensors"
        method.write_bytes(model_path("ipmdae-small").read_bytes())
    named: dict[str, Any] = {} if method is None else {"method": method}
    expected = ipmdae.denoise(recording, **named).signal
    arguments = () if method is None else (method,)
    for made in (ipmdae.open_method(*arguments), ipmdae.Denoiser(*arguments)):
        assert_array_equal(made.clean(recording).recording.signal, expected)
        assert_array_equal(ipmdae.denoise(recording, method=made).signal, expected)
    assert_array_equal(ipmdae.Denoiser(*arguments).denoise(recording).signal, expected)
    ipmdae.denoise_file(SOURCE, tmp_path / "out", *arguments)
    assert len(live(ipmdae.Streamer(FS, 2, **named), recording.signal)) == recording.samples


def test_settings_mean_the_same_to_all(recording: ipmdae.Recording, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "mains": 50,
        "mode": "beats",
        "strength": 0.9,
        "unreadable": "raw",
        "max_attenuation_db": 6,
        "consistent_leads": False,
    }
    noisy = humming(recording)
    expected = ipmdae.denoise(noisy, **settings).signal
    denoiser = ipmdae.Denoiser(**settings)
    assert_array_equal(denoiser.denoise(noisy).signal, expected)
    assert_array_equal(ipmdae.denoise(noisy, method=denoiser).signal, expected)
    ipmdae.write(noisy, tmp_path / "in.npz")
    ipmdae.denoise_file(tmp_path / "in.npz", tmp_path / "out.npz", **settings)
    assert_allclose(ipmdae.read(tmp_path / "out.npz").signal, expected, atol=1e-6)
    survey = Survey(noisy.header, 50)
    survey.add(noisy.signal)
    streamer = ipmdae.Streamer(FS, noisy.leads, offset=survey.leads().offset, **settings)
    assert_allclose(live(streamer, noisy.signal), expected, atol=1e-4)
    assert ipmdae.Denoiser(denoiser, strength=0.5).strength == pytest.approx(denoiser.strength / 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda **settings: ipmdae.denoise(np.zeros(9), FS, **settings),
        lambda **settings: ipmdae.denoise_file(SOURCE, "out.csv", **settings),
        lambda **settings: ipmdae.Denoiser(**settings),
        lambda **settings: ipmdae.Streamer(FS, 1, **settings),
    ],
)
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "abacus"}, "unknown method 'abacus'; there are: ipmdae-base"),
        ({"method": "wiener"}, "must be fitted"),
        ({"mains": 55}, "50 or 60"),
        ({"mode": "loud"}, "unknown mode 'loud'; there are: diagnostic"),
        ({"strength": 2}, "strength must be 0"),
        ({"unreadable": "gone"}, "unreadable must be classical"),
        ({"max_attenuation_db": -1}, "must be 0 or more"),
        ({"method": "iir", "mode": "beats"}, "iir is a classical method"),
        ({"method": "iir", "backend": "none"}, "iir is a classical method"),
        ({"method": methods.open_method("iir"), "mains": 50}, "iir is open already"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(
    call: Callable[..., Any], settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        call(**settings)
    assert "\n" not in str(caught.value)


# Live


@pytest.mark.parametrize("method", ["ipmdae-nano", "iir", "median", "wavelet"])
@pytest.mark.parametrize("mains", [None, 50])
@pytest.mark.parametrize("max_latency", [None, 7.0])
def test_live_output_is_that_of_a_recording_and_does_not_depend_on_chunks(
    recording: ipmdae.Recording, method: str, mains: float | None, max_latency: float | None
) -> None:
    noisy = humming(recording).signal.copy()
    noisy[:500, 1] = noisy[2000:2100, 0] = noisy[3000:3900, 1] = np.nan
    settings: dict[str, Any] = {"method": method, "mains": mains, "max_latency": max_latency}
    survey = Survey(recording.header, mains)
    survey.add(noisy)
    offset = survey.leads().offset
    first, second = (
        live(ipmdae.Streamer(FS, 2, offset=offset, **settings), noisy, chunk)
        for chunk in (77, 1500)
    )
    assert_array_equal(first, second)
    assert_array_equal(np.isnan(first), np.isnan(noisy))
    settings["max_latency"] = max_latency or 25.0
    assert_allclose(first, ipmdae.denoise(noisy, FS, **settings), atol=1e-4)


@pytest.mark.parametrize(
    ("method", "max_latency", "close"),
    [("iir", None, 0.001), ("median", None, 1e-9), ("iir", 4, 0.04), ("median", 4, 1e-9)],
)
def test_classical_methods_are_close_to_the_whole_recording(
    method: str, max_latency: float | None, close: float
) -> None:
    x = ipmdae.read(SOURCE).signal
    whole = ipmdae.denoise(x, FS, method=method)
    streamer = ipmdae.Streamer(
        FS, 2, method=method, max_latency=max_latency, offset=np.median(x, axis=0)
    )
    assert np.sqrt(np.mean((live(streamer, x) - whole) ** 2)) < close


@pytest.mark.parametrize("method", CLASSICAL)
def test_every_classical_method_works_live(recording: ipmdae.Recording, method: str) -> None:
    x = np.column_stack([recording.signal[:, 0], np.ones(recording.samples)])
    streamer = ipmdae.Streamer(FS, ["I", "flat"], method=method, mains=60, max_latency=6.5)
    cleaned = live(streamer, x)
    assert np.isfinite(cleaned).all()
    assert_allclose(cleaned[:, 1], 1)


@pytest.mark.parametrize("method", ["ipmdae-nano", "iir"])
@pytest.mark.parametrize("max_latency", [None, 8.0])
def test_samples_come_out_as_late_as_declared(
    recording: ipmdae.Recording, method: str, max_latency: float | None
) -> None:
    x = np.concatenate([recording.signal] * 3)
    streamer = ipmdae.Streamer(FS, 2, method=method, mains=50, max_latency=max_latency)
    waiting = []
    done = fed = 0
    for i in range(0, len(x), 30):
        done += len(streamer.feed(x[i : i + 30]))
        fed += len(x[i : i + 30])
        waiting.append(fed - done)
    assert max(waiting) <= streamer.latency * FS + 30
    assert streamer.latency <= (max_latency or 25)


def test_methods_that_cannot_clean_live_say_so(fake: Fakes) -> None:
    for arguments, says in (
        ({"method": "deepfade"}, "deepfade is too slow to clean a live signal"),
        ({"method": "iir", "max_latency": 3}, "iir needs 4 s at least"),
        ({"method": "iir", "max_latency": 5, "mains": 50}, "interference needs 6 s at least"),
        ({"method": "ipmdae-nano", "mains": 50, "max_latency": 3}, "too short at 360 Hz"),
        ({"method": Whole()}, "whole cleans whole recordings only"),
    ):
        if arguments["method"] == "deepfade":
            pytest.importorskip("torch")
        with pytest.raises(ValueError, match=says):
            ipmdae.Streamer(FS, 1, **arguments)


class Whole:
    """A method that knows whole recordings only."""

    name = "whole"

    def clean(
        self, recording: ipmdae.Recording, *, strength: float = 1.0
    ) -> ipmdae.Result[ipmdae.Recording]:
        return ipmdae.Result(noisy=recording, recording=recording)


# Rates


@pytest.mark.parametrize("unit", ["datetime", "aware", "timedelta"])
def test_the_index_of_a_frame_has_a_rate(recording: ipmdae.Recording, unit: str) -> None:
    times = pd.to_timedelta(np.arange(recording.samples) / FS, "s")
    zone = "UTC" if unit == "aware" else None
    index = times if unit == "timedelta" else pd.Timestamp("2026-11-27", tz=zone) + times
    frame = pd.DataFrame(recording.signal, index=index)
    expected = ipmdae.denoise(recording.signal, FS)
    for x in (frame, frame.set_axis(index.round("ms"))):
        for fs in (None, FS):
            assert_array_equal(ipmdae.denoise(x, fs).to_numpy(), expected)
    assert_array_equal(ipmdae.denoise(frame[0]), expected[:, 0])
    assert_array_equal(ipmdae.denoise(frame.iloc[:9], FS).index, index[:9])
    for fs, x, says in (
        (250, frame, "the index has 360 rows a second, which contradicts fs=250"),
        (FS, frame.iloc[::2], "the index has 180 rows a second"),
        (None, frame.drop(frame.index[900:990]), "are not even: let rows .* be NaN, or give fs"),
        (FS, frame.iloc[::-1], "do not rise"),
        (None, frame.set_axis(index.where(np.arange(len(index)) != 5)), "are missing"),
    ):
        with pytest.raises(ValueError, match=says) as caught:
            ipmdae.denoise(x, fs)
        assert "\n" not in str(caught.value)


def test_pandas_dtypes_of_arrow_are_those_of_numpy(recording: ipmdae.Recording) -> None:
    pytest.importorskip("pyarrow")
    index = pd.to_datetime(np.arange(recording.samples) / FS, unit="s")
    frame = pd.DataFrame(recording.signal.astype(np.float32), index=index)
    expected = ipmdae.denoise(frame)
    times = pd.Index(pd.Series(index).astype("timestamp[ns][pyarrow]"))
    for dtype in ("Float32", "float32[pyarrow]"):
        found = ipmdae.denoise(frame.set_axis(times).astype(dtype))
        assert (found.dtypes == np.float32).all()
        assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_a_rate_is_needed_and_must_not_contradict_a_recording(recording: ipmdae.Recording) -> None:
    for x in (recording.signal, pd.DataFrame(recording.signal)):
        with pytest.raises(ValueError, match="have no rate: give it in Hz, such as fs=360"):
            ipmdae.denoise(x)
    with pytest.raises(ValueError, match="has 360 Hz, which contradicts fs=250"):
        ipmdae.denoise(recording, 250)
    with pytest.raises(FileNotFoundError):
        ipmdae.denoise("nowhere.edf")


@pytest.mark.parametrize(
    "example",
    [
        *(ipmdae.denoise, ipmdae.denoise_file, ipmdae.read, ipmdae.write),
        *(ipmdae.open_method, ipmdae.method_names),
        *(ipmdae.Denoiser, ipmdae.Recording, ipmdae.Result, ipmdae.Streamer),
        *(ipmdae.Quality, ipmdae.Grade, ipmdae.Reason),
    ],
    ids=lambda example: example.__name__,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_examples_in_docstrings_run(
    example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = doctest.DocTestFinder(recurse=False).find(example, example.__name__)
    assert found.examples
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    said: list[str] = []
    runner.run(found, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


# Objects in a notebook, and in other processes


def things(recording: ipmdae.Recording) -> dict[str, Any]:
    """An object of each public class, by how it is shown."""
    other = AuxiliaryChannel(
        name="Resp", unit="l/s", fs=25, samples=50, place=2, read=lambda i, j: np.arange(i, j) / 2.0
    )
    marked = ipmdae.read(SOURCE)
    result = ipmdae.denoise(pd.DataFrame(recording.signal), FS, return_details=True)
    return {
        "<Recording: MLII, V1; 12 s at 360 Hz>": recording,
        "<Header: MLII, V1; 60 s at 360 Hz>": marked.header,
        "<Annotations: 72 marks>": marked.annotations["atr"],
        "<AuxiliaryChannel: Resp (l/s); 2 s at 25 Hz>": other,
        "<Denoiser: iir after removal of 60 Hz interference, strength 0.5>": ipmdae.Denoiser(
            "iir", mains=60, max_attenuation_db=20 * np.log10(2)
        ),
        "<Network ipmdae-base>": ipmdae.open_method(),
        "<Classical median>": ipmdae.open_method("median"),
        "<Streamer: iir after removal of 50 Hz interference; I; 360 Hz, 7 s late>": ipmdae.Streamer(
            FS, ["I"], method="iir", mains=50, max_latency=7
        ),
        "<Result of ipmdae-base: 0, 1; 12 s at 360 Hz>": result,
        "<Quality: 0, 1; 12 s>": result.quality,
    }


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]
)
def test_all_have_a_short_name_and_can_be_copied_and_pickled(
    recording: ipmdae.Recording, again: Callable[[Any], Any]
) -> None:
    made = things(recording)
    for text, thing in made.items():
        assert repr(thing) == text
        assert repr(again(thing)) == text
    result = made["<Result of ipmdae-base: 0, 1; 12 s at 360 Hz>"]
    twin = again(result)
    pd.testing.assert_frame_equal(twin.cleaned, result.cleaned)
    assert_array_equal(twin.readable, result.readable)
    channel = made["<AuxiliaryChannel: Resp (l/s); 2 s at 25 Hz>"]
    copied = again(
        ipmdae.Recording(signal=np.array([[1.0]]), fs=FS, leads=("I",), auxiliary=(channel,))
    )
    assert_array_equal(copied.auxiliary[0].read(3, 5), [1.5, 2.0])
    whole = again(ipmdae.read(SOURCE))
    assert not whole.signal.flags.writeable
    assert_array_equal(
        whole.annotations["atr"].sample, ipmdae.read(SOURCE).annotations["atr"].sample
    )
    for method in ("iir", "ipmdae-nano"):
        opened = ipmdae.open_method(method, mains=50)
        expected = opened.clean(recording).recording.signal
        assert_array_equal(again(opened).clean(recording).recording.signal, expected)


def test_many_leads_are_counted() -> None:
    many = ipmdae.Recording.from_array(np.zeros((10, 40)), FS)
    assert repr(many).endswith("lead 12, … (40 leads); 0.0277778 s at 360 Hz>")


def test_a_model_is_shown_without_its_weights() -> None:
    from ipmdae.engine import find_model, read_model

    assert len(repr(read_model(find_model("ipmdae-nano")))) < 600


def test_a_streamer_on_its_way_is_not_copied(recording: ipmdae.Recording) -> None:
    streamer = ipmdae.Streamer(FS, 2, method="iir")
    streamer.feed(recording.signal[:10])
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled while a signal"):
            again(streamer)
    streamer.flush()
    assert repr(copy.copy(streamer)) == repr(streamer)


def test_a_rate_without_hum_is_refused_and_the_old_signal_goes_on(
    recording: ipmdae.Recording,
) -> None:
    x = recording.signal
    streamer = ipmdae.Streamer(FS, 2, method="iir", mains=50)
    first = streamer.feed(x[:2000])
    with pytest.raises(ValueError, match="cannot contain 50 Hz: leave mains out"):
        streamer.restart(90)
    cleaned = np.concatenate([first, streamer.feed(x[2000:]), streamer.flush()])
    assert_array_equal(cleaned, live(ipmdae.Streamer(FS, 2, method="iir", mains=50), x))
