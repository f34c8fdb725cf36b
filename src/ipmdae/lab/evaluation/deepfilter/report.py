"""Tables and figures of protocol deepfilter, from stored results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ipmdae import figures
from ipmdae.files import replacing
from ipmdae.lab.evaluation import given, rivals, seeds, tables
from ipmdae.lab.evaluation.benchmark import Result, anchor_of, in_common, load_all
from ipmdae.lab.evaluation.deepfilter import figures as drawings
from ipmdae.lab.evaluation.deepfilter.published import (
    COUNTS,
    FACTOR_EDGES,
    MECGE,
    MECGE_BY_FACTOR,
    REFERENCES,
    ROWS,
    Row,
)
from ipmdae.lab.evaluation.intervals import bootstrap, paired_difference
from ipmdae.methods import classical

_ANCHOR = "iir"
_PUBLISHED_BEATS = 26_632
_TOLERANCE = 0.05
_DPI = 85
_SHARED_PATIENT = "sele0121"

_NAMES = {
    "ssd": "SSD (mV²)",
    "mad": "MAD (mV)",
    "prd_deepfilter": "PRD (%)",
    "cosine": "CosSim",
    "prd": "PRD, standard (%)",
    "snr_improvement": "SNR improvement (dB)",
    "cosine_centred": "CosSim, centred",
    "rmse": "RMSE (mV)",
}
_PUBLISHED_MEASURES = ("ssd", "mad", "prd_deepfilter", "cosine")
_OUR_MEASURES = ("prd", "snr_improvement", "cosine_centred", "rmse")

_INTRODUCTION = """\
# DeepFilter's benchmark: baseline wander on single beats

The protocol of DeepFilter, DeScoD-ECG and MECG-E: beats of lead 0 of the QT Database in 512 samples
at 360 Hz, baseline wander of the MIT-BIH Noise Stress Test Database at 0.2 to 1.99 times a beat's
peak-to-peak value; 14 test records, two versions of the noise, pooled. That noise is a loop of 10.5
min ([nstdb.md](../nstdb.md)): training and test noise, split by time or by channel, are largely the
same. The split is the published one, so that results are comparable. Made by

```
pip install ".[benchmark,train]"
ipmdae download qtdb nstdb --to datasets
ipmdae benchmark run --protocol deepfilter --seeds all
```

(networks are trained first, see below); `ipmdae benchmark report --protocol deepfilter` writes the
page again from the stored results.

Published measures: SSD Σe², MAD max |e|, cosine similarity Σxy / (‖x‖ ‖y‖), and PRD as DeepFilter
computes it, 100 √(Σe² / Σ(y - m)²) with the estimate y and the mean m of all clean beats in the
denominator. Added here: the standard PRD, 100 √(Σe² / Σx²), SNR improvement, centred cosine
similarity (correlation) and RMSE. Each cell is the mean ± standard deviation over beats, then the
95 % interval (BCa bootstrap over the 14 records, 10,000 draws, each record with all of its beats).
With so few records intervals are wide; the last table shows differences between methods more
precisely, since it compares the same beats.
"""

_READING = """\
## How to read it

- `fir` and `iir` follow the published scripts, also in their padding at the ends of a beat. The
  other filters get the beat extended by odd reflection, so that they have some seconds to work on;
  on training beats that left less error than even reflection.
- `tv`, `nlm` and `neurokit-engzeemod2012` (a 50-Hz notch) do not remove baseline wander.
- NeuroKit2's methods other than `neurokit` and `neurokit-biosppy` prepare a signal for a QRS
  detector. They change its shape on purpose, and `neurokit-templateconvolution` its scale too.
- `wiener` and `lmmse` were fitted on the 72,002 training beats of each version, like the published
  networks; the other classical methods were not fitted. `wiener` is the best time-invariant linear
  filter; `lmmse` is the best linear map from the 512 samples to the 512 samples.
- Published networks are reimplemented from their papers and all had the same training budget, which
  is not that of their papers: 977 optimiser steps. Rows marked *not converged* do not show what
  these networks can do.
- `ipmdae-beat`, this project's network, was trained longer and on more data: in each epoch the
  beats of the training records are drawn anew by random lead projection of their two leads and with
  a random tempo, the noise of the version from random positions, in mixtures, with random sign.
  **Its SSD is therefore not directly comparable with the published rows.** Trained on the published
  pairs only (one lead, noise drawn once), the same network leaves about 4.3 mV² (MECG-E 3.445,
  DeScoD-ECG 3.771); on version 1, the second lead, the sign and the tempo are worth 0.86 mV², fresh
  noise 0.31.
