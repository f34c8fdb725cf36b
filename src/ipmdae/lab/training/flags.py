"""Flags that the paper's commands share: the public implementation's names, working values."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypedDict

import yaml

from ipmdae.lab.data import nstdb, splits
from ipmdae.lab.protocols.reference import Reference

CONFIG = Path("config.yaml")


class ModelEntry(TypedDict):
    """One model in ``config.yaml``."""

    model: str
    log_dir: str


def model_entry(name: str) -> ModelEntry:
    """Entry of the model ``name`` in ``config.yaml``.

    Raises:
        FileNotFoundError: the file is not in the working folder.
        ValueError: the model is not in it.
    """
    if not CONFIG.is_file():
        raise FileNotFoundError(f"no {CONFIG} here: run the command from the repository's root")
    known: dict[str, ModelEntry] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    if name not in known:
        raise ValueError(f"model {name!r} is not in {CONFIG}, which has: {', '.join(known)}")
    return known[name]


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Help formatter that shows defaults, except None."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def boolean(text: str) -> bool:
    """Parse ``True``, ``false``, ``1``, ``no`` … as a truth value (``bool("False")`` is true)."""
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return known[text.lower()]


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def add_dataset_flags(parser: argparse._ActionsContainer) -> None:
    """Add the flags of the databases' folders."""
    parser.add_argument(
        "--dataset_root_path",
        type=Path,
        default=Path("./datasets"),
        help="folder that holds both databases",
    )
    parser.add_argument(
        "--dataset_name_path", default="qt-database-1.0.0", help="the QT Database's folder in it"
    )


def add_split_flags(parser: argparse._ActionsContainer) -> None:
    """Add the flags of the training records and the augmentation."""
    parser.add_argument(
        "--split",
        default="sorted",
        help=f"order of the records: {', '.join(splits.names('reference'))}",
    )
    parser.add_argument(
        "--split_idx",
        type=positive,
        default=splits.PUBLISHED_TRAINING_RECORDS,
        help="number of training records; the rest validate",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all random draws")


def reference_protocol(args: argparse.Namespace) -> Reference:
    """Protocol "reference" from the flags."""
    return Reference(**reference_settings(args))


def reference_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of protocol "reference" from the flags."""
    return {
        **dataset_folders(args),
        "split": args.split,
        "split_idx": args.split_idx,
        **window_setting(args),
        "snr": args.snr,
        "seed": args.seed,
    }


def window_setting(args: argparse.Namespace) -> dict[str, float]:
    """Window length, if given."""
    return {} if args.time_win is None else {"time_win": args.time_win}


def dataset_folders(arguments: argparse.Namespace) -> dict[str, str]:
    """Folders of the databases as protocol settings."""
    root: Path = arguments.dataset_root_path
    return {
        "qtdb_folder": str(root / arguments.dataset_name_path),
        "nstdb_folder": str(root / nstdb.FOLDER),
    }
