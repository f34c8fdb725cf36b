"""Stored results for the goals: complete, and of the shipped weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ipmdae.checksums import digest
from ipmdae.engine import model_names, model_path
from ipmdae.lab.evaluation import headline, seeds, subjects
from ipmdae.lab.evaluation.benchmark import Result, load, load_all

_OURS = "ipmdae-"


def find(results: Path, protocol: str, method: str) -> Result | None:
    """Load the stored result of a method; None if there is none.

    Raises:
        ValueError: the result covers part of the test, or belongs to other weights than the
            shipped.
    """
    version = digest(model_path(method)) if method in model_names() else ""
    return headline.find(results, protocol, method, version)


def by_seed(results: Path, protocol: str, method: str) -> list[Result]:
    """Stored results of a network over training seeds, ascending.

    Raises:
        ValueError: see :func:`find`.
    """
    one = find(results, protocol, method)
    if one is None:
        return []
    further = sorted((results / protocol).glob(f"{method}{seeds.MARK}*.npz"))
    return seeds.groups([one, *map(load, further)])[0]


def others(results: Path, protocol: str) -> tuple[list[Result], list[str]]:
    """Complete results of other authors' methods, and the names of methods without one."""
    stored = load_all(results / protocol, subjects.names())
    theirs = [result for result in stored if not result.method.startswith(_OURS)]
    return [r for r in theirs if _is_whole(r)], [r.method for r in theirs if not _is_whole(r)]


def best(results: Sequence[Result]) -> Result | None:
    """Result with the highest mean SNR improvement."""
    return max(results, key=lambda result: headline.gain(result).mean, default=None)


def _is_whole(result: Result) -> bool:
    return result.done == result.total and not result.diverged