- The standard deviation over seeds is not the uncertainty of the mean: over the 14 patients it is
  2.61 [1.76, 3.54] mV², an interval that contains the best published mean. One record, sel302,
  contributes 22 % of it.
- Zero padding after the beat shows a network the noise without ECG: that is worth 3 % of the SSD
  (inside the beat 3.297 mV², 3.404 with the padding hidden). The position of the beat in the window
  hardly matters (onset at samples 4, 16, 28: 3.48, 3.45, 3.53 mV²); 95 % of the SSD is inside the
  beat.
- The training noise of 325,000 samples has only 634 segments, shared by the 72,002 training beats,
  and `lmmse` overfits to these. `lmmse-fresh` differs only in that each training beat gets a
  segment from a random position of the same noise: compare the two rows. Every method trained on
  the published pairs, networks included, has this handicap.
- `lmmse-fresh` exploits the usual position of the QRS complex and of the zero padding in the
  window, and so does every network of this benchmark; in a recording that information is missing.
  How much of its advantage over `wiener` is due to this, and how much to the ends of the window,
  beyond which `wiener` assumes zeros, was not measured.
- A low SSD does not imply a good shape: `wiener` and most filters for QRS detectors have a low SSD
  and return little but QRS complexes; compare the cosine similarity.
- A few beats dominate the mean SSD, as the standard deviations show. The noise factor is defined by
  the peak-to-peak value of the baseline wander in the window; where that is small, its offset is
  scaled up with it.
