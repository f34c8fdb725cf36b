"""Protocol clinic as a benchmark: segments denoised and scored one by one, and its page.

All measures use the middle of a segment (:data:`ipmdae.lab.protocols.clinic_test.SCORED`) and
signals less their own mean over it: the offset of a lead is arbitrary, and losing it is not an
error of shape. The page has the clinical measures (:mod:`ipmdae.lab.evaluation.clinical`) too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.signal import butter, periodogram, sosfiltfilt

from ipmdae.engine import model_names, model_path
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import candidates, clinical, figures, metrics, pages
from ipmdae.lab.evaluation.benchmarks import PieceBenchmark, of_piece
from ipmdae.lab.evaluation.calibration import BAND
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.pages import brief, estimate, grid
from ipmdae.lab.evaluation.results import Array, Result, anchor_of, load_all
from ipmdae.lab.evaluation.training_budget import (
    PAPER,
    budgets_section,
    equally_trained,
    has_pairs_of_paper,
)
from ipmdae.lab.protocols.clinic_test import (
    CLEAN,
    CONDITIONS,
    FS,
    MIXTURE,
    SCORED,
    SNRS,
    Piece,
)

UNIT = "segments"

ABOVE = ("snr_improvement_above", "snr_above")
"""The first two of :data:`MEASURES` above :data:`EDGE` Hz, without the targets' baseline wander."""

MEASURES = ("snr_improvement", "snr", *ABOVE, "rmse", "prd", "ssd", "mad", "cosine")

EDGE = 0.5
"""Hz; a Butterworth high-pass of order 4, run both ways over the whole segment."""

COVERED = "covered"
"""Share of the samples within the predicted 95 % band; NaN without uncertainty."""

BANDS = {"low": (0.0, 0.67), "middle": (0.67, 40.0), "high": (40.0, 100.0)}
"""Hz: baseline wander, monitoring bandwidth, and above it parts of the QRS and muscle noise."""

_MIDDLE = slice(*(round(second * FS) for second in SCORED))

_EXAMPLE_SNR, _EXAMPLE_SECONDS = 0.0, 4.0

BY_SNR = ("snr_improvement", "snr_improvement_above")
"""Measures that need added noise."""


CHANGED = tuple(f"changed_{band}" for band in ("all", *BANDS))
"""Relative AC distortion of clean segments, in total and per band, %."""

KIND_TITLES = {**TITLES, MIXTURE: "all three"}

NAMES = {
    "snr_improvement": "SNR improvement (dB)",
    "snr": "SNR after (dB)",
    "snr_improvement_above": "SNR improvement above 0.5 Hz (dB)",
    "snr_above": "SNR after above 0.5 Hz (dB)",
    "rmse": "RMSE (mV)",
    "prd": "PRD (%)",
    "ssd": "SSD (mV²)",
    "mad": "MAD (mV)",
    "cosine": "CosSim",
}

_DIGITS = {
    "snr_improvement": 2,
    "snr": 2,
    "snr_improvement_above": 2,
    "snr_above": 2,
    "prd": 1,
    "ssd": 1,
}

_UNCHANGED = 100.0  # dB


