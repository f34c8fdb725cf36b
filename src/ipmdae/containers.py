"""Containers of samples: NumPy arrays, lists, pandas and torch objects, with a common interface.

:func:`open_container` looks at one; what comes out of it is given back as the same kind, with the
same shape, index, columns, device. Neither pandas nor torch is imported: who holds a DataFrame has
imported pandas already.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Hashable, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ipmdae.recording import unmasked

if TYPE_CHECKING:
    import pandas as pd
    import torch


class Container(Protocol):
    """Leads that were recorded together.

    Attributes:
        shape: (time,) or (time, leads).
        samples: how many each lead has.
        labels: what the leads are called: names of columns, or numbers from 0.
        index: the index of a pandas object; ``None`` for any other.
    """

    shape: tuple[int, ...]
    samples: int
    labels: Sequence[Hashable]
    index: pd.Index[Any] | None

    def take(self, leads: Sequence[int]) -> NDArray[np.float64]:
        """The leads at these positions, (time, leads); NaN is a missing sample.

        Raises:
            ValueError: a lead does not hold real numbers.
        """
        ...

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        """A container like this one whose leads at these positions are ``values``.

        Args:
            leads: positions.
            values: (time, leads).
            others: what all other leads hold; ``None`` keeps them.
        """
        ...


def open_container(x: Any) -> Container:
    """Look at an array (time,) or (time, leads) of any supported kind.

    Raises:
        ValueError: it has other axes, or holds something else than real numbers.
    """
    pandas, torch = sys.modules.get("pandas"), sys.modules.get("torch")
    if pandas is not None and isinstance(x, pandas.DataFrame):
        return _Frame(x)
    if pandas is not None and isinstance(x, pandas.Series):
        return _Series(x)
    if torch is not None and isinstance(x, torch.Tensor):
        return _Tensor(x)
    if isinstance(x, np.ma.MaskedArray):
        return _Masked(x)
    return _List(x) if isinstance(x, (list, tuple)) else _Array(np.asarray(x))


def rate_of(container: Container, fs: float | None) -> float:
    """The sampling rate in Hz: the one stated, checked against the times of an index, or theirs.

    Numbers in an index have no unit; there is a warning if they fit the rate in no unit.

    Raises:
        TypeError: the rate stated is no number.
        ValueError: neither gives a rate, they contradict each other, or the times are not even.
    """
    fs = None if fs is None else hertz(fs)
    index = container.index
    if index is None or index.dtype.kind not in "mM" or len(index) < 2:
        if fs is None:
            raise ValueError("the samples have no rate: give it in Hz, such as fs=360")
        if index is not None and index.dtype.kind in "iuf" and len(index) > 1:
            _check_numbered(index, fs)
        return fs
    import pandas as pd

    # Of whatever dtype, Arrow's included.
    times = pd.DatetimeIndex(index) if index.dtype.kind == "M" else pd.TimedeltaIndex(index)
    if times.hasnans:
        raise ValueError("times of the index are missing (NaT): leave out their rows")
    seconds = (times - times[0]).total_seconds().to_numpy()
    steps = np.arange(len(seconds))
    if not np.all(np.diff(seconds) >= 0) or not seconds[-1] > 0:
        raise ValueError("the times of the index do not rise: sort the rows by time first")
    found = steps[-1] / float(seconds[-1])
    if fs is None:
        if np.abs(seconds * found - steps).max() > _UNEVEN:
            raise ValueError(
                "the times of the index are not even: let rows that are missing be NaN, or give fs"
            )
        return float(round(found)) if abs(found - round(found)) <= _ROUNDED * found else found
    if not _fits(seconds[-1] * fs, len(index)):
        raise ValueError(
            f"the index has {found:.6g} rows a second, which contradicts fs={fs:g}: correct fs, or "
            "let rows that are missing be NaN"
        )
    return fs


def hertz(fs: Any) -> float:
    """A sampling rate as a float.

    Raises:
        TypeError: it is no number.
    """
    if not isinstance(fs, Real):
        raise TypeError(f"fs must be a sampling rate in Hz, such as 360, not {fs!r}")
    return float(fs)


def _fits(span: float, rows: int) -> bool:
    """True if so many rows may span so many samples."""
    return abs(span - (rows - 1)) <= _CONTRADICTION * (rows - 1) + _UNEVEN


def _check_numbered(index: pd.Index[Any], fs: float) -> None:
    """Warn where numbers of rows are neither times in some unit nor count samples.

    The default index of pandas is neither, whatever part of it is left.
    """
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return
    values = index.to_numpy(np.float64, na_value=np.nan)
    span = float(values[-1] - values[0])
    rises = bool((np.diff(values) >= 0).all())
    if rises and any(_fits(span * rate, len(index)) for rate in (1.0, *(fs * _UNITS))):
        return
    found = f"rises by {span / (len(index) - 1):.6g} a row" if rises else "does not always rise"
    warnings.warn(
        f"the index {found}: it is no time at fs={fs:g} and counts no samples; the rows are taken "
        "as even: correct fs or the index, or reset_index(drop=True) if it is neither",
        stacklevel=6,
    )


_UNITS = np.array([1.0, 1e-3, 1e-6, 1e-9, 60.0, 3600.0, 86_400.0])
"""Seconds in the units that an index of numbers may have."""

_CONTRADICTION = 0.01
"""Share by which a stated rate may differ from that of an index: clocks of recorders drift less."""

_UNEVEN = 1.5
"""Samples by which a row of an index may lie off its place: times are often rounded."""

_ROUNDED = 1e-3
"""Largest relative difference at which a rate is rounded to a whole number."""


class _Array:
    """NumPy: floating dtypes are kept, integers become float64."""

    index = None

    def __init__(self, x: NDArray[Any]) -> None:
        _check_numbers(x.dtype, "x")
        if x.ndim not in (1, 2):
            raise ValueError(
                f"x must be (time,) or (time, leads), got shape {x.shape}; clean the parts of "
                "a batch one by one"
            )
        self._x = x
        self.shape = x.shape
        self._dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        self.samples = len(x)
        self.labels: Sequence[Hashable] = range(1 if x.ndim == 1 else x.shape[1])

    def take(self, leads: Sequence[int]) -> NDArray[np.float64]:
        return self._x.reshape(self.samples, len(self.labels))[:, list(leads)].astype(np.float64)

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        given = self._x.reshape(self.samples, len(self.labels)).astype(self._dtype)
        if others is not None:
            given[:] = others
        given[:, list(leads)] = values
        return given.reshape(self._x.shape)


class _Masked(_Array):
    """A masked array: what is masked counts as missing, and stays masked."""

    def __init__(self, x: np.ma.MaskedArray[Any, Any]) -> None:
        super().__init__(np.asarray(x.data))
        self._mask = np.ma.getmaskarray(x)

    def take(self, leads: Sequence[int]) -> NDArray[np.float64]:
        mask = self._mask.reshape(self.samples, len(self.labels))[:, list(leads)]
        return np.where(mask, np.nan, super().take(leads))

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        return np.ma.MaskedArray(super().give(leads, values, others), mask=self._mask)


class _List(_Array):
    """A list of numbers, or of lists."""

    def __init__(self, x: Sequence[Any]) -> None:
        try:
            array = np.array(
                [unmasked(row) if isinstance(row, np.ma.MaskedArray) else row for row in x]
            )
        except ValueError as error:
            raise ValueError("x is a list whose rows differ in length") from error
        super().__init__(array)

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        return super().give(leads, values, others).tolist()


class _Tensor(_Array):
    """torch: device and floating dtype are kept, integers become the default dtype."""

    def __init__(self, x: torch.Tensor) -> None:
        import torch

        if x.is_complex() or x.dtype == torch.bool:
            raise ValueError(_no_numbers("x", str(x.dtype)))
        super().__init__(x.detach().to("cpu", torch.float64).numpy())
        self._device = x.device
        self._tensor_dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        import torch

        given = super().give(leads, values, others)
        return torch.as_tensor(given, dtype=self._tensor_dtype, device=self._device)


class _Frame:
    """A DataFrame whose columns are leads; index and column labels are kept."""

    def __init__(self, x: pd.DataFrame) -> None:
        self._x = x
        self.index: pd.Index[Any] | None = x.index
        self.shape: tuple[int, ...] = x.shape
        self.samples = len(x)
        self.labels: Sequence[Hashable] = list(x.columns)

    def take(self, leads: Sequence[int]) -> NDArray[np.float64]:
        columns = [self._x.iloc[:, i] for i in leads]
        if not columns:
            raise ValueError("x is a DataFrame without columns")
        return np.stack(
            [_Series(column, f"column {column.name!r}").values for column in columns], 1
        )

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        given = self._x.copy()
        for i in range(len(self.labels)):
            if i in leads:
                column = values[:, list(leads).index(i)]
                given.isetitem(i, column.astype(_float_of(self._x.dtypes.iloc[i])))
            elif others is not None:
                given.isetitem(i, np.full(self.samples, others))
        return given


class _Series:
    """A Series: one lead; index and name are kept."""

    def __init__(self, x: pd.Series[Any], called: str = "the series") -> None:
        import pandas as pd

        if not pd.api.types.is_numeric_dtype(x.dtype) or x.dtype.kind not in "iuf":
            raise ValueError(_no_numbers(called, str(x.dtype)))
        self._x = x
        self.index: pd.Index[Any] | None = x.index
        self.values: NDArray[np.float64] = x.to_numpy(np.float64, na_value=np.nan)
        self.shape: tuple[int, ...] = x.shape
        self.samples = len(x)
        self.labels: Sequence[Hashable] = [0 if x.name is None else x.name]

    def take(self, leads: Sequence[int]) -> NDArray[np.float64]:
        return self.values[:, None][:, list(leads)]

    def give(self, leads: Sequence[int], values: NDArray[Any], others: float | None = None) -> Any:
        import pandas as pd

        column = values[:, 0].astype(_float_of(self._x.dtype))
        return pd.Series(column, index=self._x.index, name=self._x.name)


def _float_of(dtype: Any) -> np.dtype[Any]:
    """The NumPy dtype that a pandas column of ``dtype`` comes back with."""
    own = getattr(dtype, "numpy_dtype", dtype)  # of pandas' own and Arrow's
    return own if isinstance(own, np.dtype) and own.kind == "f" else np.dtype(np.float64)


def _check_numbers(dtype: np.dtype[Any], called: str) -> None:
    if dtype.kind not in "iuf":
        raise ValueError(_no_numbers(called, str(dtype)))


def _no_numbers(called: str, dtype: str) -> str:
    return (
        f"{called} holds {dtype} values, an ECG real numbers in mV: convert it to float first "
        "(missing samples to NaN)"
    )
