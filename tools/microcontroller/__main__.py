"""Size, speed and accuracy of the exported C network: ``python -m tools.microcontroller``.

Prints the tables of docs/howto/microcontroller.md. SNR is measured with the C code on this machine,
on validation records and validation noise of protocol clinic, a minute of each lead with each kind
of noise at -5, 0, 5 and 10 dB; the loss is against the engine's windows of whole recordings. All
else is measured on boards in QEMU, which run a minute of the example 118e06; errors are in standard
deviations of the output, instructions for a second of the lead. Takes five minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import examples, formats
from ipmdae.embedded import LATENCY, file_names, framing_of, write_c
from ipmdae.engine import ModelFile, find_model, open_engine, read_model
from ipmdae.lab.data import nstdb, qtdb, splits
from ipmdae.lab.evaluation.metrics import snr_improvement
from ipmdae.lab.protocols.clinic_test import SNRS, add_noise, piece_of
from ipmdae.methods.network import Network
from ipmdae.pipeline.resample import resample
from tools.microcontroller.build import BOARDS, build_host, missing_tools, run_board, run_host
from tools.microcontroller.reference import Array, denoise

HEAD = (
    "| weights | latency (s) | core | flash (kB) | RAM (kB) | M instructions a second | RMS error "
    "| largest error |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
)
LATENCIES = (1.0, LATENCY, 3.0)
FS = round(qtdb.FS)
_LENGTH, _SCORED = 60 * FS, slice(10 * FS, 55 * FS)

Denoiser = Callable[[Array], Array]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.microcontroller", description=__doc__)
    parser.add_argument("--model", default="ipmdae-nano", help="name or file of a model")
    parser.add_argument("--datasets", type=Path, default=Path("datasets"), help="folder")
    args = parser.parse_args(arguments)
    if missing_tools():
        parser.error(f"{missing_tools()}: not installed; see docs/howto/microcontroller.md")
    model = read_model(find_model(args.model))
    lead = _example()
    signals = list(_signals(args.datasets))
    whole = Network(model).framing(FS)
    engine = open_engine(model)
    gain = _gain(signals, lambda x: denoise(engine, x, whole))
    print(f"SNR gain of the engine: {gain:.2f} dB, {len(signals)} signals\n")
    print(HEAD)
    losses = []
    for weights, latency in [("float32", s) for s in LATENCIES] + [("int8", LATENCY)]:
        with tempfile.TemporaryDirectory() as folder:
            write_c(folder, model, weights=weights, max_latency=latency)  # type: ignore[arg-type]
            header = Path(folder, file_names(model)[0])
            for core in BOARDS:
                figures = _on_board(core, header, model, latency, lead)
                print(f"| {weights} | {latency:g} | {core} | {figures} |", flush=True)
            program = build_host(header)
            loss = gain - _gain(signals, lambda x, run=program: run_host(run, x))  # type: ignore[misc]
            losses.append(f"| {weights} | {latency:g} | {loss:.3f} |")
    print("\n| weights | latency (s) | loss of SNR (dB) |\n| --- | --- | --- |")
    print("\n".join(losses))


def _on_board(core: str, header: Path, model: ModelFile, latency: float, lead: Array) -> str:
    framing = framing_of(model, latency)
    measured = run_board(BOARDS[core], header, lead)
    exact = denoise(open_engine(model), lead, framing)[:, 0]
    error = np.abs(measured.output[:, 0] - exact) / exact.std()
    speed = measured.instructions / framing.hop * FS / 1e6
    size = f"{measured.flash / 1e3:.1f} | {measured.ram / 1e3:.1f}"
    return f"{size} | {speed:.1f} | {np.sqrt(np.square(error).mean()):.0e} | {error.max():.0e}"


def _example() -> Array:
    """A minute of an ambulatory lead in mV."""
    recording = formats.read(examples.path("118e06_excerpt"), annotations=False)
    return resample(recording.signal[:, 0], recording.fs, FS).astype(np.float32)


def _signals(datasets: Path) -> Iterator[tuple[NDArray[np.float64], Array]]:
    """Clean and noisy leads, (time,) in mV."""
    records, rng = splits.load("clinic", "validation"), np.random.default_rng(0)
    segments = nstdb.load(datasets / nstdb.FOLDER, FS).segments("validation")
    noise = [np.concatenate(segments[kind]).astype(np.float64) for kind in nstdb.KINDS]
    places = 2 * len(records)
    for i, record in enumerate(records):
        signal = qtdb.read_centred(datasets / qtdb.FOLDER, record).astype(np.float64)
        for lead in (0, 1):
            first = int(rng.integers(len(signal) - _LENGTH))
            clean = signal[first : first + _LENGTH, lead]
            for kind in noise:
                piece = piece_of(kind, 2 * i + lead, places, _LENGTH)
                for level in SNRS:
                    yield clean, add_noise(clean, piece, float(level)).astype(np.float32)


def _gain(signals: list[tuple[NDArray[np.float64], Array]], denoiser: Denoiser) -> float:
    """Mean improvement of the SNR in dB."""
    gains = []
    for clean, noisy in signals:
        some = (x[None, _SCORED, None] for x in (clean, noisy, denoiser(noisy)[:, 0]))
        gains.append(snr_improvement(*some, centred=True))
    return float(np.mean(gains))


if __name__ == "__main__":
    main()