@dataclass(frozen=True)
class ClinicBenchmark(PieceBenchmark):
    """All methods on the segments of protocol clinic.

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`.
    """

    def scorer(self, candidate: Candidate) -> Callable[[Piece], pd.DataFrame]:
        """Create a function that scores a segment under all conditions."""
        return partial(_score, candidate)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method gave no finite signal."""
        return bool(scores["rmse"].isna().any())

    def examples(
        self, candidate: Candidate, units: Sequence[Piece], scores: pd.DataFrame
    ) -> dict[str, NDArray[Any]]:
        """Signals of a segment in the middle of the test; see :func:`_examples`."""
        return _examples(candidate, units[len(units) // 2])

    def summary(self, result: Result) -> str:
        """Mean SNR improvement over all noisy conditions."""
        gain = float(result["snr_improvement"][result["kind"] != CLEAN].mean())
        return f"SNR improvement {gain:.2f} dB"


def _score(candidate: Candidate, piece: Piece) -> pd.DataFrame:
    """Scores of a segment under all conditions."""
    noisy = piece.noisy()
    found = [candidate.clean_with_spread(x, FS) for x in noisy]
    cleaned, stated = (np.stack(part)[:, _MIDDLE] for part in zip(*found, strict=True))
    clean = np.tile(piece.clean[_MIDDLE], (len(noisy), 1))
    values = measure(clean, noisy[:, _MIDDLE], cleaned)
    high = (
        high_pass(part)[:, _MIDDLE]
        for part in (np.tile(piece.clean, (len(noisy), 1)), noisy, np.stack([y for y, _ in found]))
    )
    values |= dict(zip(ABOVE, _signal_to_noise(*high), strict=True))
    return of_piece(
        piece,
        {
            "kind": np.array([kind for kind, _ in CONDITIONS]),
            "snr_in": np.array([snr for _, snr in CONDITIONS]),
            "lead": np.repeat(piece.lead, len(CONDITIONS)),
            **values,
            COVERED: covered(clean, cleaned, stated),
        },
    )


def covered(clean: Array, cleaned: Array, stated: Array) -> Array:
    """Share of the samples whose error is within the predicted 95 % band.

    Args:
        clean: (conditions, time) in mV.
        cleaned: the same; its error is taken less its mean, as for all measures.
        stated: predicted standard deviation of the error in mV; NaN without uncertainty.

    Returns:
        (conditions,); NaN without uncertainty.
    """
    error = cleaned - clean
    ratio = np.abs(error - error.mean(axis=1, keepdims=True)) / stated
    return np.where(np.isnan(ratio).any(axis=1), np.nan, (ratio <= BAND).mean(axis=1))


def measure(clean: Array, noisy: Array, cleaned: Array) -> dict[str, Array]:
    """All measures of signals (conditions, time) in mV, the order of :data:`CONDITIONS`."""
    x, z, y = (part - part.mean(axis=1, keepdims=True) for part in (clean, noisy, cleaned))
    improvement, after = _signal_to_noise(x, z, y)
    x, z, y = (part[..., np.newaxis] for part in (x, z, y))
    added = _added()
    values = {
        "snr_improvement": improvement,
        "snr": after,
        "rmse": metrics.rmse(x, y),
        "prd": metrics.prd(x, y),
        "ssd": metrics.ssd(x, y),
        "mad": metrics.mad(x, y),
        "cosine": metrics.cosine_similarity(x, y),
    }
    for of, signal in (("power", x), ("change", y - x)):
        for band, power in band_powers(signal[..., 0]).items():
            values[f"{of}_{band}"] = np.where(added, np.nan, power)
    return values


def _signal_to_noise(clean: Array, noisy: Array, cleaned: Array) -> tuple[Array, Array]:
    """SNR improvement, NaN without added noise, and output SNR, (conditions,) in dB."""
    x, z, y = (part[..., np.newaxis] for part in (clean, noisy, cleaned))
    return np.where(_added(), metrics.snr_improvement(x, z, y), np.nan), metrics.snr(x, y)


def _added() -> NDArray[np.bool_]:
    """Mask of the conditions with added noise, (conditions,)."""
    return np.array([kind != CLEAN for kind, _ in CONDITIONS])


def high_pass(x: NDArray[np.floating]) -> Array:
    """High-pass signals (signals, time, ...) at :data:`EDGE`."""
    sections = butter(4, EDGE, "highpass", output="sos", fs=FS)
    filtered: Array = sosfiltfilt(sections, x, axis=1)
    return filtered


def band_powers(x: Array) -> dict[str, Array]:
    """Power of signals (signals, time) in each of :data:`BANDS`, (signals,) in mV².

    By the periodogram with a Hann window, which keeps baseline wander out of the other bands.
    """
    frequency, density = periodogram(x, FS, "hann", axis=1)
    return {
        band: density[:, (frequency >= low) & (frequency < high)].sum(axis=1) * frequency[1]
        for band, (low, high) in BANDS.items()
    }


def _examples(candidate: Candidate, piece: Piece) -> dict[str, NDArray[Any]]:
    """A segment with each kind of noise at 0 dB, a few seconds of its middle.

    Returns:
        ``kind`` (kinds,); ``clean``, ``noisy``, ``cleaned`` (kinds, time), float32, in mV.
    """
    shown = [i for i, (_, snr) in enumerate(CONDITIONS) if snr == _EXAMPLE_SNR]
    part = slice(_MIDDLE.start, _MIDDLE.start + round(_EXAMPLE_SECONDS * FS))
    noisy = piece.noisy()[shown]
    signals = {
        "clean": np.tile(piece.clean, (len(shown), 1)),
        "noisy": noisy,
        "cleaned": np.stack([candidate.clean(x, FS) for x in noisy]),
    }
    return {
        "kind": np.array([CONDITIONS[i][0] for i in shown]),
        **{name: signal[:, part].astype(np.float32) for name, signal in signals.items()},
    }


def mean(
    result: Result, measure: str, kind: str | None = None, snr: float | None = None
) -> Interval:
    """Mean over records of a measure under a kind of noise at an SNR in dB, or under all noise.

    Of :data:`CHANGED` the sums over a record count.
    """
    if measure in CHANGED:
        band = measure.removeprefix("changed_")
        return changed(result, BANDS if band == "all" else [band])
    return _noisy(result, kind).mean(measure, kind=kind, snr_in=snr)


def mean_less(
    result: Result,
    other: Result | None,
    measure: str,
    kind: str | None = None,
    snr: float | None = None,
) -> Interval:
    """The same of the differences to another method on the same signals."""
    if other is None or other is result or measure in CHANGED:
        return NOWHERE
    return _noisy(result, kind).mean_less(other, measure, kind=kind, snr_in=snr)


def _noisy(result: Result, kind: str | None) -> Result:
    """The result, without clean signals where no kind of noise is chosen."""
    if kind is not None:
        return result
    return replace(result, table=result.table[result["kind"] != CLEAN])


def changed(result: Result, bands: Collection[str] = tuple(BANDS)) -> Interval:
    """Relative AC distortion in % of clean segments in some of :data:`BANDS`, mean over records."""
    if result.diverged:
        return NOWHERE
    clean = result.where(kind=CLEAN)
    names, index = np.unique(clean["record"].to_numpy(), return_inverse=True)
    change, power = (
        np.bincount(index, sum(clean[f"{of}_{band}"].to_numpy() for band in bands))
        for of in ("change", "power")
    )
    return over_records(100 * change / power, names)


def coverage(result: Result) -> Interval:
    """Coverage in % of the predicted 95 % band, over all conditions."""
    if COVERED not in result.table:
        return NOWHERE
    return over_records(100 * result[COVERED], result["record"])


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``clinic.md``, its figures and CSV files.

    See :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    noise, clinic = (
        [_described(result) for result in load_all(results / name, candidates.ORDER)]
        for name in ("clinic", "clinical")
    )
    if not noise and not clinic:
        return []
    candidates.warn_of_outdated(noise + clinic)
    anchor = anchor_of(noise, against, _best_model(noise))
    paths = [output / "clinic.md"]
    if noise:
        paths += figures.save_all(_figures(noise), output)
        paths.append(write_csv(noise, anchor, output / "clinic.csv"))
    if clinic:
        paths.append(clinical.write_csv(clinic, output / "clinical.csv"))
    pages.write(markdown(noise, clinic, anchor), paths[0])
    return paths


def markdown(results: Sequence[Result], clinic: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    by_title = {result.title(UNIT): result for result in results}
    others = {title: result for title, result in by_title.items() if result is not anchor}
    snrs = {f"{snr} dB": snr for snr in SNRS}

    def cell(result: Result, measure: str, kind: str | None, snr: float | None = None) -> str:
        return estimate(mean(result, measure, kind, snr), _DIGITS.get(measure, 3))

    def by_snr(measure: str, kind: str | None) -> str:
        return grid("method", by_title, snrs, lambda result, snr: cell(result, measure, kind, snr))

    @cache
    def apart(title: str, kind: str, snr: float) -> Interval:
        return mean_less(others[title], anchor, "snr_improvement", kind, snr)

    def differences(kind: str) -> str:
        titles = {title: title for title in others}
        return grid("method", titles, snrs, lambda title, snr: estimate(apart(title, kind, snr), 2))

    def ahead(kind: str) -> str:
        found = [
            f"`{result.method}` at {at}"
            for title, result in others.items()
            for at, snr in snrs.items()
            if apart(title, kind, snr).low > 0
        ]
        return ", ".join(found) or "none"

    clean = {"SNR to itself (dB)": "snr", "above 0.5 Hz (dB)": "snr_above"}
    clean |= dict(zip(_CHANGED_TITLES, CHANGED, strict=True))
    return pages.render(
        "clinic.md.j2",
        results=results,
        partial=any(result.done < result.total for result in (*results, *clinic)),
        anchor=anchor.method if anchor is not None and len(results) > 1 else None,
        overall=grid("method", by_title, {title: name for name, title in NAMES.items()},
                     lambda result, name: cell(result, name, None)),
        names=NAMES,
        by_snr=by_snr,
        differences=differences,
        ahead=ahead,
        kinds=KIND_TITLES,
        alike=_trained_alike(results),
        clean=grid("method", by_title, clean, _clean),
        budgets=budgets_section(results, "5 s of a lead"),
        networks=any(result.network for result in results),
        clinical=clinical.section(clinic) if clinic else "",
    )  # fmt: skip


def _trained_alike(results: Sequence[Result]) -> str:
    """Table of the networks with the training of the paper's, by gain; empty without any."""
    trained = equally_trained(results)
    paper = trained.get(PAPER)
    found = []
    for result in trained.values():
        network = result.network
        if network is None:
            continue
        gain = mean(result, BY_SNR[0])
        cells = [
            pages.count(network.parameters),
            pages.count(network.multiply_accumulates),
            *(estimate(mean(result, measure), 2) for measure in BY_SNR),
            *(estimate(mean_less(result, paper, measure), 2) for measure in BY_SNR),
        ]
        found.append((-gain.mean, [result.title(UNIT), *cells]))
    titles = [NAMES[measure] for measure in BY_SNR]
    header = ["network", "parameters", "MAC per 5 s of a lead", *titles]
    header += [f"difference in {title}" for title in titles]
    return pages.table(header, [row for _, row in sorted(found)]) if found else ""


