"""Card of a released run of the benchmark: data, budget, outcome and limits, from its own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ipmdae.lab.evaluation.benchmarks import WITH_SEEDS
from ipmdae.lab.evaluation.pages import count, plural, table
from ipmdae.lab.training.run import SETTINGS_FILE
from ipmdae.lab.training.summary import Summary, network_and_pairs, read_summary

CARD_FILE = "card.md"

INPUTS = {
    "deepfilter": "beats of lead 0 in 512 samples at 360 Hz, in mV, with baseline wander",
    "clinic": "windows of 10 s of one lead at 250 Hz, with noise of all kinds",
    "reference": "windows of 5 s of two leads at 250 Hz, with noise of all kinds",
}
"""Input of the networks of each protocol."""

PAIRS = {
    "": "the published pairs",
    "augmented": "the published pairs, transformed anew in each epoch",
    "open": "drawn anew in each epoch",
}
"""Training pairs by the suffix of a network's name."""

LEADS_PAIRS = {
    "": "drawn anew in each epoch",
    "augmented": "drawn anew in each epoch, as in the last training stage of the models that ship",
}
"""Training pairs of protocol clinic by that suffix."""

DATABASES = {
    "qtdb_folder": "QT Database 1.0.0",
    "nstdb_folder": "MIT-BIH Noise Stress Test Database 1.0.0",
    "mitdb_folder": "MIT-BIH Arrhythmia Database 1.0.0",
    "cinc2017_folder": "CinC Challenge 2017",
    "ecgnext_folder": "motion of ECGNExT",
}

LIMITS = """\
For this benchmark only, for research and engineering, not for diagnosis. It is not a model for
recordings: `ipmdae models` lists those.
"""


def text(folder: Path) -> str:
    """Card of the run in a folder, as Markdown."""
    settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    summary = read_summary(folder)
    version = settings["protocol_settings"].get("version")
    title = f"`{summary.method}`, protocol {summary.protocol}, seed {summary.seed}"
    if version:
        title += f", version {version} of the noise"
    rows = table(["", ""], [[name, value] for name, value in _rows(settings, summary).items()])
    return f"# {title}\n\n{rows}\n{LIMITS}"


def _rows(settings: dict[str, Any], summary: Summary) -> dict[str, str]:
    recipe, split, protocol = settings["recipe"], settings["split"], summary.protocol
    pairs = network_and_pairs(summary.method)[1]
    used = [name for key, name in DATABASES.items() if settings["protocol_settings"].get(key)]
    seeds = "--seeds all " if summary.seed and protocol in WITH_SEEDS else ""
    validated = f"{len(split['validation'])} of validation, which selected the epoch"
    if protocol == "reference":
        validated += ": those of the test, as published"
    return {
        "input": INPUTS[protocol],
        "parameters": count(summary.parameters),
        "data": ", ".join(used),
        "QT records": f"{len(split['training'])} of training, {validated} "
        f"(names in `{SETTINGS_FILE}`)",
        "pairs": (LEADS_PAIRS if protocol == "clinic" else PAIRS)[pairs],
        "recipe": f"{recipe['name']}: {recipe['optimizer']}, learning rate "
        f"{recipe['learning_rate']:g}, batches of {summary.batch_size}, loss {summary.loss}, "
        f"{settings['precision']}",
        "budget": f"{plural(summary.epochs, 'epoch')}, {summary.windows_seen:,} windows, "
        f"{summary.seconds / 60:.0f} min on a {summary.accelerator.upper()}",
        "weights": _weights(summary),
        "scores": f"the row in `docs/results/{protocol}.md`, and `release/scores/{protocol}`",
        "scores made again by": f"`ipmdae benchmark run --protocol {protocol} "
        f"--methods {summary.method} {seeds}--runs release/runs`",
    }


def _weights(summary: Summary) -> str:
    if summary.best_valid_loss is None:
        return "diverged"
    outcome = "converged" if summary.converged else "**not converged**"
    return (
        f"of epoch {summary.best_epoch}, validation loss {summary.best_valid_loss:.4g}; {outcome}"
    )
