"""Train a network: ``python -m main --use_model='Ultralight_IPM_DAE'``.

The flags are those of the paper's public implementation, with ours behind them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipmdae.checksums import digest
from ipmdae.engine import find_model
from ipmdae.lab.protocols.clinic import WIDE, rhythm_settings
from ipmdae.lab.training import flags, run
from ipmdae.lab.training.recipe import RECIPES
from ipmdae.termination import script


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m main",
        description="Train a denoising network on the QT Database with NSTDB noise.",
        formatter_class=flags.Help,
    )
    add = parser.add_argument
    add("--use_model", default="Ultralight_IPM_DAE", help="a model of config.yaml")
    flags.add_dataset_flags(parser)
    flags.add_split_flags(parser)
    add("--time_win", type=float, help="length of a window in s (the protocol's own: reference 5)")
    add("--use_gpu", type=flags.boolean, default=True, help="use a GPU where there is one")
    add("--gpu", type=int, default=0, help="number of the GPU")
    add("--max_epochs", type=flags.positive, help="epochs (the recipe's own: paper 600)")
    add("--batch_size", type=flags.positive, help="windows a step (the recipe's own: paper 64)")
    add("--num_workers", type=int, help="processes that prepare batches (one a processor)")
    add("--snr", type=float, default=0.0, help="SNR of the noisy windows in dB")
    ours = parser.add_argument_group("not in the public implementation")
    add = ours.add_argument
    add("--recipe", choices=list(RECIPES), default="paper", help="how to train")
    add("--learning_rate", type=float, help="peak of the learning rate (the recipe's own)")
    add("--protocol", choices=["reference", "clinic"], default="reference", help="on what to train")
    add(
        "--resume",
        type=int,
        nargs="?",
        const=-1,
        metavar="VERSION",
        help="go on with a killed run (the last one where no number is given), as it was set up",
    )
    add(
        "--augment",
        action="store_true",
        help="with --protocol clinic: selected targets, and all that may happen to a recording",
    )
    add(
        "--rhythms",
        action="store_true",
        help="with --augment: synthetic and real arrhythmias in the targets, real and synthetic "
        "motion in the noise; needs the databases mitdb, cinc2017 and ECGNExT as well",
    )
    add(
        "--start_from",
        metavar="MODEL",
        help="begin with the weights of a shipped model or a model file (see --recipe tune)",
    )
    add("--devices", type=flags.positive, default=1, help="how many GPUs (or CPU processes)")
    add(
        "--num_nodes",
        type=flags.positive,
        default=1,
        help="how many machines; on each, MASTER_ADDR, MASTER_PORT and NODE_RANK are set",
    )
    add("--tf32", action="store_true", help="on a GPU, multiply matrices in TF32: faster, rounded")
    add("--precision", default="32-true", help="of the arithmetic, by Lightning's names")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> Path:
    """Train as the flags say; returns the folder of the run."""
    args = parse(arguments)
    entry = flags.model_entry(args.use_model)
    log_dir = Path(entry["log_dir"])
    machine = run.machine(
        gpu=args.gpu if args.use_gpu else None,
        devices=args.devices,
        workers=args.num_workers,
        nodes=args.num_nodes,
        tf32=args.tf32,
    )
    if args.resume is not None:
        version = run.latest_version(log_dir) if args.resume < 0 else args.resume
        settings = run.read_settings(log_dir / f"version_{version}")
        print(f"going on with version_{version} as it was set up; other flags are not read")
        return run.train(settings, log_dir, machine, resume=version)
    settings = run.Settings(
        model=entry["model"],
        protocol=args.protocol,
        protocol_settings=protocol_settings(args),
        recipe=run.recipe_with(args.recipe, args.max_epochs, args.batch_size, args.learning_rate),
        seed=args.seed,
        precision=args.precision,
        start_from=args.start_from,
        start_sha256=args.start_from and digest(find_model(args.start_from)),
    )
    return run.train(settings, log_dir, machine)


def protocol_settings(args: argparse.Namespace) -> dict[str, object]:
    """The arguments of the protocol that the flags name; "clinic" has its own split and SNR."""
    if args.protocol == "reference":
        return flags.reference_settings(args)
    if args.rhythms and not args.augment:
        raise ValueError("--rhythms goes with --augment")
    wide = WIDE if args.augment else {}
    hearts = rhythm_settings(args.dataset_root_path) if args.rhythms else {}
    folders, window = flags.dataset_folders(args), flags.window_setting(args)
    return {**folders, **window, **wide, **hearts, "seed": args.seed}


if __name__ == "__main__":
    with script():
        run.announce(main())