_CHANGED_TITLES = ("changed (%)", "< 0.67 Hz (%)", "0.67-40 Hz (%)", "40-100 Hz (%)")


def _clean(result: Result, measure: str) -> str:
    """Cell of the table of clean signals."""
    interval = mean(result, measure, CLEAN)
    if measure in CHANGED:
        return estimate(interval, 2)
    return "unchanged" if interval.mean > _UNCHANGED else estimate(interval, 1)


def write_csv(results: Sequence[Result], anchor: Result | None, path: Path) -> Path:
    """Write all numbers as CSV: one line per method, measure, kind of noise and SNR."""
    fields = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    header = ("method", "version", "measure", "kind", "snr_in", *fields)
    lines = []
    for result in results:
        for measure, kind, snr in _cases():
            intervals = (
                mean(result, measure, kind, snr),
                mean_less(result, anchor, measure, kind, snr),
            )
            numbers = [value for i in intervals for value in (i.mean, i.low, i.high)]
            named = measure, kind or "all", np.nan if snr is None else snr
            written = (brief(value, 6) for value in numbers)
            lines.append((result.method, result.version[:12], *named, *written))
    return pages.write_csv(header, lines, path)


def _cases() -> Iterator[tuple[str, str | None, float | None]]:
    """Measure, kind of noise and SNR of all numbers; None for all of them."""
    yield from ((measure, None, None) for measure in MEASURES)
    yield from ((measure, None, float(snr)) for measure in BY_SNR for snr in SNRS)
    for kind, snr in CONDITIONS:
        measures = [m for m in MEASURES if kind != CLEAN or m not in BY_SNR]
        yield from ((measure, kind, snr) for measure in measures)
    yield from ((measure, CLEAN, np.inf) for measure in CHANGED)


