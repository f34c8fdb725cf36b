"""Runs that go to another machine in an archive, and archives that are not what they seem."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from trainings import finish

from ipmdae.lab.training import archive, run
from ipmdae.lab.training.summary import SUMMARY_FILE

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


def files(results: Path) -> set[str]:
    return {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}


def unfinish(folder: Path, steps: int) -> None:
    """Turn a finished run into one that stopped after so many steps."""
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    torch.save({"global_step": steps}, folder / "checkpoints" / "last.ckpt")


def test_runs_are_restored_where_they_have_come_further(tmp_path: Path) -> None:
    here, there, packed = tmp_path / "here", tmp_path / "there", tmp_path / "runs.zip"
    folders = finish(here, "deepfilter", "fcn-dae")
    unfinish(folders[1], steps=7)
    assert archive.pack(folders, here, packed) == 2
    names = [folder.relative_to(here).as_posix() for folder in folders]
    assert archive.unpack(packed, there) == dict.fromkeys(names, True)
    assert files(there) == files(here)
    network = run.load_network(there / names[0], "best")
    expected = run.load_network(folders[0], "best").state_dict()
    assert all(torch.equal(t, expected[name]) for name, t in network.state_dict().items())

    assert archive.unpack(packed, there) == dict.fromkeys(names, False)
    unfinish(there / names[1], steps=6)
    unfinish(there / names[0], steps=6)
    assert archive.unpack(packed, there) == dict.fromkeys(names, True)
    unfinish(there / names[1], steps=8)
    assert archive.unpack(packed, there)[names[1]] is False
    assert files(there) == files(here)


def test_another_run_in_the_same_place_is_kept(tmp_path: Path) -> None:
    packed = tmp_path / "runs.zip"
    folders = finish(tmp_path / "here", "clinic", "fcn-dae", seed=1)
    archive.pack(folders, tmp_path / "here", packed)
    finish(tmp_path / "there", "clinic", "fcn-dae", seed=2)
    with pytest.raises(ValueError, match="is another run than that of"):
        archive.unpack(packed, tmp_path / "there")


@pytest.mark.parametrize(
    "name",
    [
        "../clinic/unet/version_0/run.json",
        "/clinic/unet/version_0/run.json",
        "clinic/../version_0/run.json",
        "clinic/unet/version_0/checkpoints/../../../../../out.ckpt",
        "clinic/unet/version_0/evil.py",
        "clinic\\..\\..\\unet/version_0/run.json",
        "clinic/unet/version_0/",
    ],
)
def test_nothing_but_runs_is_unpacked(tmp_path: Path, name: str) -> None:
    packed, results = tmp_path / "runs.zip", tmp_path / "deep" / "results"
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(name, "{}")
    before = files(tmp_path)
    with pytest.raises(ValueError, match="is no archive of runs"):
        archive.unpack(packed, results)
    assert files(tmp_path) == before
    assert not list(results.iterdir())


def test_broken_archives_are_refused(tmp_path: Path) -> None:
    packed, results = tmp_path / "runs.zip", tmp_path / "results"
    packed.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is damaged or no ZIP file"):
        archive.unpack(packed, results)
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("clinic/unet/version_0/training.json", "{}")
    with pytest.raises(ValueError, match=r"has no run\.json"):
        archive.unpack(packed, results)
    with pytest.raises(FileNotFoundError):
        archive.unpack(tmp_path / "absent.zip", results)


def test_too_large_an_archive_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = finish(tmp_path / "here", "clinic", "fcn-dae")
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="pack fewer runs"):
        archive.pack(folders, tmp_path / "here", tmp_path / "runs.zip")
    assert not (tmp_path / "runs.zip").exists()
