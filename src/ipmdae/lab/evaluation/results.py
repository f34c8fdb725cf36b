"""Results of the methods on a test: one table each, their files, comparisons of two.

A result is one file per method. It holds everything that tables and figures need, so that they can
be written again without the databases and the method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.training_budget import Network

Array = NDArray[np.float64]

_TABLE, _EXAMPLES = "table.", "examples."


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Scores of one method.

    Attributes:
        method: name of the method.
        version: SHA-256 of a network's weights; empty for other methods.
        network: cost and training budget of a network; ``None`` for other methods.
        total: size of the test, in units of the benchmark (beats, segments, …).
        done: units that were run; fewer if only a part was requested.
        diverged: number of units with non-finite output.
        table: one row per item of the test, with the columns ``item`` (its index, ascending),
            ``record``, labels of the benchmark (kind of noise, SNR, lead, measure, …), and values,
            NaN where undefined.
        examples: signals for figures, in a format of the benchmark.
    """

    method: str
    version: str = ""
    network: Network | None = None
    total: int
    done: int
    diverged: int
    table: pd.DataFrame
    examples: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column of the table as an array."""
        values: NDArray[Any] = self.table[column].to_numpy()
        return values

    def where(self, **labels: object) -> pd.DataFrame:
        """Rows of the table with these labels; ``None`` stands for any value."""
        chosen = np.ones(len(self), np.bool_)
        for name, value in labels.items():
            if value is not None:
                chosen &= (self.table[name] == value).to_numpy()
        return self.table[chosen]

    def mean(self, measure: str, **labels: object) -> Interval:
        """Mean of the records' means of a measure; NaN if the method diverged."""
        if self.diverged:
            return NOWHERE
        rows = self.where(**labels)
        return over_records(rows[measure], rows["record"])

    def mean_less(self, other: Result, measure: str, **labels: object) -> Interval:
        """Mean of the records' mean differences to another method, on the same items."""
        if self.diverged or other.diverged:
            return NOWHERE
        return over_records(*self.less(other, measure, **labels))

    def less(self, other: Result, measure: str, **labels: object) -> tuple[Array, NDArray[Any]]:
        """Differences of a measure to another method on the items of both, and their records."""
        rows = self.where(**labels)
        theirs = pd.Series(other[measure], other["item"])
        rows = rows[rows["item"].isin(theirs.index)]
        return rows[measure].to_numpy() - theirs.loc[rows["item"]].to_numpy(), rows[
            "record"
        ].to_numpy()

    def title(self, unit: str) -> str:
        """Row label: the method's name with flags.

        Flags: mean over seeds, not converged, diverged, or partial.
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


def name_of(method: str) -> str:
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
        name: getattr(result, name) for name in ("method", "version", "total", "done", "diverged")
    }
    if result.network is not None:
        arrays["network"] = result.network.to_json()
    for name, column in result.table.items():
        is_text = not pd.api.types.is_numeric_dtype(column)
        arrays[f"{_TABLE}{name}"] = column.to_numpy(np.str_ if is_text else None)
    arrays |= {f"{_EXAMPLES}{name}": value for name, value in result.examples.items()}
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
            columns, examples = (
                {
                    name.removeprefix(group): stored[name]
                    for name in stored.files
                    if name.startswith(group)
                }
                for group in (_TABLE, _EXAMPLES)
            )
            if "item" not in columns:
                raise KeyError("no table")
            network = str(stored["network"]) if "network" in stored.files else ""
            return Result(
                method=str(stored["method"]),
                version=str(stored["version"]),
                network=Network.from_json(network) if network else None,
                total=int(stored["total"]),
                done=int(stored["done"]),
                diverged=int(stored["diverged"]),
                table=pd.DataFrame(columns),
                examples=examples,
            )
    except (KeyError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} is not a stored result ({error}); run it with --force") from error


def load_all(folder: Path, order: Sequence[str]) -> list[Result]:
    """All results in ``folder``: first those of ``order``, then others by name."""
    stored = sorted(path.stem for path in folder.glob("*.npz"))
    known = [name for name in order if name in stored]
    names = [*known, *(name for name in stored if name not in known)]
    return [load(folder / f"{name}.npz") for name in names]


def find(results: Path, protocol: str, method: str, version: str = "") -> Result | None:
    """Load the stored result of a method; None if there is none.

    Args:
        results: folder with one folder of stored results per benchmark.
        protocol: name of the benchmark.
        method: name of the result.
        version: required SHA-256 of the weights, if known.

    Raises:
        ValueError: it belongs to other weights, covers part of the test, or the method diverged;
            the message names the command to run.
    """
    path = results / protocol / f"{method}.npz"
    if not path.is_file():
        return None
    result = load(path)
    again = f"run: ipmdae benchmark run --protocol {protocol} --methods {method}"
    if version and result.version != version:
        raise ValueError(
            f"{path} is of other weights ({result.version[:12]}) than {method} has "
            f"({version[:12]}); {again}"
        )
    if result.done < result.total:
        raise ValueError(f"{path} is of {result.done} of {result.total} items; {again}")
    if result.diverged:
        raise ValueError(f"{path}: {method} diverged; fix it, then {again} --force")
    return result


def anchor_of(results: Sequence[Result], wanted: str | None, default: str) -> Result | None:
    """Result to compare the others with; None if the default is not usable.

    Raises:
        ValueError: the method ``wanted`` has no result, or one that is not a number.
    """
    usable = {result.method: result for result in results if not result.diverged}
    if wanted is not None and wanted not in usable:
        raise ValueError(f"no result of {wanted!r} to compare with; there are: {', '.join(usable)}")
    return usable.get(wanted or default)


def evenly_spaced(total: int, wanted: int | None) -> NDArray[np.int64]:
    """Indices of ``wanted`` of ``total`` items, evenly spaced."""
    count = total if wanted is None else min(wanted, total)
    return np.rint(np.linspace(0, total - 1, count)).astype(np.int64)
