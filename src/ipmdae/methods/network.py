"""Networks as methods: any recording or live signal, in windows of the network's length."""

from __future__ import annotations

import os
from functools import partial
from math import ceil
from typing import Any

from ipmdae.engine import Engine, ModelFile, find_model, open_engine, read_model
from ipmdae.methods.by_blocks import clean
from ipmdae.pipeline.blocks import Cleaning, Pipeline, latency
from ipmdae.pipeline.guarantees import check_rate
from ipmdae.pipeline.mains import check_mains, mains_delay, named
from ipmdae.pipeline.survey import Leads, Survey
from ipmdae.pipeline.window import Framing, LatencyError
from ipmdae.recording import Header, Recording, voltages_of
from ipmdae.result import Result
from ipmdae.safeguards import Safeguards, safeguards

DEFAULT_MODEL = "ipmdae-base"

MIN_LATENCY = 0.25
"""Shortest look ahead of the network, in seconds: half of it is margin and fade, which must hold a
QRS complex."""

SHORTEST = 3.0
"""Least length of a window, in seconds. A signal that is shorter than the network's window, or has
just begun, is cleaned better alone than with its mirror image, which is no ECG; not so if less than
three beats of it are there."""


class Network:
    """A network, ready to clean recordings of any length, rate and number of leads.

    What a network must not touch it does not touch: missing samples stay missing, leads that are
    flat, empty, not a voltage or called as another signal is come back unchanged, as does a segment
    of a lead that is flat for a whole window, and the constant offset of each lead
    (:class:`ipmdae.pipeline.survey.Survey`) is put back, so that millivolts stay millivolts. What
    the network may change above 0.7 Hz, and what stands where it is not trusted,
    :class:`ipmdae.safeguards.Safeguards` limit. Where noise is removed above 0.7 Hz the result is
    band-limited to the network's Nyquist frequency (125 Hz); elsewhere it keeps the band of the
    recording.

    A network of one lead cleans lead by lead. A network of several takes as many at once as it was
    trained on.

    Attributes:
        model: the model in use.
        limits: of what it may change.
        mains: frequency in Hz of the powerline interference to remove first, or ``None``.
        max_latency: of the live signals that it cleans, in seconds.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | ModelFile = DEFAULT_MODEL,
        *,
        backend: str = "auto",
        max_latency: float | None = None,
        limits: Safeguards | None = None,
        mains: float | None = None,
    ) -> None:
        """Open a model.

        Args:
            model: name of a shipped model, path of a model file, or a model.
            backend: what runs it, see :func:`ipmdae.engine.open_engine`.
            max_latency: clean just as a live :class:`~ipmdae.stream.Streamer` of this latency in
                seconds does. By default, each sample is cleaned with the best view of both sides.
            limits: of what the network may change, by default those of mode ``monitoring``; see
                :func:`ipmdae.safeguards.safeguards`.
            mains: 50 or 60 (Hz) to remove powerline interference first.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: no model, backend or mains has this name, or the file is broken.
        """
        if mains is not None:
            check_mains(mains)
        self.model = model if isinstance(model, ModelFile) else read_model(find_model(model))
        self._engine: Engine = open_engine(self.model, backend)
        self.max_latency = max_latency
        self.limits = limits or safeguards()
        self.mains = mains
        self._backend = backend

    @property
    def name(self) -> str:
        """The model's name, and what is done before."""
        return named(self.model.name, self.mains)

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        """Clean a recording.

        Everything but the signal is kept; the comments say which leads were cleaned by which model.
        Leads that come back unchanged though they are voltages are named in a warning as well.

        Args:
            recording: as recorded.
            strength: share of the noise found that is removed: cleaned = noisy - strength ·
                (noisy - the network's), 0 to 1.

        Raises:
            ValueError: the sampling rate makes no sense for an ECG, the network needs another
                number of leads, or the strength is out of range.
        """
        check_rate(recording.fs)
        return clean(self, recording, strength)

    def survey(self, header: Header) -> Survey:
        """Survey of a recording before it is denoised."""
        return Survey(header, self.mains)

    @property
    def states_sd(self) -> bool:
        """True if the network states the standard deviation of its error."""
        return self.model.architecture.uncertainty

    def begin(
        self, fs: float, leads: Leads, *, strength: float = 1.0, live: bool = False
    ) -> Cleaning:
        """Begin to clean a signal that comes in pieces, which do not matter to the result.

        Args:
            fs: its sampling rate in Hz.
            leads: what is known of its leads.
            strength: see :meth:`clean`.
            live: whether samples are to come out within :meth:`latency`.

        Raises:
            ValueError: the network needs another number of leads.
        """
        group = self._group(leads)
        framing, net_fs = self.framing(fs), self.model.preprocessing.fs
        pipeline = None
        if group:
            pipeline = Pipeline(
                self._engine, framing, net_fs, fs, len(group), self.limits, live=live
            )
        return Cleaning(pipeline, group, leads, self.limits, fs, strength, self.mains, live=live)

    def begin_live(self, fs: float, leads: Leads, *, strength: float = 1.0) -> Cleaning:
        """Begin to clean a live signal; see :meth:`begin`."""
        return self.begin(fs, leads, strength=strength, live=True)

    def latency(self, fs: float) -> float:
        """Seconds of a signal at ``fs`` Hz that must be known, from a sample on, to clean it."""
        return latency(self.framing(fs), self.model.preprocessing.fs, fs) + self._delay(fs)

    def opening(self, fs: float) -> int:
        """Samples of a live signal at ``fs`` Hz that must be known before the first comes out."""
        return ceil(self.framing(fs).first * fs / self.model.preprocessing.fs)

    def framing(self, fs: float) -> Framing:
        """Position of the windows in a signal at ``fs`` Hz, resampled.

        Raises:
            ValueError: the latency wanted is too short.
        """
        settings = self.model.preprocessing
        shortest = min(round(SHORTEST * settings.fs), settings.window)
        step = 2 ** len(self.model.architecture.channels)
        longest = Framing.overlapping(settings.window, settings.overlap, shortest, step)
        if self.max_latency is None:
            return longest
        wanted = self.max_latency - self._delay(fs)
        if latency(longest, settings.fs, fs) <= wanted:
            return longest
        least = Framing.within(round(MIN_LATENCY * settings.fs), settings.window, shortest, step)
        spare = wanted - latency(least, settings.fs, fs)
        if spare < 0:
            shortest_latency = latency(least, settings.fs, fs) + self._delay(fs)
            raise LatencyError.of(self.name, fs, wanted=self.max_latency, least=shortest_latency)
        length = least.latency + int(spare * settings.fs)
        return Framing.within(length, settings.window, shortest, step)

    def _delay(self, fs: float) -> float:
        """Latency in s of the removal of powerline interference."""
        return mains_delay(fs) if self.mains else 0.0

    def __repr__(self) -> str:
        return f"<Network {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are opened anew, by the same settings."""
        make = partial(
            type(self),
            backend=self._backend,
            max_latency=self.max_latency,
            limits=self.limits,
            mains=self.mains,
        )
        return make, (self.model,)

    def _group(self, leads: Leads) -> list[int]:
        """The leads that go through the network."""
        width = self.model.architecture.leads
        if width == 1:
            return leads.active
        voltages = voltages_of(leads.units)
        if len(voltages) != width:
            names = ", ".join(leads.names[i] for i in voltages)
            raise ValueError(
                f"{self.name} cleans {width} leads at once, the recording has {len(voltages)} "
                f"({names}); take a model that works lead by lead, or a recording of the leads "
                "that it was trained on"
            )
        return voltages if leads.active else []
