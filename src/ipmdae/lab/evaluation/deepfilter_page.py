"""Page of protocol deepfilter: tables and figures of what is stored, beside what is published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import stdev

from ipmdae.lab.evaluation import candidates, cells, figures, pages
from ipmdae.lab.evaluation.deepfilter import UNIT
from ipmdae.lab.evaluation.intervals import Interval
from ipmdae.lab.evaluation.pages import estimate, grid
from ipmdae.lab.evaluation.published import BY_FACTOR, COUNTS, FACTOR_EDGES, ROWS, TRAINED
from ipmdae.lab.evaluation.results import Result, anchor_of, load_all
from ipmdae.lab.evaluation.training_budget import (
    budgets_section,
    groups,
    parse_seed,
    pool,
    seeds_section,
)
from ipmdae.lab.protocols.deepfilter import FS
from ipmdae.lab.training.summary import network_and_pairs
from ipmdae.methods import classical

PUBLISHED_BEATS = 26_632

_TOLERANCE = 0.05

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

_BINNED = ("ssd", "cosine")

_COMPARED = {"ssd": "SSD difference (mV²)", "cosine": "CosSim difference"}

_BETTER = {"ssd": -1, "cosine": 1}
"""1 where more is better, else -1."""

_OUR_MEASURES = ("prd", "snr_improvement", "cosine_centred", "rmse")

#: Titles of the groups of networks, by the suffix of their names.
_PAIRS = {
    "": "Networks trained on the published pairs",
    "augmented": "Networks trained on the published pairs, transformed anew in each epoch",
    "open": "Networks trained on beats and noise drawn anew in each epoch",
}

_CLASSICAL = "Classical methods"

_OURS = "ipmdae-beat"


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``deepfilter.md`` and its figures.

    See :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "deepfilter", candidates.ORDER)
    if not stored:
        return []
    pooled = [pool(group) for group in groups(stored)]
    similarity = {result.method: float(result["cosine"].mean()) for result in pooled}
    shown = [f"r = {factor:g}" for factor in pooled[0].examples["factor"]]
    drawn = {
        "deepfilter_examples.png": figures.examples(
            pooled, similarity, shown, FS, height=1.5, centred=True
        ),
        "deepfilter_by_factor.png": figures.error_by_factor(pooled),
        "deepfilter_cost.png": figures.error_by_cost(pooled),
    }
    page = markdown(stored, anchor_of(stored, against, "iir"))
    return [pages.write(page, output / "deepfilter.md"), *figures.save_all(drawn, output, dpi=85)]


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    seeded = groups(results)
    pooled, firsts = [pool(group) for group in seeded], [group[0] for group in seeded]
    total = max(result.total for result in results)
    published, ours = (
        {_NAMES[name]: name for name in names} for names in (_PUBLISHED_MEASURES, _OUR_MEASURES)
    )
    by_title = {result.title(UNIT): result for result in pooled}
    first = {result.title(UNIT): result for result in firsts if result is not anchor}
    less_ours = _differences(firsts, _ours_alike)
    paired = {title: measure for measure, title in _COMPARED.items()}
    strangers = {title: result for title, result in by_title.items() if _is_trained(result)}
    return pages.render(
        "deepfilter.md.j2",
        total=None if total == PUBLISHED_BEATS else f"{total:,}",
        published_beats=f"{PUBLISHED_BEATS:,}",
        partial=any(result.done != result.total for result in results),
        all_beats={
            title: grid("method", rows, published, cells.measured)
            + _lines(_published(title) if title in (_CLASSICAL, _PAIRS[""]) else [])
            for title, rows in _by_pairs(pooled).items()
        },
        spread=[
            (parse_seed(group[0].method)[0], stdev(float(result["ssd"].mean()) for result in group))
            for group in seeded
            if len(group) > 1
        ],
        dominant=[(result, *_dominant(result)) for result in pooled if _is_ours(result)],
        deviations=_deviations(pooled),
        less_ours=_difference_table(less_ours, _ours_alike),
        verdicts={
            _NAMES[measure].split(" (")[0]: pages.verdicts(apart, _BETTER[measure])
            for measure, apart in less_ours.items()
        },
        effects=_difference_table(_differences(firsts, _on_published_pairs), _on_published_pairs),
        seeds=seeds_section(seeded, {name: _NAMES[name] for name in _PUBLISHED_MEASURES}),
        budgets=budgets_section(pooled, "beat", COUNTS),
        further=grid("method", by_title, ours, cells.measured),
        by_factor=grid("method", by_title, cells.bins(FACTOR_EDGES), partial(cells.in_bin, _BINNED))
        + _lines(_published_by_factor()),
        shared=_SHARED_PATIENT,
        strangers=strangers and grid("method", strangers, published, _of_strangers),
        anchor=anchor and anchor.method,
        paired=anchor and grid("method", first, paired, partial(cells.less, anchor)),
    )


def _by_pairs(results: Sequence[Result]) -> dict[str, dict[str, Result]]:
    """Results by row title, by what the methods were trained on; without other empty groups."""
    found: dict[str, dict[str, Result]] = {title: {} for title in (_CLASSICAL, *_PAIRS.values())}
    for result in results:
        pairs = network_and_pairs(parse_seed(result.method)[0])[1]
        group = _PAIRS[pairs] if result.network else _CLASSICAL
        found[group][result.title(UNIT)] = result
    return {title: rows for title, rows in found.items() if rows or title == _PAIRS[""]}


def _differences(
    results: Sequence[Result], other_of: Callable[[str], str]
) -> dict[str, dict[str, Interval]]:
    """Networks less the one whose name ``other_of`` gives for their own, by measure and name."""
    by_name = {parse_seed(result.method)[0]: result for result in results if result.network}
    others = {name: by_name[other] for name in by_name if (other := other_of(name)) in by_name}
    return {
        measure: {
            name: cells.difference(other, by_name[name], measure)
            for name, other in others.items()
            if other is not by_name[name]
        }
        for measure in _COMPARED
    }


def _difference_table(found: dict[str, dict[str, Interval]], other_of: Callable[[str], str]) -> str:
    """Table of :func:`_differences`; empty without any."""
    rows = [
        [f"`{name}`, less `{other_of(name)}`", *(estimate(apart[name]) for apart in found.values())]
        for name in next(iter(found.values()))
    ]
    return pages.table(["networks", *_COMPARED.values()], rows) if rows else ""


def _is_ours(result: Result) -> bool:
    return network_and_pairs(result.method)[0] == _OURS


def _dominant(result: Result) -> tuple[str, float]:
    """The record with the largest part of the SSD, and that part."""
    by_record = result.table.groupby("record")["ssd"].sum()
    return str(by_record.idxmax()), float(by_record.max() / by_record.sum())


def _ours_alike(name: str) -> str:
    """The project's network with the training pairs of another one."""
    return "+".join(part for part in (_OURS, network_and_pairs(name)[1]) if part)


