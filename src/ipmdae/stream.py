"""Clean a signal while it is being recorded."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmdae.containers import hertz, open_container
from ipmdae.denoiser import Denoiser, MethodLike
from ipmdae.methods import DEFAULT_MODEL, LiveMethod
from ipmdae.pipeline.blocks import LONGEST_LINE, Block
from ipmdae.pipeline.guarantees import check_rate, reason, warn_unchanged
from ipmdae.pipeline.survey import Leads
from ipmdae.pipeline.tail import Tail
from ipmdae.quality import Grade, Reason, judge
from ipmdae.recording import Header, unmasked
from ipmdae.seconds import Seconds, measure
from ipmdae.text import unique


@dataclass(frozen=True)
class Event:
    """Something that happened to a lead of a live signal.

    Attributes:
        time: when, in seconds of signal since it began.
        lead: its name.
        kind: ``"gap"``: no samples from now on; ``"lost"``: there have been none for 2 s;
            ``"back"``: there are again; ``"good"``, ``"limited"``, ``"unusable"``: the grade of the
            cleaned signal from now on (:class:`ipmdae.quality.Grade`).
        reason: of the grade, in words.
    """

    time: float
    lead: str
    kind: Literal["gap", "lost", "back", "good", "limited", "unusable"]
    reason: str = ""


class Streamer:
    """Cleans a live signal, chunk by chunk, as a :class:`~ipmdae.Denoiser` cleans a file.

    ``feed`` takes any number of samples and returns those that are ready; ``flush`` returns the
    rest. As many samples come out as went in, and whatever the chunks, they are the same to the
    last bit. But for rounding they are those of ``Denoiser(method, max_latency=max_latency)`` on
    the whole recording around the same offset, where that finds pacing in the same leads. A
    classical method cleans windows of 20 s by themselves, at whose ends filters start up: what it
    gives is close to what it gives of a whole recording, the more so the longer the latency; see
    :class:`ipmdae.methods.Classical`.
    ``deepfade`` is too slow for a live signal.

    The constant offset of a lead is subtracted before the network and added again after it. Unless
    ``offset`` gives it, it is found in the opening: the first seconds, which the network must know
    before any sample comes out (the model's window, or with ``max_latency`` that less what
    resampling takes). It is the weighted median of the medians of pieces of 10 s there; for a lead
    without a sample in the opening, its first sample. It stays until :meth:`restart` or
    :meth:`flush`: a level that moves later is baseline wander. A file has all of a lead to go by,
    not the opening alone.

    Samples that are missing are fed as NaN and come out as NaN. While a lead is missing all leads
    may be held up by 2 s more than :attr:`latency`, never longer. A lead without any sample, one
    that is flat for a whole window, and one called as another signal is (``RESP``) come out as they
    are.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> recording = ipmdae.read(examples.path("118e06_excerpt"))
        >>> streamer = ipmdae.Streamer(fs=360, leads=recording.leads, max_latency=2.0)
        >>> streamer
        <Streamer: ipmdae-base; MLII, V1; 360 Hz, 2 s late>
        >>> ready = [len(streamer.feed(recording.signal[i : i + 360])) for i in range(0, 3600, 360)]
        >>> sum(ready) + len(streamer.flush())
        3600
    """

    def __init__(
        self,
        fs: float,
        leads: int | Sequence[str],
        *,
        method: MethodLike = DEFAULT_MODEL,
        mains: float | None = None,
        mode: str | None = None,
        strength: float = 1.0,
        unreadable: str | None = None,
        max_attenuation_db: float | None = None,
        consistent_leads: bool = True,
        backend: str = "auto",
        max_latency: float | None = None,
        offset: ArrayLike | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        """Open a model and begin a signal.

        ``method`` to ``backend`` are those of :class:`ipmdae.Denoiser`.

        Args:
            fs: sampling rate in Hz, 60 to 4000.
            leads: how many, or their names; a name that is repeated gets a number.
            max_latency: how many seconds a sample may take to come out, by default as many as the
                model's window has (20 s with the default one). With less the network sees as much
                of the past and less of what follows a sample, and is run more often; notebook
                ``3_live_streaming`` measures the loss. The first seconds of a signal are cleaned
                with little to go by, though. 0.25 s is the least; resampling takes 1.4 s more where
                the rate is not the network's 250 Hz (below it even longer). A classical method
                needs 4 s. Removal of powerline interference takes 2 s more.
            offset: constant offset of each lead, (leads,) in mV; by default that of the opening,
                see above. Pacing spikes, and whether limb leads obey Einthoven's equations, are
                looked for in the opening, too; pacing spikes also every 2 s after it, the first of
                which may be lost.
            on_event: is called with what happens to leads, when it is fed: gaps of the signal that
                comes in, and each change of the grade of the signal that goes out.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError: the rate is not a number.
            ValueError: a setting is unknown, out of range or not one of this method, the rate makes
                no sense for an ECG, the network needs another number of leads, the latency is too
                short, or the method cannot clean a live signal.
        """
        if isinstance(leads, str):
            raise ValueError(f"leads must be a number or a list of names, such as [{leads!r}]")
        if not isinstance(leads, int | np.integer | Iterable):
            raise ValueError(f"leads must be a number or a list of names, not {leads!r}")
        named = [""] * int(leads) if isinstance(leads, int | np.integer) else list(leads)
        if not all(isinstance(lead, str) for lead in named):
            raise ValueError(f"leads must be a number or a list of names, not {leads!r}")
        self.leads = tuple(unique(named))
        if not self.leads:
            raise ValueError("a signal needs at least one lead")
        self._why = tuple(reason(lead, "mV", np.inf) for lead in self.leads)
        for lead, why in zip(self.leads, self._why, strict=True):
            if why:
                warn_unchanged(lead, why, stacklevel=3)
        given = np.full(len(self.leads), np.nan) if offset is None else unmasked(offset)
        if given.shape != (len(self.leads),):
            raise ValueError(f"offset must be one value a lead, ({len(self.leads)},)")
        if np.isinf(given).any():
            raise ValueError("an offset must be finite, or NaN where it is not known")
        self._offset = given
        self._on_event = on_event
        self._fed = False
        self._events: deque[Event] = deque()
        self._ready: list[NDArray[np.float64]] = []
        denoiser = Denoiser(
            method,
            mains=mains,
            mode=mode,
            strength=strength,
            unreadable=unreadable,
            max_attenuation_db=max_attenuation_db,
            consistent_leads=consistent_leads,
            backend=backend,
            max_latency=max_latency,
        )
        if not isinstance(denoiser.method, LiveMethod):
            raise ValueError(f"{denoiser.name} cleans whole recordings only, no live signal")
        self._method, self._strength = denoiser.method, denoiser.strength
        self._begin(hertz(fs))

    def __repr__(self) -> str:
        leads = ", ".join(self.leads)
        return (
            f"<Streamer: {self._method.name}; {leads}; {self._fs:g} Hz, {self.latency:.3g} s late>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles begin a signal of their own, by the same settings.

        Raises:
            TypeError: a signal is on its way: its samples are the original's.
        """
        if self._fed:
            raise TypeError("a Streamer cannot be copied or pickled while a signal is on its way")
        make = partial(
            type(self),
            method=self._method,
            strength=self._strength,
            offset=self._offset,
            on_event=self._on_event,
        )
        return make, (self._fs, self.leads)

    @property
    def fs(self) -> float:
        """Sampling rate in Hz."""
        return self._fs

    @property
    def latency(self) -> float:
        """Seconds until a sample comes out: sample t is there when all before t + latency are fed.

        A missing lead may add up to 2 s, pacing spikes 12 ms (four samples at low rates).
        """
        return self._method.latency(self._fs)

    def feed(self, chunk: ArrayLike) -> NDArray[np.float64]:
        """Take samples in; give those out that are ready.

        Args:
            chunk: (time, leads) in mV, or (time,) of a single lead: an array, a list, a pandas or
                torch object; columns with the names of the leads may have any order. NaN is a
                missing sample, and so is one that is masked. Any number of samples, also none.

        Returns:
            (time, leads): the cleaned samples that follow those given out before, often none.

        Raises:
            ValueError: the chunk has another shape, some columns with names of leads and others
                without, infinite values or no numbers.
        """
        x = self._checked(chunk)
        self._fed = self._fed or len(x) > 0
        if self._on_event:
            self._events += self._watch.look(x)
        if self._opening is None:
            self._take(self._clean(x))
        else:
            self._opening.append(x)
            if self._opening.stop >= self._opening_length:
                self._take(self._open())
        return self._give()

    def flush(self) -> NDArray[np.float64]:
        """Give out what is left, (time, leads), for the signal has ended; and begin a new one."""
        return self.restart(self._fs)

    def restart(self, fs: float) -> NDArray[np.float64]:
        """End the signal, and begin a new one of another rate, as when a recorder changes it.

        Returns:
            (time, leads): what is left of the old signal, at its rate.

        Raises:
            TypeError: the rate is not a number.
            ValueError: the rate makes no sense for an ECG, or the latency is too short at it; the
                old signal goes on then.
        """
        fs = hertz(fs)
        self._check(fs)
        if self._opening is not None:
            self._take(self._open())
        self._take(self._cleaning.flush())
        self._begin(fs)
        return self._give()

    def _check(self, fs: float) -> None:
        """Raise where the method cannot clean these leads live at a rate."""
        check_rate(fs)
        count = len(self.leads)
        offset = np.zeros(count)
        leads = Leads(names=self.leads, units=("mV",) * count, why=self._why, offset=offset)
        self._method.begin_live(fs, leads)

    def _begin(self, fs: float) -> None:
        self._check(fs)
        self._fs, self._fed = float(fs), False
        count = len(self.leads)
        self._opening_length = self._method.opening(fs)
        self._opening: Tail[np.float64] | None = Tail(count, np.float64)
        self._watch = _Watch(self.leads, self._fs)
        self._grading = _Grading(self.leads, self._fs)

    def _open(self) -> Block:
        """Survey what came in first, and let it in."""
        assert self._opening is not None
        x = self._opening.rows(0, self._opening.stop)
        self._opening = None
        survey = self._method.survey(Header(fs=self._fs, samples=max(len(x), 1), leads=self.leads))
        # No more than that, however much came in at once: chunks must not matter.
        survey.add(x[: self._opening_length])
        found = survey.leads()
        unseen = np.isnan(x[: self._opening_length]).all(axis=0)
        offset = np.where(unseen, np.nan, found.offset)
        offset = np.where(np.isnan(self._offset), offset, self._offset)
        leads = dataclasses.replace(found, why=self._why, offset=offset)
        self._cleaning = self._method.begin_live(self._fs, leads, strength=self._strength)
        return self._clean(x)

    def _clean(self, x: NDArray[np.float64]) -> Block:
        offset = self._cleaning.offset
        for lead in np.flatnonzero(np.isnan(offset)):
            known = x[~np.isnan(x[:, lead]), lead]
            offset[lead] = known[0] if len(known) else np.nan
        return self._cleaning.feed(x)

    def _take(self, block: Block) -> None:
        """Keep a block that is ready, and the events in it."""
        self._ready.append(block.cleaned)
        if self._on_event:
            self._events += self._grading.look(block)

    def _give(self) -> NDArray[np.float64]:
        """Report all events, and give out what is ready; a callback that raises loses nothing."""
        while self._on_event and self._events:
            self._on_event(self._events.popleft())
        given = np.concatenate([np.empty((0, len(self.leads))), *self._ready])
        self._ready = []
        return given

    def _checked(self, chunk: ArrayLike) -> NDArray[np.float64]:
        shape, count = np.shape(chunk), len(self.leads)
        if shape == (0,):
            return np.empty((0, count))
        if len(shape) not in (1, 2) or (*shape, 1)[1] != count:
            raise ValueError(f"a chunk must be (time, {count}), got an array of shape {shape}")
        container = open_container(chunk)
        names = [str(label) for label in container.labels]
        if set(names) != set(self.leads) and set(names) & set(self.leads):
            raise ValueError(f"the columns {names} are not the leads {list(self.leads)}")
        if set(names) == set(self.leads):
            x = container.take([names.index(lead) for lead in self.leads])
        else:
            x = container.take(range(count))
        if np.isinf(x).any():
            raise ValueError("the chunk holds infinite values; mark missing samples by NaN")
        return x


