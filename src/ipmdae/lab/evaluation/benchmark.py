"""Common parts of all benchmarks: a method's result on the test items, its file, its workers.

A result is one file per method. It holds everything that tables and figures need, so that they can
be written again without the databases and the method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.evaluation.given import Network

Array = NDArray[np.float64]
Labels = dict[str, NDArray[Any]]

_GROUPS = ("labels", "values", "examples")


@dataclass(frozen=True, kw_only=True)
class Result:
    """Scores of one method, one entry per item of the test.

    Attributes:
        method: name of the method.
        version: SHA-256 of a network's weights; empty for other methods.
        network: cost and training budget of a network; ``None`` for other methods.
        total: size of the test, in units of the benchmark (beats, segments, …).
        done: units that were run; fewer if only a part was requested.
        diverged: number of units with non-finite output.
        item: indices of the test items, int64, ascending.
        record: name of the record of each item.
        labels: properties of each item (noise factor, kind of noise, …), (items,) each.
        values: scores by name of the measure, (items,) each; NaN where undefined.
        examples: signals for figures, in a format of the benchmark.
    """

    method: str
    version: str = ""
    network: Network | None = None
    total: int
    done: int
    diverged: int
    item: NDArray[np.int64]
    record: NDArray[np.str_]
    labels: Labels
    values: dict[str, Array]
    examples: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item)

    def title(self, unit: str) -> str:
        """Row label: method name with flags (mean over seeds, not converged, diverged, or
        partial).
        """
        remarks = []
        if self.network and len(self.network.seeds) > 1:
            remarks.append(f"mean over {len(self.network.seeds)} seeds")
        if self.network and self.network.remark:
            remarks.append(self.network.remark)
        if self.diverged:
            remarks.append(f"diverged on {self.diverged:,} {unit}")
        if self.done < self.total:
            remarks.append(f"{self.done:,} of {self.total:,} {unit}")
        return f"`{self.method}`" + (f" ({'; '.join(remarks)})" if remarks else "")


class Mapper(Protocol):
    """``map``, also of a pool of processes: results in the order of the items."""

    def __call__(
        self, function: Callable[[Any], Any], items: Iterable[Any], /
    ) -> Iterator[Any]: ...


class Benchmark(Protocol):
    """Interface of a benchmark.

    Attributes:
        unit: unit of the counts, e.g. ``"beats"``.
    """

    unit: str

    @property
    def methods(self) -> list[str]:
        """Methods that are run by default."""
        ...

    def version(self, method: str) -> str:
        """Version of a method's weights or code: :attr:`Result.version`.

        Raises:
            ValueError: the method is unknown; the message lists the known ones.
        """
        ...

    def size(self, part: int | None) -> int:
        """Number of beats, segments, … in ``part``."""
        ...

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda count: None,
    ) -> Result:
        """Score a method; the result does not depend on the processes of ``mapper``.

        Args:
            method: its name or, where the benchmark takes networks, a model file or
                ``name@seed``.
            part: size of an evenly spaced part of the test; by default all.
            done: called with the number of beats, segments, … that were finished since.
        """
        ...

    def summary(self, result: Result) -> str:
        """Result in a few words."""
        ...


def label(method: str) -> str:
    """Name of a method in results.

    For a model file the name without suffix; for the folder of a training run its last two
    parts, e.g. ``"Ultralight_IPM_DAE-version_0"``; else the name itself.
    """
    if method.endswith(".safetensors"):
        return Path(method).stem
    return "-".join(Path(method).parts[-2:])


def save(result: Result, path: Path) -> None:
    """Write a result; the file appears when it is complete."""
    arrays: dict[str, Any] = {
        name: value for name, value in vars(result).items() if name not in (*_GROUPS, "network")
    }
    if result.network is not None:
        arrays["network"] = result.network.to_json()
    for group in _GROUPS:
        arrays |= {f"{group}.{name}": value for name, value in getattr(result, group).items()}
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)


def load(path: Path) -> Result:
    """Read a result that :func:`save` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a stored result.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            groups: dict[str, dict[str, Any]] = {
                group: {
                    name.removeprefix(f"{group}."): stored[name]
                    for name in stored.files
                    if name.startswith(f"{group}.")
                }
                for group in _GROUPS
            }
            return Result(
                method=str(stored["method"]),
                version=str(stored["version"]),
                network=(
                    Network.from_json(str(stored["network"])) if "network" in stored.files else None
                ),
                total=int(stored["total"]),
                done=int(stored["done"]),
                diverged=int(stored["diverged"]),
                item=stored["item"],
                record=stored["record"],
                **groups,
            )
    except (KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is not a stored result ({error}); run it with --force") from error


def load_all(folder: Path, order: Sequence[str]) -> list[Result]:
    """All results in ``folder``: first those of ``order``, then others by name."""
    stored = sorted(path.stem for path in folder.glob("*.npz"))
    known = [name for name in order if name in stored]
    names = [*known, *(name for name in stored if name not in known)]
    return [load(folder / f"{name}.npz") for name in names]


def anchor_of(results: Sequence[Result], wanted: str | None, default: str) -> Result | None:
    """Result to compare the others with; None if the default is not usable.

    Raises:
        ValueError: the method ``wanted`` has no result, or one that is not a number.
    """
    usable = {result.method: result for result in results if not result.diverged}
    if wanted is not None and wanted not in usable:
        raise ValueError(f"no result of {wanted!r} to compare with; there are: {', '.join(usable)}")
    return usable.get(wanted or default)


def in_common(ours: Result, theirs: Result) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the common items in each of two results."""
    _, first, second = np.intersect1d(ours.item, theirs.item, return_indices=True)
    return first, second


def spread(total: int, wanted: int | None) -> NDArray[np.int64]:
    """Indices of ``wanted`` of ``total`` items, evenly spaced."""
    count = total if wanted is None else min(wanted, total)
    return np.rint(np.linspace(0, total - 1, count)).astype(np.int64)
