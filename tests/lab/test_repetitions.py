"""Loops are found and measured; what is new is not called a repetition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipmdae import formats
from ipmdae.lab.data import nstdb, repetitions
from ipmdae.recording import Recording, Resolution
from tools import nstdb_loop

FS = 90.0


def noise(seconds: float, seed: int = 0, fs: float = FS) -> np.ndarray:
    """Wander and muscle, (time, 2), in whole steps of some hundred."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((round(seconds * fs), 2))
    return np.cumsum(white, axis=0) * 3 + white * 20


def digitised(signal: np.ndarray, seed: int) -> np.ndarray:
    """As a converter with noise of its own would number it."""
    return np.rint(signal + 2 * np.random.default_rng(seed).standard_normal(signal.shape))


def test_a_loop_is_measured_to_a_sample() -> None:
    loop = noise(100.5)
    once = np.concatenate([loop, loop, loop[: round(50 * FS)]])
    found = repetitions.find(digitised(once, 1), FS)
    assert [round(r.lag * FS) for r in found] == [len(loop), 2 * len(loop)]
    np.testing.assert_allclose([found[0].first, found[0].last], [100.5, 201], atol=4)
    np.testing.assert_allclose([found[1].first, found[1].last], [201, 251], atol=4)
    assert all(r.correlation > 0.9 for r in found)
    assert all(r.residual < 0.2 * r.size for r in found)
    repeated = repetitions.repeated_seconds(found, len(once) / FS)
    assert abs((~repeated).sum() - 100.5) <= 4


def test_a_loop_that_skips_keeps_both_lags() -> None:
    loop = noise(120, seed=2)
    cut = round(70 * FS)
    signal = np.concatenate([loop, loop[:cut], loop[round(30 * FS) :]])
    found = repetitions.find(digitised(signal, 3), FS)
    assert [round(r.lag * FS) for r in found] == [len(loop), len(loop) + cut - round(30 * FS)]


@pytest.mark.parametrize("seconds", [0.5, 7, 250])
def test_noise_that_does_not_repeat(seconds: float) -> None:
    assert repetitions.find(np.rint(noise(seconds, seed=4)), FS) == []


def test_a_burst_that_looks_alike_is_no_repetition() -> None:
    signal = noise(250, seed=5)
    signal[round(200 * FS) : round(212 * FS)] = signal[round(40 * FS) : round(52 * FS)]
    signal[[2000, 9000, 16000]] += 5000
    assert repetitions.find(digitised(signal, 6), FS) == []


def test_flat_stretches_and_flat_signals_repeat_nothing() -> None:
    assert repetitions.find(np.zeros((20_000, 2)), FS) == []
    signal = np.rint(noise(250, seed=7))
    signal[9000:14_000] = signal[9000]
    assert repetitions.find(signal, FS) == []


@pytest.mark.slow
def test_the_command_tells_loops_from_what_is_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = noise(70, seed=8)
    for kind in nstdb.KINDS:
        signal = noise(180, seed=9) if kind == "ma" else np.concatenate([loop, loop, loop[:3600]])
        recording = Recording(
            signal=digitised(signal, 10) / 200,
            fs=FS,
            leads=("noise1", "noise2"),
            resolution=(Resolution(gain=200.0, baseline=0),) * 2,
        )
        formats.write(recording, tmp_path / kind)
    page, figure = tmp_path / "docs" / "loop.md", tmp_path / "docs" / "images" / "loop.png"
    figure.parent.mkdir(parents=True)
    nstdb_loop.main(["--path", str(tmp_path), "--output", str(page), "--figure", str(figure)])
    text = page.read_text()
    assert "70.000" in capsys.readouterr().out
    assert "| bw | 70 | 1" in text
    assert "| ma |" not in text
    assert "![First occurrence of each second of noise](images/loop.png)" in text
    assert figure.stat().st_size > 1000


@pytest.mark.parametrize("lag", [99.6, 100.0, 100.4, 101.4])
def test_every_second_that_two_sets_share_is_counted(
    monkeypatch: pytest.MonkeyPatch, lag: float
) -> None:
    spans = {"train": ((0, 20),), "validation": ((30, 40),), "test": ((105, 115),)}
    monkeypatch.setattr(nstdb, "INTERVALS", {"bw": spans})
    repeated = repetitions.Repetition(
        first=100, last=150, lag=lag, correlation=1.0, residual=0.0, size=1.0
    )
    assert nstdb_loop.overlaps("bw", [repeated]) == 10
    assert nstdb_loop.overlaps("bw", []) == 0
