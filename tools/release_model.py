"""Make a trained run a model that ships: ``python -m tools.release_model --use_model NAME``.

Writes the weights with their card to ``src/ipmdae/weights/NAME.safetensors``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from ipmdae import __version__
from ipmdae.engine import ModelFile, Preprocessing, open_engine, write_model
from ipmdae.lab.evaluation import calibration
from ipmdae.lab.networks import registry
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training import flags, run
from tools import show
from tools.provenance import WEIGHTS, commit_now

_LIMITS = (
    "For research and engineering, not for diagnosis. What it keeps and loses of arrhythmias, ST "
    "shifts and fast rates is measured in docs/results/hearts.md. Not for abdominal fetal leads, "
    "intracardiac electrograms or animals."
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.release_model",
        description="Store the best weights of a run of protocol clinic as a shipped model.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--use_model", required=True, help="a model of config.yaml")
    add("--version", type=int, required=True, help="number of its run")
    add("--name", help="of the model and its file, if not that of the network")
    add("--overlap", type=float, default=8.0, help="of the windows, in s: 4 for those of 10 s")
    add("--to", type=Path, default=WEIGHTS, help="folder to write to")
    args = parser.parse_args(arguments)
    folder = Path(flags.model_entry(args.use_model)["log_dir"]) / f"version_{args.version}"
    name = args.name or args.use_model
    path = args.to / f"{name}.safetensors"
    write_model(path, released(folder, name, args.overlap))
    print(f"written to {path} ({path.stat().st_size / 1e6:.2f} MB)")


def released(folder: Path, name: str, overlap: float) -> ModelFile:
    """The best weights of the run in ``folder``, with what is needed to use and to judge them.

    Args:
        folder: of the run.
        name: of the model.
        overlap: of the windows that recordings are cut into, in s.

    Raises:
        ValueError: the run was trained on windows scaled by the clean signal, so that its network
            is of no use where only the noisy signal is known.
    """
    settings = run.read_settings(folder)
    protocol = settings.open_protocol()
    if not isinstance(protocol, Clinic):
        raise ValueError(
            f"{folder} was trained on protocol {settings.protocol!r}, which scales by the clean "
            "signal; train with --protocol clinic"
        )
    network = run.load_network(folder, "best")
    architecture = registry.architecture(settings.model, protocol.leads)
    hearts = bool(settings.protocol_settings.get("rhythms"))
    content = json.loads((folder / run.SETTINGS_FILE).read_text(encoding="utf-8"))
    model = ModelFile(
        name=name,
        architecture=architecture,
        preprocessing=Preprocessing(
            fs=protocol.fs, window=protocol.window, overlap=round(overlap * protocol.fs)
        ),
        card={
            "trained": {
                key: content[key]
                for key in ("recipe", "seed", "split", "started", "start_from", "start_sha256")
                if content.get(key) is not None
            },
            "protocol": settings.protocol,
            "windows": {
                name: value
                for name, value in settings.protocol_settings.items()
                if not name.endswith("_folder")
            },
            "noise": "training minutes of bw, em, ma of the MIT-BIH Noise Stress Test Database "
            "1.0.0" + ("; wrist motion of ECGNExT, synthetic sway and taps" if hearts else ""),
            "signal": "QT Database 1.0.0"
            + (", MIT-BIH Arrhythmia Database 1.0.0, CinC Challenge 2017" if hearts else ""),
            "best_epoch": run.checkpoint_path(folder, "best").stem,
            "versions": content["versions"]
            | {"released with": __version__, "commit": commit_now()},
            "limits": _LIMITS,
        },
        tensors=checkpoints.tensors_of(network),
    )
    return calibrated(model, protocol) if architecture.uncertainty else model


def calibrated(model: ModelFile, protocol: Clinic) -> ModelFile:
    """The model with its stated uncertainty true on the validation windows."""
    pairs = protocol.validation()
    ratios = calibration.ratios(open_engine(model), pairs)
    factor = calibration.factor(ratios, pairs.records)
    stated = {
        "calibrated on": "validation (upper end of the interval over records)",
        "factor": round(factor, 4),
        "within 95 % band before": round(calibration.coverage(ratios), 4),
        "within 95 % band": round(calibration.coverage(ratios / factor), 4),
    }
    return replace(
        model,
        card={**model.card, "uncertainty": stated},
        tensors=calibration.scaled(model.tensors, model.architecture, factor),
    )


if __name__ == "__main__":
    show.run(main)