def _on_published_pairs(name: str) -> str:
    """The same network, trained on the published pairs."""
    return network_and_pairs(name)[0]


def _of_strangers(result: Result, measure: str) -> str:
    """Mean over the patients that are not in the training set."""
    return pages.mean(result[measure][result["record"] != _SHARED_PATIENT])


def _is_trained(result: Result) -> bool:
    """True for a trained method with scores of patients that are not in the training set."""
    if result.diverged or not (result["record"] != _SHARED_PATIENT).any():
        return False
    return result.network is not None or result.method in classical.LEARNERS


def _published(title: str) -> list[list[str]]:
    """Published rows of the classical methods, or of the networks."""
    return [
        [f"{row.title} {row.source}", *(f"{value:.3f}" for value in row.values)]
        for row in ROWS
        if (row.method in classical.names()) == (title == _CLASSICAL)
    ]


def _published_by_factor() -> list[list[str]]:
    return [
        [title, *(" / ".join(f"{value:.3f}" for value in values) for values in bins)]
        for title, bins in BY_FACTOR.items()
    ]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    """Further lines of a table."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _deviations(results: Sequence[Result]) -> list[str]:
    """Deviations from published rows, marked where they exceed the tolerance."""
    by_name = {result.method: result for result in results if not result.diverged}
    lines = []
    for row in ROWS:
        if row.method not in by_name or by_name[row.method].done != PUBLISHED_BEATS:
            continue
        result = by_name[row.method]
        shares = {
            name: float(result[name].mean()) / value - 1
            for name, value in zip(_PUBLISHED_MEASURES, row.values, strict=True)
        }
        listed = ", ".join(
            f"{_NAMES[name].split(' (')[0]} {share:+.1%}" for name, share in shares.items()
        )
        verdict = _verdict(result, row.source, shares["ssd"])
        lines.append(f"- `{row.method}` against the published {row.title}: {listed}.{verdict}")
    return lines


def _verdict(result: Result, source: str, share: float) -> str:
    """Known reason for the deviation of a row's SSD from that of a publication, in words."""
    if abs(share) <= _TOLERANCE:
        return ""
    if share < 0 and result.network is not None:
        return " Better, but trained differently; the contributions were not measured separately."
    reason = result.network.reason if result.network else ""
    if reason:
        return f" {reason[0].upper()}{reason[1:]}."
    if result.network and result.network.trainings and source in TRAINED:
        epochs = pages.plural(result.network.trainings[0].summary.epochs, "epoch")
        return (
            f" Worse, for an unknown reason: trained here for {epochs}, the last of which hardly "
            f"lowered the validation loss, in the publication {TRAINED[source]}."
        )
    return " **Unexplained.**"
