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


def copy_for_tfcdiff(folder: Path) -> None:
    """Write two excerpts, one named as a test record of the protocol, with pu0 as well as pu1."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, copy in (("sel100", "sel123"), ("sele0121", "sele0121")):
        header = (QTDB / f"{name}.hea").read_text().replace(name, copy)
        (folder / f"{copy}.hea").write_text(header)
        (folder / f"{copy}.dat").write_bytes((QTDB / f"{name}.dat").read_bytes())
        for annotator in ("pu0", "pu1"):
            (folder / f"{copy}.{annotator}").write_bytes((QTDB / f"{name}.pu1").read_bytes())
