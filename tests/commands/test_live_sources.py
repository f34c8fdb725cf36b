"""Live sources: the Lab Streaming Layer by ``ipmdae stream``, and a board of BrainFlow."""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import chain
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from live_lines import MODEL, expected, run, values
from numpy.typing import NDArray

from ipmdae.commands.lsl import open_lsl
from ipmdae.stream import Streamer

pytestmark = pytest.mark.usefixtures("model_folder")


class LostError(Exception):
    """How pylsl tells that a source is gone."""


class Inlet:
    """A source that is asked for and closed as pylsl's."""

    def __init__(self, info: SimpleNamespace, recover: bool) -> None:
        assert not recover
        self.source = info

    def info(self) -> SimpleNamespace:
        return self.source

    def pull_chunk(self, timeout: float) -> tuple[list[list[float]], list[float]]:
        if not self.source.left:
            raise LostError
        chunk: tuple[list[list[float]], list[float]] = self.source.left.pop(0)
        return chunk

    def close_stream(self) -> None:
        self.source.closed = True


class Channel:
    """The description of a channel, and of those after it."""

    def __init__(self, *described: dict[str, str]) -> None:
        self.described = described

    def child(self, _: str) -> Channel:
        return self

    def child_value(self, name: str) -> str:
        return self.described[0].get(name, "") if self.described else ""

    def next_sibling(self) -> Channel:
        return Channel(*self.described[1:])


@pytest.fixture
def source(noisy: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A source of two leads, the first in µV, that leaves a second out; and a module to find it."""
    chunks = []
    for first in range(0, 1800, 90):
        stamps = (first + np.arange(90)) / 360 + (1.0 if first >= 900 else 0.0)
        chunks += [((noisy[first : first + 90] * [1000, 1]).tolist(), stamps.tolist()), ([], [])]
    channels = Channel({"label": "II", "unit": "microvolts"}, {"label": "V1", "unit": "furlong"})
    found = SimpleNamespace(
        left=chunks,
        closed=False,
        nominal_srate=lambda: 360.0,
        channel_format=lambda: 1,
        channel_count=lambda: 2,
        desc=lambda: channels,
    )
    module = ModuleType("pylsl")
    module.resolve_byprop = lambda kind, name, timeout: [found] if name == "ecg" else []  # type: ignore[attr-defined]
    module.StreamInlet = Inlet  # type: ignore[attr-defined]
    module.LostError = LostError  # type: ignore[attr-defined]
    module.cf_string = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pylsl", module)
    return found


@pytest.mark.slow
def test_a_lab_streaming_layer_source_is_cleaned(
    source: SimpleNamespace, noisy: NDArray[np.float64]
) -> None:
    result = run("", "--lsl", "ecg")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "II (mV),V1 (mV)"
    gap = np.full((360, 2), np.nan)
    fed = np.concatenate([noisy[:900], gap, noisy[900:1800]])
    np.testing.assert_allclose(values(result.stdout, skip=1), expected(fed, 90), atol=1e-3)
    assert "channel V1 has the unit 'furlong'; assumed to be mV" in result.stderr
    assert "1.0 s are missing; they stay missing" in result.stderr
    assert source.closed


def test_a_gap_within_a_chunk_is_seen(source: SimpleNamespace) -> None:
    samples, stamps = zip(*(chunk for chunk in source.left if chunk[1]), strict=True)
    source.left = [(list(chain(*samples)), list(chain(*stamps)))]
    with pytest.warns(UserWarning, match=r"1\.0 s are missing|furlong"), open_lsl("ecg") as live:
        chunks = [len(values) for _, values in live.chunks]
    assert chunks == [900, 360, 900]


@pytest.mark.slow
def test_a_real_source_and_outlet_over_loopback(noisy: NDArray[np.float64]) -> None:
    pylsl = pytest.importorskip("pylsl")
    source, cleaned = (f"ipmdae-test-{os.getpid()}-{end}" for end in ("in", "out"))
    info = pylsl.StreamInfo(source, "ECG", 2, 360, pylsl.cf_float32, source)
    channels = info.desc().append_child("channels")
    for label, unit in (("II", "microvolts"), ("V1", "millivolts")):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    outlets = [pylsl.StreamOutlet(info)]
    received: list[NDArray[np.float64]] = []

    def serve() -> None:
        """Send all when the command's outlet is there; then, when most came back, be gone."""
        found = pylsl.resolve_byprop("name", cleaned, timeout=60)
        inlet = pylsl.StreamInlet(found[0], recover=False)
        inlet.open_stream(timeout=60)
        start = pylsl.local_clock()
        for first in range(0, 3600, 90):
            chunk = np.ascontiguousarray(noisy[first : first + 90] * [1000, 1], np.float32)
            outlets[0].push_chunk(chunk, start + (first + 89) / 360)
        ends = time.monotonic() + 120
        while sum(map(len, received)) < 2400 and time.monotonic() < ends:
            samples, _ = inlet.pull_chunk(timeout=0.5)
            received.append(np.asarray(samples, float).reshape(-1, 2))
        outlets.clear()

    server = threading.Thread(target=serve)
    server.start()
    result = run("", "--lsl", source, "--to-lsl", cleaned)
    server.join(120)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    out = np.concatenate(received)
    np.testing.assert_allclose(out[:2400], expected(noisy, 90)[:2400], atol=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
def test_a_board_of_brainflow_is_cleaned() -> None:
    pytest.importorskip("brainflow")
    from brainflow import board_shim

    board_shim.BoardShim.disable_board_logger()
    board_id = board_shim.BoardIds.SYNTHETIC_BOARD
    fs = board_shim.BoardShim.get_sampling_rate(board_id)
    channels = board_shim.BoardShim.get_ecg_channels(board_id)[:2]
    streamer = Streamer(fs, len(channels), method=MODEL, max_latency=2.0)
    board = board_shim.BoardShim(board_id, board_shim.BrainFlowInputParams())
    fed, out = 0, []
    board.prepare_session()
    try:
        board.start_stream()
        while fed < fs:
            time.sleep(0.1)
            samples = board.get_board_data()[channels].T / 1000  # uV
            fed += len(samples)
            out.append(streamer.feed(samples))
    finally:
        board.release_session()
    out.append(streamer.flush())
    assert np.concatenate(out).shape == (fed, len(channels))


def test_a_source_that_is_not_there_or_irregular_is_refused(source: SimpleNamespace) -> None:
    assert "no Lab Streaming Layer source named 'eeg' answers" in run("", "--lsl", "eeg").stderr
    source.nominal_srate = lambda: 0.0
    assert "has no regular rate" in run("", "--lsl", "ecg").stderr


def test_pylsl_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    result = run("", "--lsl", "ecg")
    assert result.exit_code == 1
    assert "pip install 'ultralight-ipm-dae[live]'" in result.stderr
