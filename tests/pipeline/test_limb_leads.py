"""Limb leads: found by name, checked against the equations, projected onto them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipmdae
from ipmdae.pipeline.blocks import Trust
from ipmdae.pipeline.limb_leads import EQUATIONS, LimbLeadCheck, standard_name
from ipmdae.recording import Recording

NAMES = ("I", "II", "III", "aVR", "aVL", "aVF")


def limb_leads(pair: np.ndarray) -> np.ndarray:
    """Six limb leads (time, 6) of leads I and II (time, 2)."""
    return np.asarray(pair @ np.array([EQUATIONS[name.upper()] for name in NAMES]).T)


def inconsistency(names: Sequence[str], signal: np.ndarray) -> float:
    """Root mean square deviation from the equations in mV."""
    check = LimbLeadCheck(names, [True] * len(names))
    check.add(signal)
    found = check.result()
    assert found is not None
    return found.rms


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
    from ipmdae import examples, formats

    return formats.read(examples.path("118e06_excerpt")).signal[: 360 * 25]


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("I", "I"),
        ("avr", "AVR"),
        (" aVF ", "AVF"),
        ("MDC_ECG_LEAD_III", "III"),
        ("Lead II", "II"),
        ("ECG aVL", "AVL"),
        ("ECG Lead I", "I"),
        ("DII", "II"),
        ("Abl. aVF", "AVF"),
        ("V1", None),
        ("MLII", None),
        ("", None),
        ("ECG", None),
    ],
)
def test_names_in_any_spelling(name: str, standard: str | None) -> None:
    assert standard_name(name) == standard


def test_twelve_leads_agree_after_cleaning_with_their_offsets(pair: np.ndarray) -> None:
    signal = limb_leads(pair) + np.array([0, 0, 0.3, 0, -0.1, 0])
    recording = Recording.from_array(signal, 360, NAMES)
    before = inconsistency(NAMES, signal)
    assert before == pytest.approx(0, abs=1e-6)
    cleaned = ipmdae.Denoiser().denoise(recording).signal
    assert inconsistency(NAMES, cleaned) == pytest.approx(0, abs=1e-6)
    apart = ipmdae.open_method("ipmdae-base", consistent_leads=False).clean(recording)
    assert inconsistency(NAMES, apart.recording.signal) > 0.001


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        ((0, 1), None),  # two leads have no equation
        ((0, 1, 2), "swap"),
        ((0, 1, 2, 3), "invert"),
        ((0, 1, 2), "noise"),
    ],
)
def test_leads_that_do_not_obey_are_not_forced(
    pair: np.ndarray, columns: tuple[int, ...], change: str | None
) -> None:
    signal = limb_leads(pair)[:, columns]
    if change == "swap":
        signal = signal[:, [1, 0, 2]]
    elif change == "invert":
        signal = signal * [1, -1, 1, 1]
    elif change == "noise":
        signal = signal + 0.05 * np.random.default_rng(0).standard_normal(signal.shape)
    check = LimbLeadCheck([NAMES[i] for i in columns], [True] * len(columns))
    check.add(signal)
    found = check.result()
    assert found is None if change is None else not found.consistent  # type: ignore[union-attr]


@given(st.sets(st.integers(0, 5), min_size=3), st.integers(0, 1000))
def test_projection_obeys_and_leaves_what_obeys(columns: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [NAMES[i] for i in sorted(columns)]
    signal = limb_leads(rng.standard_normal((50, 2)))[:, sorted(columns)]
    check = LimbLeadCheck(names, [True] * len(names))
    check.add(signal)
    found = check.result()
    assert found is not None
    assert found.consistent
    error = rng.uniform(0, 0.1, signal.shape)
    np.testing.assert_allclose(found.project(signal, error), signal, atol=1e-9)
    noisy = signal + rng.standard_normal(signal.shape)
    assert inconsistency(names, found.project(noisy, error)) == pytest.approx(0, abs=1e-6)
    noisy[3, 0] = np.nan
    np.testing.assert_array_equal(found.project(noisy, error)[3], noisy[3])


def test_projection_is_weighted_least_squares() -> None:
    rng = np.random.default_rng(0)
    leads = limb_leads(rng.standard_normal((50, 2)))
    check = LimbLeadCheck(NAMES, [True] * 6)
    check.add(leads)
    found = check.result()
    assert found is not None
    noisy, error = leads + rng.standard_normal(leads.shape), rng.uniform(0.1, 1, leads.shape)
    basis = limb_leads(np.eye(2)).T
    for at in range(50):
        root = 1 / np.sqrt(error[at] ** 2 + 0.005**2)
        fit = np.linalg.lstsq(basis * root[:, np.newaxis], noisy[at] * root)[0]
        np.testing.assert_allclose(found.project(noisy, error)[at], basis @ fit, atol=1e-9)


def test_the_noise_of_one_electrode_does_not_enter_the_lead_without_it() -> None:
    from ipmdae import examples, read

    ecg, noise = (read(examples.path(f"118e{snr}_excerpt")) for snr in ("24", "06"))
    clean = limb_leads(ecg.signal[:, :2] - np.median(ecg.signal[:, :2], axis=0))
    right_arm = noise.signal[:, :1] - ecg.signal[:, :1]  # I, II and the augmented leads have it
    noisy = clean + limb_leads(np.repeat(right_arm, 2, axis=1))
    recording = Recording.from_array(noisy, ecg.fs, NAMES)
    cleaned = ipmdae.denoise(recording).signal
    apart = ipmdae.denoise(recording, consistent_leads=False).signal
    check = LimbLeadCheck(NAMES, [True] * 6)
    check.add(noisy)
    uniform = check.result().project(apart, np.zeros_like(apart))  # type: ignore[union-attr]
    third = NAMES.index("III")
    moved, otherwise = (np.std((x - apart)[:, third]) for x in (cleaned, uniform))
    assert moved < otherwise / 2
    assert inconsistency(NAMES, cleaned) < 1e-9 < inconsistency(NAMES, apart)


@pytest.mark.parametrize("chunk", [None, 97])
def test_the_dropout_of_a_lead_does_not_spread_into_the_others(
    pair: np.ndarray, chunk: int | None
) -> None:
    signal = np.tile(limb_leads(pair - np.median(pair, axis=0)), (12, 1))
    off = slice(90_000, 90_072)
    signal[off, 1] = 0
    names = NAMES[:3]
    check = LimbLeadCheck(names, [True] * 3)
    check.add(signal[:, :3])
    found = check.result()
    assert found is not None
    assert found.consistent  # over the whole recording

    def denoised(consistent: bool) -> np.ndarray:
        if chunk is None:
            recording = Recording.from_array(signal[:, :3], 360, names)
            return ipmdae.denoise(recording, consistent_leads=consistent).signal
        streamer = ipmdae.Streamer(360, names, max_latency=2.0, consistent_leads=consistent)
        parts = [streamer.feed(signal[i : i + chunk, :3]) for i in range(0, len(signal), chunk)]
        return np.concatenate([*parts, streamer.flush()])

    cleaned, apart = denoised(True), denoised(False)
    np.testing.assert_allclose(cleaned[off], apart[off], atol=1e-9)
    assert inconsistency(names, cleaned[:80_000]) == pytest.approx(0, abs=1e-6)
    assert inconsistency(names, apart[:80_000]) > 0.001


def test_raw_segments_are_the_recorded_signal(pair: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    moved = pair - np.median(pair, axis=0)
    moved[3000:5000, 0] += np.cumsum(rng.normal(0, 0.3, 2000))  # motion of the left arm
    noisy = Recording.from_array(limb_leads(moved), 360, NAMES)
    details = ipmdae.denoise(noisy, unreadable="raw", return_details=True)
    assert details.trust is not None
    untrusted = details.trust == Trust.UNTRUSTED
    assert untrusted.any(axis=0).all()
    assert not untrusted.all()
    np.testing.assert_allclose(
        details.cleaned.signal[untrusted], noisy.signal[untrusted], atol=1e-9
    )
