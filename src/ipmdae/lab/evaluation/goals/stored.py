"""Stored results that goals may be judged by: whole, and of the weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ipmdae.checksums import digest
from ipmdae.engine import model_names, model_path
from ipmdae.lab.evaluation import headline, seeds, subjects
from ipmdae.lab.evaluation.benchmark import Result, load, load_all

_OURS = "ipmdae-"


def find(results: Path, protocol: str, method: str) -> Result | None:
    """The stored result of a method, if there is one.

    Raises:
        ValueError: it is of a part of the test, or of other weights than the model that ships.
    """
    version = digest(model_path(method)) if method in model_names() else ""
    return headline.find(results, protocol, method, version)


def by_seed(results: Path, protocol: str, method: str) -> list[Result]:
    """The stored results of a network that was trained alike with several seeds, by rising seed.

    Raises:
        ValueError: see :func:`find`.
    """
    one = find(results, protocol, method)
    if one is None:
        return []
    further = sorted((results / protocol).glob(f"{method}{seeds.MARK}*.npz"))
    return seeds.groups([one, *map(load, further)])[0]


def others(results: Path, protocol: str) -> tuple[list[Result], list[str]]:
    """The results of all methods that are not ours, and who has none of the whole test."""
    stored = load_all(results / protocol, subjects.names())
    theirs = [result for result in stored if not result.method.startswith(_OURS)]
    return [r for r in theirs if _is_whole(r)], [r.method for r in theirs if not _is_whole(r)]


def best(results: Sequence[Result]) -> Result | None:
    """The one that improves the SNR most."""
    return max(results, key=lambda result: headline.gain(result).mean, default=None)


def _is_whole(result: Result) -> bool:
    return result.done == result.total and not result.diverged
