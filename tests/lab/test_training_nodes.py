"""Training on two machines: two processes of this one that find each other by their variables."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from excerpts import DATASETS

import main

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, sys
import main
from ipmdae.lab.training import loaders
drawn = []
real = loaders.PairDataset.__getitems__
def draw(self, items):
    drawn.extend([*item, len(self.pairs)] for item in items)
    return real(self, items)
loaders.PairDataset.__getitems__ = draw
main.main(sys.argv[1:])
print(json.dumps(drawn), file=open(os.environ["NODE_RANK"] + ".json", "w"))
"""

FLAGS = [
    "--use_model=ipmdae-small", "--recipe=modern", f"--dataset_root_path={DATASETS}",
    "--split_idx=3", "--time_win=1", "--num_workers=0", "--max_epochs=1", "--batch_size=16",
    "--use_gpu=False", "--num_nodes=2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_machines_share_the_windows_of_an_epoch(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text(encoding="utf-8"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": path}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, *FLAGS],
            cwd=tmp_path,
            env=os.environ | here | {"OMP_NUM_THREADS": "1", "NODE_RANK": rank},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    complaints = [process.communicate(timeout=180)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], complaints
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    drawn = [[row for row in rows if row[2] == most_windows(ranks)] for rows in ranks]
    assert abs(len(drawn[0]) - len(drawn[1])) <= 1
    indices = sorted(row[1] for rows in drawn for row in rows)
    windows = most_windows(ranks)
    assert set(indices) == set(range(windows))
    assert len(indices) == windows + windows % 2  # the first window fills an odd epoch
    (run,) = (tmp_path / "results" / "ipmdae-small").iterdir()
    assert {path.name for path in (run / "checkpoints").iterdir()} > {"last.ckpt"}


def most_windows(ranks: list[list[list[float]]]) -> int:
    """Windows of the training set, of which there are more than of the validation set."""
    return int(max(row[2] for rows in ranks for row in rows))


def test_a_machine_that_does_not_know_the_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NODE_RANK", raising=False)
    with pytest.raises(ValueError, match="NODE_RANK on each machine"):
        main.main(FLAGS)
