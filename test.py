"""Test a trained network: ``python -m test --use_model="Ultralight_IPM_DAE" --version=0``.

The flags are those of the paper's public implementation, with ours behind them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from ipmdae.files import replacing
from ipmdae.lab.evaluation import network as evaluation
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.protocols import Pairs, TrainingProtocol
from ipmdae.lab.training import flags, run
from ipmdae.termination import script


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m test",
        description="Test a trained denoising network.",
        formatter_class=flags.Help,
    )
    add = parser.add_argument
    add("--use_model", required=True, help="a model of config.yaml")
    add("--version", type=int, default=1, help="number of the run")
    add("--test_mode", choices=["last", "best"], default="best", help="which of its checkpoints")
    add("--time_win", type=float, help="length of a window in s (as in training)")
    add("--get_mode", choices=["valid", "train"], default="valid", help="on which records")
    add("--snr", type=float, default=0.0, help="SNR of the noisy windows in dB")
    ours = parser.add_argument_group("not in the public implementation")
    ours.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="test this checkpoint of the public implementation instead of a run",
    )
    flags.add_split_flags(ours)
    flags.add_dataset_flags(ours)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> evaluation.Report:
    """Test as the flags say, print the report, and store that of a run beside it."""
    args = parse(arguments)
    if args.checkpoint is not None:
        protocol = flags.reference_protocol(args)
        network = checkpoints.load_reference(args.checkpoint)
        report = evaluation.evaluate(network, chosen_pairs(protocol, args.get_mode))
        print(f"checkpoint             {args.checkpoint}\n{report}")
        return report
    folder = Path(flags.model_entry(args.use_model)["log_dir"]) / f"version_{args.version}"
    settings = run.read_settings(folder)
    trained = run.load_network(folder, args.test_mode)
    pairs = chosen_pairs(tested_protocol(settings, args), args.get_mode)
    report = evaluation.evaluate(trained, pairs)
    print(f"run                    {folder} ({args.test_mode} checkpoint)\n{report}")
    with replacing(folder / "results" / f"test_{args.test_mode}.json") as path:
        content = {"arguments": vars(args), "report": report.as_dict()}
        path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    return report


def tested_protocol(settings: run.Settings, args: argparse.Namespace) -> TrainingProtocol:
    """The protocol of the run, on its own split, with the window and SNR that are asked for."""
    changes: dict[str, object] = {**flags.window_setting(args)}
    if settings.protocol == "reference":
        changes["snr"] = args.snr
    arguments = settings.protocol_settings | flags.dataset_folders(args) | changes
    return replace(settings, protocol_settings=arguments).open_protocol()


def chosen_pairs(protocol: TrainingProtocol, get_mode: str) -> Pairs:
    """The validation pairs (which the paper's code tests on), or the training pairs."""
    return protocol.validation() if get_mode == "valid" else protocol.training(fresh=False)


if __name__ == "__main__":
    with script():
        main()