def _figures(results: Sequence[Result]) -> dict[str, Figure]:
    gains = {result.method: mean(result, "snr_improvement").mean for result in results}
    changes = {result.method: mean(result, "changed_middle").mean for result in results}
    others = [result for result in results if not has_pairs_of_paper(result)]
    by_noise = {
        title: {
            result.method: [mean(result, "snr_improvement", kind, snr).mean for snr in SNRS]
            for result in others or results
        }
        for kind, title in KIND_TITLES.items()
    }
    shown = [KIND_TITLES[str(kind)] for kind in results[0].examples["kind"]]
    return {
        "clinic_gain.png": figures.gain_by_noise(by_noise, SNRS),
        "clinic_examples.png": figures.examples(results, gains, shown, FS, noisy="noisy, 0 dB"),
        "clinic_harm.png": figures.gain_and_distortion(results, gains, changes),
        "clinic_cost.png": figures.gain_by_cost(results, gains),
    }


def _best_model(results: Sequence[Result]) -> str:
    """Name of the shipped model with the highest mean gain; empty if none was run."""
    gains = {
        result.method: float(result["snr_improvement"][result["kind"] != CLEAN].mean())
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")


def _described(result: Result) -> Result:
    """Add size and cost to the result of a shipped model; older results lack them."""
    if result.network is not None or result.method not in model_names():
        return result
    return replace(result, network=candidates.describe_model(model_path(result.method)))
