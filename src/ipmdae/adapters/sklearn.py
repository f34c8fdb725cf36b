"""Transformer for scikit-learn pipelines: denoises strips of ECG."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from ipmdae.engine import ModelFile
from ipmdae.methods import Method, open_method
from ipmdae.methods.network import DEFAULT_MODEL
from ipmdae.recording import Recording


class ECGDenoiser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Denoises strips of one lead independently: (strips, time) → (strips, time).

    In scikit-learn's terms each row is a sample and each time step a feature. There is nothing to
    fit: ``fit`` only checks the settings.

    Attributes:
        n_features_in_: length of the strips; set by ``fit``.
    """

    def __init__(
        self,
        fs: float = 250.0,
        method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
        strength: float = 1.0,
        mains: float | None = None,
    ) -> None:
        """Set the parameters of :meth:`transform`.

        Args:
            fs: sampling rate in Hz.
            method: see :func:`ipmdae.open_method`.
            strength: share of the estimated noise to remove, 0 to 1.
            mains: 50 or 60 (Hz) to remove powerline interference first.
        """
        self.fs = fs
        self.method = method
        self.strength = strength
        self.mains = mains

    def fit(self, X: ArrayLike, y: Any = None) -> ECGDenoiser:
        """Check the settings and the strips (strips, time) in mV; NaN is a missing sample.

        Raises:
            ValueError: the method or another setting is unknown, or X is not an array of strips.
        """
        self._validated(X, reset=True)
        open_method(self.method, mains=self.mains)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Denoise strips (strips, time) in mV; floating dtypes are kept.

        Raises:
            ValueError: the length of the strips differs from ``fit``, or as :func:`ipmdae.denoise`.
        """
        strips = self._validated(X, reset=False)
        method = open_method(self.method, mains=self.mains)
        # Strips are of different times and do not share the mains frequency, unlike leads.
        together = len(strips) if self.mains is None else 1
        cleaned = np.empty_like(strips)
        with warnings.catch_warnings():
            # There would be one warning per flat strip.
            warnings.filterwarnings("ignore", message="lead .* left unchanged")
            for i in range(0, len(strips), together):
                noisy = Recording.from_array(strips[i : i + together].T, self.fs)
                result = method.clean(noisy, strength=self.strength).recording
                cleaned[i : i + together] = result.signal.T
        return cleaned

    def _validated(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        strips: NDArray[Any] = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
        )
        return strips

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