"""


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``deepfilter.md`` and its figures.

    See :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "deepfilter", [*classical.names(), *rivals.NETWORKS])
    if not stored:
        return []
    pooled = [seeds.pool(group) for group in seeds.groups(stored)]
    drawn = {
        "deepfilter_examples.png": drawings.examples(pooled),
        "deepfilter_by_factor.png": drawings.by_factor(pooled),
        "deepfilter_cost.png": drawings.by_cost(pooled),
    }
    paths = [output / "deepfilter.md"]
    for name, figure in drawn.items():
        paths.append(output / "figures" / name)
        figures.save(figure, paths[-1], dpi=_DPI)
    with replacing(paths[0]) as aside:
        aside.write_text(markdown(stored, anchor_of(stored, against, _ANCHOR)), encoding="utf-8")
    return paths


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    groups = seeds.groups(results)
    pooled = [seeds.pool(group) for group in groups]
    sections = [
        _INTRODUCTION,
        _incomplete(results),
        "## All test beats\n",
        _main_table(pooled),
        _parts(results),
        "Rows with a source are as published there.\n",
        _deviations(pooled),
        seeds.section(groups, {name: _NAMES[name] for name in _PUBLISHED_MEASURES}),
        given.section(pooled, "beat", COUNTS),
        "![SSD and CosSim against cost](figures/deepfilter_cost.png)\n",
        "## Further measures\n",
        _measure_table(pooled, _OUR_MEASURES),
        "## By noise factor\n\nSSD / CosSim; the lower edge belongs to a bin.\n",
        _factor_table(pooled),
        "![Mean SSD by noise factor](figures/deepfilter_by_factor.png)\n",
        _without_shared_patient(pooled),
        _paired(groups, anchor),
        "![Beats of a test record](figures/deepfilter_examples.png)\n",
        _READING,
        "## Sources\n",
        "\n".join(f"- {reference}" for reference in REFERENCES) + "\n",
    ]
    return "\n".join(section for section in sections if section)


def _incomplete(results: Sequence[Result]) -> str:
    total = max(result.total for result in results)
    if total == _PUBLISHED_BEATS:
        return ""
    return (
        f"**These are {total:,} test beats, the published protocol has {_PUBLISHED_BEATS:,}: "
        "records are missing, and the published rows are not comparable.**\n"
    )


def _parts(results: Sequence[Result]) -> str:
    if all(result.done == result.total for result in results):
        return ""
    return (
        "A row with a number of beats covers an evenly spaced part of the test (option `--part`); "
        "the same command without it runs all beats.\n"
    )


def _main_table(results: Sequence[Result]) -> str:
    rows = [_measured(result, _PUBLISHED_MEASURES) for result in results]
    rows += [_published(row) for row in ROWS]
    return tables.table(["method", *(_NAMES[name] for name in _PUBLISHED_MEASURES)], rows)


def _measure_table(results: Sequence[Result], measures: Sequence[str]) -> str:
    rows = [_measured(result, measures) for result in results]
    return tables.table(["method", *(_NAMES[name] for name in measures)], rows)


def _factor_table(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        cells = [result.title("beats")]
        factor = result.labels["factor"]
        for low, high in pairwise(FACTOR_EDGES):
            inside = (factor >= low) & (factor < high)
            means = [tables.mean(result.values[name][inside]) for name in ("ssd", "cosine")]
            cells.append(" / ".join(means))
        rows.append(cells)
    published = [f"{ssd:.3f} / {cosine:.3f}" for ssd, cosine in MECGE_BY_FACTOR]
    rows.append([f"MECG-E {MECGE}", *published])
    return tables.table(["method", *(f"{a:g}-{b:g}" for a, b in pairwise(FACTOR_EDGES))], rows)


def _without_shared_patient(results: Sequence[Result]) -> str:
    """Scores of trained methods on patients that are not in the training set."""
    rows = []
    for result in results:
        strangers = result.record != _SHARED_PATIENT
        if result.diverged or not strangers.any():
            continue
        if result.network is not None or result.method in classical.LEARNERS:
            means = [tables.mean(result.values[name][strangers]) for name in _PUBLISHED_MEASURES]
            rows.append([result.title("beats"), *means])
    if not rows:
        return ""
    header = ["method", *(_NAMES[name] for name in _PUBLISHED_MEASURES)]
    return (
        f"## Without the patient shared by training and test\n\nThe published split has `sele0122` "
        f"among the training records and `{_SHARED_PATIENT}`,\nof the same patient, in the test. "
        f"Scores of trained methods on the other records:\n\n{tables.table(header, rows)}"
    )


def _paired(groups: Sequence[Sequence[Result]], anchor: Result | None) -> str:
    """Paired differences to ``anchor`` per beat; of several seeds the lowest is compared."""
    if anchor is None:
        return ""
    rows = []
    for result, *_ in groups:
        if result is anchor:
            continue
        cells = [result.title("beats")]
        for name in ("ssd", "cosine"):
            ours, theirs = in_common(result, anchor)
            if result.diverged or len(ours) == 0:
                cells.append("-")
                continue
            difference = paired_difference(
                result.values[name][ours], anchor.values[name][theirs], result.record[ours]
            )
            cells.append(tables.estimate(difference))
        rows.append(cells)
    header = ["method", "SSD difference (mV²)", "CosSim difference"]
    seeded = any(len(group) > 1 for group in groups)
    note = "Of a network with several seeds, the lowest is compared.\n\n" if seeded else ""
    return f"## Against `{anchor.method}`, beat by beat\n\n{note}{tables.table(header, rows)}"


def _deviations(results: Sequence[Result]) -> str:
    """Deviations from published rows, marked where they exceed the tolerance."""
    by_name = {result.method: result for result in results if not result.diverged}
    lines = []
    for row in ROWS:
        if row.method not in by_name or by_name[row.method].done != _PUBLISHED_BEATS:
            continue
        values = by_name[row.method].values
        published = (row.ssd, row.mad, row.prd, row.cosine)
        shares = [
            float(values[name].mean()) / value - 1
            for name, value in zip(_PUBLISHED_MEASURES, published, strict=True)
        ]
        listed = ", ".join(
            f"{_NAMES[name].split(' (')[0]} {share:+.1%}"
            for name, share in zip(_PUBLISHED_MEASURES, shares, strict=True)
        )
        verdict = _verdict(by_name[row.method], shares[0])
        lines.append(f"- `{row.method}` against the published {row.title}: {listed}.{verdict}")
    return "\n".join([*lines, ""])


def _verdict(result: Result, share: float) -> str:
    """Known reason for the deviation of a row's SSD, in words."""
    if abs(share) <= _TOLERANCE:
        return ""
    if share < 0 and result.network is not None:
        return " Better, but trained differently; the contributions were not measured separately."
    reason = result.network.reason if result.network else ""
    return f" {reason[0].upper()}{reason[1:]}." if reason else " **Unexplained.**"


def _measured(result: Result, measures: Sequence[str]) -> list[str]:
    cells = [result.title("beats")]
    for name in measures:
        values = result.values[name]
        if result.diverged:
            cells.append("-")
        else:
            cells.append(
                f"{tables.mean(values)} ± {tables.number(float(values.std()))} "
                f"{tables.limits(bootstrap(values, result.record))}"
            )
    return cells


def _published(row: Row) -> list[str]:
    values = (row.ssd, row.mad, row.prd, row.cosine)
    return [f"{row.title} {row.source}", *(f"{value:.3f}" for value in values)]
