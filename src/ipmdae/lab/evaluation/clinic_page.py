"""Page of protocol clinic: tables, figures and CSV files of what is stored.

It has the clinical measures (:mod:`ipmdae.lab.evaluation.clinical`) too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ipmdae.engine import model_names, model_path
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import candidates, clinical, figures, pages
from ipmdae.lab.evaluation.clinic import BY_SNR, CHANGED, MEASURES, NAMES, UNIT, mean, mean_less
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.pages import brief, estimate, grid
from ipmdae.lab.evaluation.results import Result, anchor_of, load_all
from ipmdae.lab.evaluation.training_budget import (
    PAPER,
    budgets_section,
    equally_trained,
    has_pairs_of_paper,
)
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, FS, MIXTURE, SNRS

KIND_TITLES = {**TITLES, MIXTURE: "all three"}

_CHANGED_TITLES = ("changed (%)", "< 0.67 Hz (%)", "0.67-40 Hz (%)", "40-100 Hz (%)")

_DIGITS = {
    "snr_improvement": 2,
    "snr": 2,
    "snr_improvement_above": 2,
    "snr_above": 2,
    "prd": 1,
    "ssd": 1,
}

_UNCHANGED = 100.0  # dB


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
    def apart(title: str, measure: str, kind: str, snr: float) -> Interval:
        return mean_less(others[title], anchor, measure, kind, snr)

    def differences(measure: str, kind: str) -> str:
        return grid(
            "method",
            {title: title for title in others},
            snrs,
            lambda title, snr: estimate(apart(title, measure, kind, snr), 2),
        )

    def ahead(measure: str, kind: str) -> str:
        return _listed(snrs, others, lambda title, snr: apart(title, measure, kind, snr).low > 0)

    def worse(measure: str, kind: str) -> str:
        return _listed(
            snrs, by_title, lambda title, snr: mean(by_title[title], measure, kind, snr).high < 0
        )

    clean = {"SNR to itself (dB)": "snr", "above 0.5 Hz (dB)": "snr_above"}
    clean |= dict(zip(_CHANGED_TITLES, CHANGED, strict=True))
    alike, verdicts = _trained_alike(results)
    return pages.render(
        "clinic.md.j2",
        results=results,
        partial=any(result.done < result.total for result in (*results, *clinic)),
        anchor=anchor.method if anchor is not None and len(results) > 1 else None,
        overall=grid("method", by_title, {title: name for name, title in NAMES.items()},
                     lambda result, name: cell(result, name, None)),
        names=NAMES,
        by_snr=by_snr,
        measures=BY_SNR,
        differences=differences,
        ahead=ahead,
        worse=worse,
        kinds=KIND_TITLES,
        alike=alike,
        verdicts=verdicts,
        band_pass=next((_clean(r, "snr") for r in results if r.method == "butterworth-0.5-40"), ""),
        clean=grid("method", by_title, clean, _clean),
        budgets=budgets_section(results, "5 s of a lead"),
        networks=any(result.network for result in results),
        clinical=clinical.section(clinic) if clinic else "",
    )  # fmt: skip


def _listed(
    snrs: Mapping[str, float], rows: Mapping[str, Result], holds: Callable[[str, float], bool]
) -> str:
    """Methods for which something holds, by SNR; ``none`` if it holds for no method."""
    by_snr = {
        at: [f"`{result.method}`" for title, result in rows.items() if holds(title, snr)]
        for at, snr in snrs.items()
    }
    return (
        "; ".join(f"at {at} {', '.join(found)}" for at, found in by_snr.items() if found) or "none"
    )


def _trained_alike(results: Sequence[Result]) -> tuple[str, dict[str, dict[str, str]]]:
    """Table of the networks with the training of the paper's, by gain, and verdicts by measure.

    Both are empty without such networks.
    """
    trained = equally_trained(results)
    paper = trained.get(PAPER)
    less = {
        measure: {name: mean_less(result, paper, measure) for name, result in trained.items()}
        for measure in BY_SNR
    }
    found = []
    for name, result in trained.items():
        network = result.network
        if network is None:
            continue
        gain = mean(result, BY_SNR[0])
        cells = [
            pages.count(network.parameters),
            pages.count(network.multiply_accumulates),
            *(estimate(mean(result, measure), 2) for measure in BY_SNR),
            *(estimate(less[measure][name], 2) for measure in BY_SNR),
        ]
        found.append((-gain.mean, [result.title(UNIT), *cells]))
    if not found:
        return "", {}
    titles = [NAMES[measure] for measure in BY_SNR]
    header = ["network", "parameters", "MAC per 5 s of a lead", *titles]
    header += [f"difference in {title}" for title in titles]
    others = {
        NAMES[measure]: {name: apart[name] for name in apart if name != PAPER}
        for measure, apart in less.items()
    }
    verdicts = {title: pages.verdicts(apart) for title, apart in others.items() if apart}
    return pages.table(header, [row for _, row in sorted(found)]), verdicts


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
