"""Summarise and draw the noise of NSTDB: ``python -m tools.load_nstdb``."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ipmdae import figures
from ipmdae.lab.data import mixing, nstdb, qtdb
from tools import show

_WINDOW_SECONDS = 5
_BANDS = ((0, 0.67), (0.67, 40), (40, 125))


def main(arguments: list[str] | None = None) -> None:
    parser = show.parser(
        "tools.load_nstdb", "Summarise the noise records and draw their noise.", nstdb.FOLDER, "all"
    )
    args = parser.parse_args(arguments)
    known = ("all", *nstdb.KINDS)
    if args.record not in known:
        raise ValueError(f"there is no noise {args.record!r}; there are: {', '.join(known)}")
    raw = [
        nstdb.read(args.path, kind) for kind in nstdb.KINDS if (args.path / f"{kind}.hea").is_file()
    ]
    noise = nstdb.load(args.path, qtdb.FS)
    show.table(
        f"MIT-BIH Noise Stress Test Database in {args.path}",
        ["noise", "minutes", "Hz", "channels", *(f"power {a:g}-{b:g} Hz" for a, b in _BANDS)],
        [
            [
                f"{kind} ({nstdb.TITLES[kind]})",
                f"{r.duration / 60:.2f}",
                f"{r.fs:g}",
                str(len(r.leads)),
                *shares(noise.signals[kind], noise.fs),
            ]
            for kind, r in zip(nstdb.KINDS, raw, strict=True)
        ],
    )
    print(
        "\nThe records are not calibrated; each channel is resampled to "
        f"{noise.fs:g} Hz and scaled to mean 0 and power 1."
    )
    for side, part, channel in (("training", "train", 0), ("validation", "test", 1)):
        signal = noise.part(part)  # type: ignore[arg-type]
        count = mixing.cut(signal, round(_WINDOW_SECONDS * noise.fs)).shape[1]
        print(
            f"{side:<11}{signal.shape[1] / noise.fs / 60:.2f} min, {count} windows of "
            f"{_WINDOW_SECONDS} s of each kind (channel {channel}), power "
            + ", ".join(
                f"{kind} {np.mean(x[:, channel] ** 2):.2f}"
                for kind, x in zip(nstdb.KINDS, signal, strict=True)
            )
        )
    show.figure(draw(noise, args.record), args.save, "load_nstdb.png")


def shares(signal: NDArray[np.float32], fs: float) -> list[str]:
    """Share of the power in each band, mean of both channels."""
    spectrum = np.abs(np.fft.rfft(signal, axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / fs)
    inside = [(frequency >= low) & (frequency < high) for low, high in _BANDS]
    return [f"{spectrum[band].sum() / spectrum.sum():.1%}" for band in inside]


def draw(noise: nstdb.Noise, record: str) -> Figure:
    """Ten seconds of one kind of noise, or of all."""
    kinds = nstdb.KINDS if record == "all" else (record,)
    samples = round(10 * noise.fs)
    traces = {
        f"{kind} {channel}": noise.signals[kind][:samples, channel]
        for kind in kinds
        for channel in range(noise.signals[kind].shape[1])
    }
    return figures.strip(traces, noise.fs, unit="SD", title="Noise, each channel scaled to power 1")


if __name__ == "__main__":
    show.run(main)
