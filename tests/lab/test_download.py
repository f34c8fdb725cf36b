"""The databases arrive whole, whatever the server and the network do."""

from __future__ import annotations

import dataclasses
import errno
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import pytest
from mirror import Fault, Mirror

from ipmdae.lab.data import download as downloading
from ipmdae.lab.data import transfer
from ipmdae.lab.data.download import DATASETS, DatasetNotFoundError, Summary, download
from ipmdae.lab.data.transfer import DownloadError

FOLDER = "mit-bih-noise-stress-test-database-1.0.0"
LIST = "SHA256SUMS.txt"
BIG = "118e00.dat"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    noise = random.Random(0)
    files = {
        "RECORDS": b"118e00\nbw\n",
        "ANNOTATORS": b"atr\treference beat annotations\n",
        "118e00.hea": b"118e00 2 360 50000\n",
        BIG: noise.randbytes(150_000),
        "bw.hea-": b"",
        "old/118 #2%20.dat": noise.randbytes(3000),
    }
    with Mirror("nstdb/1.0.0", files).running() as running:
        yield running


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without a pause."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(transfer, "TIMEOUT", 0.5)


def fetch(mirror: Mirror, to: Path, name: str = "nstdb", jobs: int = 4) -> Summary:
    (summary,) = download([name], to, base_url=mirror.url, jobs=jobs)
    return summary


def files_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("jobs", [1, 4])
def test_everything_that_is_published_arrives(mirror: Mirror, tmp_path: Path, jobs: int) -> None:
    summary = fetch(mirror, tmp_path, jobs=jobs)
    assert files_in(tmp_path / FOLDER) == mirror.files
    assert summary.folder == tmp_path / FOLDER
    assert (summary.fetched, summary.present) == (6, 0)
    assert summary.size == sum(map(len, mirror.files.values())) - len(mirror.files[LIST])
    (tmp_path / "new").touch()
    mode = (tmp_path / "new").stat().st_mode
    assert {path.stat().st_mode for path in summary.folder.rglob("*.*")} == {mode}


def test_what_is_here_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path)
    (tmp_path / FOLDER / "RECORDS").unlink()
    (tmp_path / FOLDER / "ANNOTATORS").write_text("damaged since")
    mirror.answered.clear()
    mirror.url += "/"
    summary = fetch(mirror, tmp_path)
    assert files_in(tmp_path / FOLDER) == mirror.files
    assert sorted(mirror.answered) == ["ANNOTATORS", "RECORDS", LIST]
    assert (summary.fetched, summary.present) == (2, 4)


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        (BIG, ["break off", "break off"]),
        (BIG, ["corrupt", "stall"]),
        (BIG, [429, 500]),
        (LIST, ["break off", 503, "stall"]),
    ],
)
def test_what_may_pass_is_tried_again(
    mirror: Mirror, tmp_path: Path, name: str, faults: list[Fault]
) -> None:
    mirror.fail(name, faults)
    fetch(mirror, tmp_path)
    assert files_in(tmp_path / FOLDER) == mirror.files


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("corrupt", "hash"),
        ("break off", "more expected"),
        (404, "answers 404 Not Found"),
    ],
)
def test_a_file_that_cannot_be_had_is_named_and_the_others_come(
    mirror: Mirror, tmp_path: Path, fault: Fault, reason: str
) -> None:
    mirror.fail(BIG, repeat(fault))
    with pytest.raises(DownloadError, match=rf"1 of 6 files .*118e00\.dat: .*{reason}.* same com"):
        fetch(mirror, tmp_path)
    others = {name: file for name, file in mirror.files.items() if name not in (BIG, LIST)}
    assert files_in(tmp_path / FOLDER) == others
    mirror.fail(BIG, [])
    assert fetch(mirror, tmp_path).fetched == 1
    assert files_in(tmp_path / FOLDER) == mirror.files