class _Watch:
    """Sees which leads are missing."""

    def __init__(self, leads: Sequence[str], fs: float) -> None:
        self._leads, self._fs = leads, fs
        self._patience = round(LONGEST_LINE * fs)
        self._time = 0
        self._since: dict[str, int] = {}
        self._lost: set[str] = set()

    def look(self, x: NDArray[np.float64]) -> list[Event]:
        """Events in the next samples (time, leads), in order of time."""
        seen: list[tuple[int, str, Literal["gap", "lost", "back"]]] = []
        for name, absent in zip(self._leads, np.isnan(x).T, strict=True):
            edges = np.flatnonzero(np.diff(absent, prepend=name in self._since))
            for edge in (*edges.tolist(), len(x)):
                now = self._time + edge
                lost = self._since.get(name, now) + self._patience
                if lost < now and name not in self._lost:
                    self._lost.add(name)
                    seen.append((lost, name, "lost"))
                if edge == len(x):
                    continue
                if absent[edge]:
                    self._since[name] = now
                    seen.append((now, name, "gap"))
                else:
                    del self._since[name]
                    self._lost.discard(name)
                    seen.append((now, name, "back"))
        self._time += len(x)
        return [Event(time / self._fs, name, kind) for time, name, kind in sorted(seen)]


class _Grading:
    """Grades a signal second by second as it goes out."""

    def __init__(self, leads: Sequence[str], fs: float) -> None:
        self._leads, self._fs = tuple(leads), fs
        self._time = 0
        self._rest: list[Block] = []
        self._seconds: list[Seconds] = []
        self._grades = np.full(len(self._leads), Grade.GOOD)

    def look(self, block: Block) -> list[Event]:
        """Changes of grade in the seconds that the next samples complete."""
        self._rest.append(block)
        found: list[Event] = []
        waiting = sum(len(part.noisy) for part in self._rest)
        if round((self._time + 1) * self._fs) - round(self._time * self._fs) > waiting:
            return found
        noisy, cleaned = (
            np.concatenate([getattr(part, name) for part in self._rest])
            for name in ("noisy", "cleaned")
        )
        judged = [part.trust for part in self._rest if part.trust is not None]
        levels = np.concatenate(judged) if judged else None
        done = 0
        while True:
            first = round(self._time * self._fs)
            length = round((self._time + 1) * self._fs) - first
            if done + length > len(noisy):
                break
            part = slice(done, done + length)
            trust = None if levels is None else levels[part]
            second = measure(noisy[part], self._fs, first, cleaned=cleaned[part], trust=trust)
            self._seconds = [*self._seconds[1 - _REMEMBERED :], second]
            found += self._judged()
            done += length
            self._time += 1
        rest = None if levels is None else levels[done:]
        self._rest = [Block(noisy[done:], cleaned[done:], None, rest)]
        return found

    def _judged(self) -> list[Event]:
        """Changes of grade in the last second."""
        quality = judge(Seconds.joined(self._seconds), self._leads)
        grades, reasons = quality.grade[-1], quality.reason[-1]
        events = [
            Event(self._time, self._leads[i], _KINDS[grades[i]], Reason(reasons[i]).words)
            for i in np.flatnonzero(grades != self._grades)
        ]
        self._grades = grades
        return events


_REMEMBERED = 10
"""Seconds by which the next one is judged."""

_KINDS: tuple[Literal["good"], Literal["limited"], Literal["unusable"]] = (
    "good",
    "limited",
    "unusable",
)
"""By the number of the grade."""
