"""Baseline as a local linear trend, followed by a Kalman filter and smoother, subtracted.

A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter", 1989: a level that
follows a slope, and a slope on a random walk; all else is measurement noise. Kalman filters of the
baseline are those of M. A. Mneimneh, E. E. Yaz, M. T. Johnson, R. J. Povinelli, "An adaptive Kalman
filter for removing baseline wandering in ECG signals", Computers in Cardiology 33, 2006. Far from
the ends, the result is that of a Butterworth high-pass of order 2 that runs both ways; at the
ends no assumption is needed about samples beyond.

By statsmodels, whose filter is compiled; pykalman and filterpy compute the same in Python. Adaptive
filters, those of padasip, need a noise reference, which a recording lacks.
"""

from __future__ import annotations

import numpy as np
from statsmodels.tsa.statespace.kalman_smoother import SMOOTHER_STATE, KalmanSmoother

from ipmdae.classical import Signal

_EDGE = 0.5  # Hz: half of a wave of this frequency is baseline


class KalmanBaseline:
    """Subtracts the smoothed level, whose gain falls to a half at 0.5 Hz."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        return x - _level(x, (2 * np.sin(np.pi * _EDGE / fs)) ** 4)


def _level(x: Signal, drift: float) -> Signal:
    """The level of a signal, the slope's variance being ``drift`` times that of the noise."""
    model = KalmanSmoother(
        k_endog=1, k_states=2, initialization="diffuse", smoother_output=SMOOTHER_STATE
    )
    model.bind(np.array(x)[:, np.newaxis])
    model["design"] = np.array([[1.0, 0.0]])
    model["transition"] = np.array([[1.0, 1.0], [0.0, 1.0]])
    model["selection"] = np.eye(2)
    model["state_cov"] = np.diag([0.0, drift])
    model["obs_cov"] = np.eye(1)
    level: Signal = model.smooth().smoothed_state[0]
    return level


METHODS = {"kalman": KalmanBaseline}
