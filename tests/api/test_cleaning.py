from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import Fakes, ecg, recording
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import denoise, examples, formats
from ipmdae.cleaning import denoise_file
from ipmdae.engine import ModelFile
from ipmdae.formats import FormatError
from ipmdae.methods import by_blocks
from ipmdae.methods.network import Network
from ipmdae.pipeline.blocks import Block
from ipmdae.recording import Recording
from ipmdae.result import Result, finish

SOURCE = examples.path("118e06_excerpt")


class Halving:
    """A method that knows whole recordings only."""

    name = "halving"

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        done = finish(
            recording, recording.signal / 2, [""] * len(recording.leads), self.name, strength
        )
        return dataclasses.replace(done, sd=np.ones(recording.signal.shape, np.float32))


def test_a_file_is_cleaned_as_its_recording_is(
    tiny_model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_blocks, "_VALUES_AT_ONCE", 3000)
    method = Network(tiny_model)
    shares: list[float] = []
    summary = denoise_file(SOURCE, tmp_path / "out", method, strength=0.7, progress=shares.append)
    noisy, after = formats.read(SOURCE), formats.read(tmp_path / "out")
    expected = method.clean(noisy, strength=0.7).recording
    step = noisy.resolution[0].step  # type: ignore[union-attr]
    assert_allclose(after.signal, expected.signal, atol=step / 2 + 1e-9)
    for field in ("fs", "leads", "units", "start", "comments", "metadata"):
        assert getattr(after, field) == getattr(expected, field)
    assert_array_equal(after.annotations["atr"].sample, noisy.annotations["atr"].sample)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > 10
    assert (summary.method, summary.cleaned, summary.unchanged) == ("tiny", noisy.leads, {})
    assert (summary.duration, summary.fs) == (noisy.duration, noisy.fs)


def test_only_some_leads(fake: Fakes, tmp_path: Path) -> None:
    noisy = formats.read(SOURCE)
    for method in (fake(np.zeros_like), Halving()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            summary = denoise_file(SOURCE, tmp_path / "out", method, leads=["V1"])
        after = formats.read(tmp_path / "out")
        assert_array_equal(after.signal[:, 0], noisy.signal[:, 0])
        assert np.std(after.signal[:, 1]) <= 0.51 * np.std(noisy.signal[:, 1])
        assert summary.cleaned == ("V1",)
        assert summary.unchanged == {"MLII": "not asked for"}
        assert after.comments[-2:] == (
            f"Cleaned by {method.name}: V1",
            "Unchanged, not asked for: MLII",
        )
    for leads, message in (
        (["V1", "V7"], "no lead 'V7'; there are: 'MLII', 'V1'"),
        ("V1", "leads must be a list"),
        ([], "no lead is chosen"),
    ):
        with pytest.raises(ValueError, match=message):
            denoise_file(SOURCE, tmp_path / "out", Halving(), leads=leads)


def test_some_limb_leads_are_as_consistent_in_a_file_as_in_memory(
    tiny_model: ModelFile, tmp_path: Path
) -> None:
    one, two = ecg(250, 5000, leads=2).T
    names = ("I", "II", "III", "aVR")
    whole = Recording.from_array(
        np.column_stack([one, two, two - one, -(one + two) / 2]), 250, names
    )
    formats.write(whole, tmp_path / "in.npz")
    denoise_file(tmp_path / "in.npz", tmp_path / "out.npz", tiny_model, leads=names[:3])
    after = formats.read(tmp_path / "out.npz").signal
    expected = denoise(whole, method=tiny_model, leads=names[:3]).signal
    assert_allclose(after, expected, atol=1e-6)
    assert_allclose(after[:, 2], after[:, 1] - after[:, 0], atol=1e-6)


def test_a_method_for_whole_recordings(tmp_path: Path) -> None:
    denoise_file(SOURCE, tmp_path / "out", Halving(), strength=0.5)
    noisy, after = formats.read(SOURCE), formats.read(tmp_path / "out")
    assert_allclose(after.signal, 0.75 * noisy.signal, atol=0.0026)
    assert after.comments[-1] == "Cleaned by halving, strength 0.5: MLII, V1"


def test_leads_with_nothing_to_clean_are_told_and_untouched(fake: Fakes, tmp_path: Path) -> None:
    signal = np.column_stack([ecg(250, 2000), np.full(2000, 1.5), np.full(2000, np.nan)])
    formats.write(recording(signal, leads=("I", "II", "III")), tmp_path / "in")
    for method in (fake(np.zeros_like), Halving()):
        with pytest.warns(UserWarning, match="left unchanged") as caught:
            summary = denoise_file(tmp_path / "in", tmp_path / "out", method)
        assert [str(w.message) for w in caught] == [
            "lead II is flat: left unchanged",
            "lead III is without samples: left unchanged",
        ]
        assert summary.unchanged == {"II": "flat", "III": "without samples"}
        after = formats.read(tmp_path / "out").signal
        assert_array_equal(after[:, 1:], formats.read(tmp_path / "in").signal[:, 1:])


@pytest.mark.parametrize("whole", [True, False])
def test_who_watches_sees_all_blocks(
    fake: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(by_blocks, "_VALUES_AT_ONCE", 3000)
    seen: list[tuple[int, Block]] = []
    method = Halving() if whole else fake(lambda w: np.concatenate([w, w], 2), uncertainty=True)
    denoise_file(
        SOURCE, tmp_path / "out", method, watch=lambda first, block: seen.append((first, block))
    )
    noisy = formats.read(SOURCE).signal
    for first, block in seen:
        part = noisy[first : first + len(block.cleaned)]
        assert_array_equal(block.noisy, part)
        assert block.sd is not None
        assert block.sd.shape == part.shape
    assert sum(len(block.cleaned) for _, block in seen) == len(noisy)
    cleaned = np.concatenate([block.cleaned for _, block in seen])
    assert_allclose(formats.read(tmp_path / "out").signal, cleaned, atol=0.0026)


def test_what_fails_leaves_no_file(fake: Fakes, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        denoise_file(tmp_path / "none", tmp_path / "out", fake())
    with pytest.raises(FormatError, match="no format has this suffix"):
        denoise_file(SOURCE, tmp_path / "out.nonsense", fake())
    with pytest.raises(ValueError, match="strength must be"):
        denoise_file(SOURCE, tmp_path / "out", fake(), strength=3)
    slow = recording(ecg(250, 100), 20)
    formats.write(slow, tmp_path / "slow")
    with pytest.raises(ValueError, match="too low for an ECG"):
        denoise_file(tmp_path / "slow", tmp_path / "out", fake())

    def interrupt(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise_file(SOURCE, tmp_path / "out", fake(), progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slow.dat", "slow.hea"]
