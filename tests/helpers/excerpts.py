"""Where the databases lie: excerpts for all tests, the full ones for those that can use them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ipmdae.lab.data import nstdb, qtdb

DATASETS = Path(__file__).parents[1] / "data" / "datasets"
QTDB, NSTDB = DATASETS / qtdb.FOLDER, DATASETS / nstdb.FOLDER

#: Where the full databases are looked for: a variable, or beside or above the repository.
ROOT = Path(__file__).parents[2]
FULL = next(
    (
        folder
        for folder in (
            Path(os.environ.get("IPMDAE_DATASETS", "datasets")),
            ROOT / "datasets",
            ROOT.parent / "shared" / "datasets",
        )
        if (folder / qtdb.FOLDER).is_dir() and (folder / nstdb.FOLDER).is_dir()
    ),
    None,
)
needs_full = pytest.mark.skipif(FULL is None, reason="the full databases are not here")
