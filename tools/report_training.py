"""Table of the validation losses of several runs: ``python -m tools.report_training --versions …``.

It uses the stored results of the runs; nothing is computed again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ipmdae.lab.evaluation import pages
from ipmdae.lab.training import flags, queue, run
from tools import show

#: Best validation loss in the logs of the paper's public implementation, two runs of 600 epochs.
PUBLISHED = (0.00699, 0.00723)

_COLUMNS = (
    "split",
    "epochs",
    "best epoch",
    "minutes",
    "best MSE",
    "SNR (dB)",
    "SNR without DC (dB)",
    "RMSE",
    "CosSim",
    "PRD (%)",
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.report_training",
        description="Write a table of training runs on protocol reference.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--use_model", default="Ultralight_IPM_DAE", help="a model of config.yaml")
    parser.add_argument("--versions", type=int, nargs="+", required=True, help="numbers of runs")
    parser.add_argument("--output", type=Path, default=Path("docs/results/training.md"),
                        help="file to write")  # fmt: skip
    args = parser.parse_args(arguments)
    log_dir = Path(flags.model_entry(args.use_model)["log_dir"])
    runs = [summary(log_dir / f"version_{version}") for version in args.versions]
    print(f"written to {pages.write(document(args.use_model, args.versions, runs), args.output)}")


def summary(folder: Path) -> dict[str, Any]:
    """Read settings, loss curves and the test of the best checkpoint of the run in ``folder``.

    Raises:
        FileNotFoundError: the run, its curves or its test are missing.
    """
    settings = run.read_settings(folder)
    epochs = queue.read_curves(folder)
    test = json.loads((folder / "results" / "test_best.json").read_text(encoding="utf-8"))["report"]
    losses = [row["valid_loss"] for row in epochs]
    return {
        "settings": settings,
        "epochs": len(epochs),
        "best_epoch": losses.index(min(losses)) + 1,
        "best": min(losses),
        "minutes": sum(row["seconds"] for row in epochs) / 60,
        "scores": test["scores"],
    }


def document(model: str, versions: list[int], runs: list[dict[str, Any]]) -> str:
    """Format the page."""
    recipe = runs[0]["settings"].recipe
    best = [r["best"] for r in runs]
    spread = f" ± {stdev(best):.5f} (sd over splits)" if len(best) > 1 else ""
    numbers = " ".join(map(str, versions))
    commands = "\n".join(
        f"python -m main --use_model='{model}' --recipe {r['settings'].recipe.name} "
        f"--split {r['settings'].protocol_settings['split']}"
        for r in runs
    )
    tests = "\n".join(
        f"python -m test --use_model='{model}' --version={version}" for version in versions
    )
    return pages.render(
        "training.md.j2",
        model=model,
        best=f"{mean(best):.5f}",
        spread=spread,
        recipe=recipe.name,
        published=[f"{loss:.5f}" for loss in PUBLISHED],
        table=pages.table(_COLUMNS, map(_row, runs)),
        before=_score(runs[0], "SNR (dB)", "before", "centred"),
        commands=commands,
        tests=tests,
        numbers=numbers,
    )


def _row(run_summary: dict[str, Any]) -> list[str]:
    r = run_summary
    return [
        r["settings"].protocol_settings["split"],
        str(r["epochs"]),
        str(r["best_epoch"]),
        f"{r['minutes']:.0f}",
        f"{r['best']:.5f}",
        _score(r, "SNR (dB)"),
        _score(r, "SNR (dB)", variant="centred"),
        _score(r, "RMSE"),
        _score(r, "CosSim"),
        _score(r, "PRD (%)"),
    ]


def _score(
    run_summary: dict[str, Any], metric: str, side: str = "after", variant: str = "total"
) -> str:
    score = run_summary["scores"][metric][variant][side]
    return f"{score['mean']:.3f} ({score['sd']:.3f})"


if __name__ == "__main__":
    show.run(main)