def test_it_stops_when_nothing_works(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files |= {f"{number}.atr": b"beats" for number in range(100)}
    mirror.publish()
    for name in mirror.files.keys() - {LIST}:
        mirror.fail(name, repeat(404))
    with pytest.raises(DownloadError, match=r"8 of 106 files .* 404 Not Found"):
        fetch(mirror, tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_progress_ends_at_the_size_of_the_database(mirror: Mirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path)
    (tmp_path / FOLDER / "RECORDS").unlink()
    seen: list[tuple[int, int]] = []
    (summary,) = download(
        ["nstdb"],
        tmp_path,
        base_url=mirror.url,
        progress=lambda dataset, here, expected: seen.append((here, expected)),
    )
    assert seen[-1] == (summary.size, summary.size)
    assert seen[-2] == (summary.size, DATASETS["nstdb"].size)


def test_without_a_network_the_message_says_so(tmp_path: Path) -> None:
    with Mirror("nstdb/1.0.0", {}).running() as closed:
        pass
    with pytest.raises(DownloadError, match=r"cannot fetch .*refused; is there a network"):
        fetch(closed, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("base_url", ["physionet.org/files", "ftp://physionet.org", "http://"])
def test_an_address_without_sense(tmp_path: Path, base_url: str) -> None:
    with pytest.raises(DownloadError, match=r"cannot fetch .*is the base URL right"):
        download(["nstdb"], tmp_path, base_url=base_url)


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        (b"<html>please log in</html>", "is not a list of checksums .* login page"),
        (b"0" * 64 + b" ../../.bashrc\n", "leads out of the folder"),
        (b"0" * 64 + b" RECORDS\n" * 20_000, "more than the 0 MB that can be expected"),
    ],
)
def test_another_list_is_refused(
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    published: bytes,
    reason: str,
) -> None:
    monkeypatch.setattr(downloading, "LARGEST_LIST", 100_000)
    mirror.files[LIST] = published
    with pytest.raises(DownloadError, match=reason):
        fetch(mirror, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_sends_without_end_is_given_up(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(DATASETS["nstdb"], size=500_000)
    monkeypatch.setitem(DATASETS, "nstdb", small)
    mirror.fail(BIG, ["endless"])
    with pytest.raises(DownloadError, match="more than the 1 MB that can be"):
        fetch(mirror, tmp_path)
    assert BIG not in files_in(tmp_path / FOLDER)


def test_a_full_disk(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_on_a_full_disk(name: str, mode: str) -> object:
        if FOLDER in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return open(name, mode)

    monkeypatch.setattr(transfer, "open", open_on_a_full_disk, raising=False)
    with pytest.raises(DownloadError, match=r"No space left .* takes about 61 MB: free space"):
        fetch(mirror, tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_folder_that_cannot_be_written_to(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the place of the folder")
    with pytest.raises(DownloadError, match=r"cannot write .*choose another folder"):
        fetch(mirror, tmp_path)


def test_several_processes_fetch_the_same_database(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files |= {f"{number}.dat": bytes([number]) * 40_000 for number in range(20)}
    mirror.publish()
    code = (
        "import sys\n"
        "from ipmdae.lab.data.download import download\n"
        "download(['nstdb'], sys.argv[1], base_url=sys.argv[2])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), mirror.url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], complaints
    assert files_in(tmp_path / FOLDER) == mirror.files


def test_unknown_names_and_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'afdb': choose from qtdb, nstdb"):
        download(["qtdb", "afdb"], tmp_path)
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        download(["qtdb"], tmp_path, jobs=0)


def test_only_the_training_set_of_the_challenge_is_fetched(tmp_path: Path) -> None:
    files = {
        "training/REFERENCE.csv": b"A00001,N\n",
        "training/A00/A00001.hea": b"A00001 1 300 9000\n",
        "training2017.zip": b"the same again",
        "validation/A00001.hea": b"another",
    }
    with Mirror("challenge-2017/1.0.0", files).running() as running:
        summary = fetch(running, tmp_path, "cinc2017")
        again = fetch(running, tmp_path, "cinc2017")
        listed = "".join(running.files[LIST].decode().splitlines(keepends=True)[:2])
    assert files_in(summary.folder) == {
        "training/REFERENCE.csv": b"A00001,N\n",
        "training/A00/A00001.hea": b"A00001 1 300 9000\n",
        LIST: listed.encode(),
    }
    assert (summary.fetched, again.fetched, again.present) == (2, 0, 2)


def test_a_mirror_without_the_part_that_is_wanted(tmp_path: Path) -> None:
    with (
        Mirror("challenge-2017/1.0.0", {"RECORDS": b"A00001\n"}).running() as running,
        pytest.raises(DownloadError, match="lists nothing below training/"),
    ):
        fetch(running, tmp_path, "cinc2017")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["qtdb", "mitdb", "cudb"])
def test_the_other_databases_lie_where_physionet_has_them(name: str, tmp_path: Path) -> None:
    with Mirror(f"{name}/1.0.0", {"RECORDS": b"100\n"}).running() as running:
        summary = fetch(running, tmp_path, name)
    assert (summary.folder / "RECORDS").read_bytes() == b"100\n"
    assert summary.folder.name == DATASETS[name].folder


@pytest.mark.parametrize(
    ("name", "looked_in", "command"),
    [
        ("nstdb", "datasets", "qtdb nstdb --to datasets"),
        ("nstdb", f"datasets/{FOLDER}", "qtdb nstdb --to datasets"),
        ("cinc2017", "somewhere/challenge-2017-1.0.0/training", "cinc2017 --to somewhere"),
    ],
)
def test_a_missing_database_names_the_command_that_fetches_it(
    name: str, looked_in: str, command: str
) -> None:
    message = str(DatasetNotFoundError(name, looked_in))
    assert f"is not in {Path(looked_in)};" in message
    assert message.endswith(f"ipmdae download {command}")
