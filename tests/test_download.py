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

import pytest
from mirror import Answer, Mirror

from ipmdae import temporaries
from ipmdae.checksums import is_whole, parse
from ipmdae.lab.data import download as downloading
from ipmdae.lab.data.download import (
    DATASETS,
    Dataset,
    DatasetNotFoundError,
    DownloadError,
    Summary,
    download,
)
from ipmdae.lab.data.transfer import Retry

FOLDER = "mit-bih-noise-stress-test-database-1.0.0"
RETRY = Retry(attempts=3, pause=0.0, timeout=5.0)
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
        "old/118 02.dat": noise.randbytes(3000),
    }
    with Mirror("nstdb/1.0.0", files).running() as running:
        yield running


def fetch(mirror: Mirror, to: Path, **options: object) -> Summary:
    defaults = {"base_url": mirror.url, "retry": RETRY}
    (summary,) = download(["nstdb"], to, **(defaults | options))  # type: ignore[arg-type]
    return summary


def files_in(to: Path) -> dict[str, bytes]:
    folder = to / FOLDER
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("jobs", [1, 4])
def test_everything_that_is_published_arrives(mirror: Mirror, tmp_path: Path, jobs: int) -> None:
    summary = fetch(mirror, tmp_path, jobs=jobs)
    assert files_in(tmp_path) == mirror.files
    assert summary.folder == tmp_path / FOLDER
    assert (summary.fetched, summary.present) == (6, 0)
    assert summary.size == sum(map(len, mirror.files.values())) - len(
        mirror.files["SHA256SUMS.txt"]
    )


def test_what_is_here_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path)
    (tmp_path / FOLDER / "RECORDS").unlink()
    (tmp_path / FOLDER / "ANNOTATORS").write_text("damaged since")
    mirror.answers.clear()
    summary = fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    assert {answer.name for answer in mirror.answers} == {
        "SHA256SUMS.txt",
        "RECORDS",
        "ANNOTATORS",
    }
    assert (summary.fetched, summary.present) == (2, 4)


def test_a_trailing_slash_in_the_base_url_does_not_matter(mirror: Mirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path, base_url=mirror.url + "/")
    assert files_in(tmp_path) == mirror.files


def test_a_broken_connection_is_resumed_where_it_broke(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail(BIG, ["break off", "break off"])
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    first, second, third = mirror.sent(BIG)
    assert 0 < second.first <= first.sent
    assert second.first < third.first <= second.first + second.sent


def test_a_connection_that_gets_somewhere_is_not_given_up(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail(BIG, ["break off"] * (RETRY.attempts + 1))
    fetch(mirror, tmp_path, retry=Retry(attempts=2, pause=0.0, timeout=5.0))
    assert files_in(tmp_path) == mirror.files


def test_a_server_without_ranges_sends_the_file_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail(BIG, ["break off", "ignore range"])
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    assert mirror.sent(BIG)[1] == Answer(BIG, 0, 150_000)


def test_a_file_damaged_once_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail(BIG, ["corrupt"])
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files


def test_a_file_that_changed_since_the_interruption_is_fetched_anew(
    mirror: Mirror, tmp_path: Path
) -> None:
    part = tmp_path / FOLDER / f"{BIG}.part"
    part.parent.mkdir()
    part.write_bytes(b"of an older version")
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    assert [answer.first for answer in mirror.sent(BIG)] == [19, 0]


@pytest.mark.parametrize("surplus", [b"", b"and more"])
def test_a_part_that_is_not_shorter_than_the_file(
    mirror: Mirror, tmp_path: Path, surplus: bytes
) -> None:
    part = tmp_path / FOLDER / f"{BIG}.part"
    part.parent.mkdir()
    part.write_bytes(mirror.files[BIG] + surplus)
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    assert len(mirror.sent(BIG)) == (1 if surplus else 0)


@pytest.mark.parametrize("fault", ["corrupt", 404, 403, 503])
def test_a_file_that_cannot_be_had_is_named_and_the_others_come(
    mirror: Mirror, tmp_path: Path, fault: object
) -> None:
    mirror.fail(BIG, repeat(fault))  # type: ignore[arg-type]
    with pytest.raises(DownloadError, match=r"1 file of 6 .*118e00\.dat.* run the same command"):
        fetch(mirror, tmp_path)
    assert files_in(tmp_path) == {
        name: content
        for name, content in mirror.files.items()
        if name not in (BIG, "SHA256SUMS.txt")
    }
    mirror.fail(BIG, [])
    assert fetch(mirror, tmp_path).fetched == 1
    assert files_in(tmp_path) == mirror.files


def test_a_file_that_breaks_off_at_the_same_place_each_time(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("RECORDS", repeat("break off"))
    with pytest.raises(DownloadError, match=r"RECORDS broke off: .* \(tried 3 times\)"):
        fetch(mirror, tmp_path)
    assert "RECORDS" not in files_in(tmp_path)


def test_a_busy_server_is_asked_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("SHA256SUMS.txt", [503])
    mirror.fail(BIG, [429, 500])
    fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files


def test_it_stops_when_nothing_works(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files |= {f"{number}.atr": b"beats" for number in range(100)}
    mirror.publish()
    for name in mirror.files.keys() - {"SHA256SUMS.txt"}:
        mirror.fail(name, repeat(404))
    with pytest.raises(DownloadError, match=r"8 files of 106 .* 404 Not Found"):
        fetch(mirror, tmp_path)
    assert files_in(tmp_path) == {}


class Interruption:
    """Ctrl-C as soon as part of ``BIG`` is here."""

    def __init__(self, to: Path) -> None:
        self.folder = to / FOLDER

    def __call__(self, dataset: Dataset, here: int, expected: int) -> None:
        if any(part.stat().st_size > 40_000 for part in self.folder.glob(f"{BIG}*.part")):
            raise KeyboardInterrupt


def test_an_interrupted_download_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(mirror, tmp_path, progress=Interruption(tmp_path))
    here = files_in(tmp_path)
    assert f"{BIG}.part" in here
    assert "SHA256SUMS.txt" not in here
    assert mirror.nothing_is_half_written(here)
    mirror.answers.clear()
    summary = fetch(mirror, tmp_path)
    assert files_in(tmp_path) == mirror.files
    assert mirror.sent(BIG)[0].first == len(here[f"{BIG}.part"]) > 40_000
    assert summary.fetched + summary.present == 6


def test_progress_ends_at_the_size_of_the_database(mirror: Mirror, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    mirror.fail(BIG, ["corrupt"])
    summary = fetch(mirror, tmp_path, progress=lambda _, *sizes: seen.append(sizes))
    assert seen[-1] == (summary.size, summary.size)
    assert all(0 <= here <= expected for here, expected in seen)
    assert {expected for _, expected in seen[:-1]} == {DATASETS["nstdb"].size}


def test_without_a_network_the_message_says_so(tmp_path: Path) -> None:
    with Mirror("nstdb/1.0.0", {}).running() as closed:
        pass
    with pytest.raises(DownloadError, match=r"cannot reach .*refused; is there a network"):
        fetch(closed, tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_a_server_that_stops_answering_counts_as_broken(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail(BIG, ["stall"])
    fetch(mirror, tmp_path, retry=Retry(attempts=5, pause=0.0, timeout=0.5))
    assert files_in(tmp_path) == mirror.files


@pytest.mark.parametrize(
    "base_url", ["physionet.org/files", "ftp://physionet.org/files", "http://"]
)
def test_an_address_without_sense(tmp_path: Path, base_url: str) -> None:
    with pytest.raises(DownloadError, match="not an address that can be fetched"):
        download(["nstdb"], tmp_path, base_url=base_url)


@pytest.mark.parametrize("fault", [404, "corrupt"])
def test_a_wrong_base_url(mirror: Mirror, tmp_path: Path, fault: object) -> None:
    if fault == "corrupt":
        mirror.files["SHA256SUMS.txt"] = b"<html>please log in</html>"
    else:
        mirror.fail("SHA256SUMS.txt", [404])
    with pytest.raises(DownloadError, match="is the base URL right"):
        fetch(mirror, tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_a_full_disk(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_path = Path.open

    def open_on_a_full_disk(self: Path, mode: str = "r") -> object:
        if self.name.startswith(BIG) and self.name.endswith(".part"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return open_path(self, mode)

    monkeypatch.setattr(Path, "open", open_on_a_full_disk)
    with pytest.raises(DownloadError, match=r"is full; .* takes about 61 MB\. Free space"):
        fetch(mirror, tmp_path)
    assert BIG not in files_in(tmp_path)


def test_a_folder_that_cannot_be_written_to(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the place of the folder")
    with pytest.raises(DownloadError, match=r"cannot write .*; choose another folder"):
        fetch(mirror, tmp_path)


def test_a_list_that_leads_out_of_the_folder_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["SHA256SUMS.txt"] = b"0" * 64 + b" ../../.bashrc\n"
    with pytest.raises(DownloadError, match="leads out of the folder"):
        fetch(mirror, tmp_path)
    assert list(tmp_path.rglob("*")) == []


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
    assert files_in(tmp_path) == mirror.files


def test_what_a_killed_process_has_is_taken_over_but_not_that_of_a_living(
    mirror: Mirror, tmp_path: Path
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", "from ipmdae import temporaries; print(temporaries.marker())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    living = temporaries.marker()
    (tmp_path / FOLDER).mkdir()
    for marker in (killed, living):
        path = tmp_path / FOLDER / f"{BIG}{marker}.part"
        path.write_bytes(mirror.files[BIG][:50_000])
    fetch(mirror, tmp_path)
    assert [answer.first for answer in mirror.sent(BIG)] == [50_000]
    left = files_in(tmp_path)
    assert left.pop(f"{BIG}{living}.part") == mirror.files[BIG][:50_000]
    assert left == mirror.files


def test_a_list_larger_than_any_is_refused(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "LARGEST_LIST", 100)
    with pytest.raises(DownloadError, match=r"SHA256SUMS\.txt is larger than"):
        fetch(mirror, tmp_path)


def test_a_server_that_sends_without_end_is_given_up(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(DATASETS["nstdb"], size=40_000)
    monkeypatch.setitem(DATASETS, "nstdb", small)
    with pytest.raises(DownloadError, match=r"more than 0 MB have come"):
        fetch(mirror, tmp_path)
    assert BIG not in files_in(tmp_path)
    assert sum(map(len, files_in(tmp_path).values())) < 120_000


def test_unknown_names_and_jobs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'afdb': choose from qtdb, nstdb"):
        download(["qtdb", "afdb"], tmp_path)
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        download(["qtdb"], tmp_path, jobs=0)


@pytest.mark.parametrize("looked_in", ["datasets", f"datasets/{FOLDER}"])
def test_a_missing_database_names_the_command_that_fetches_it(looked_in: str) -> None:
    message = str(DatasetNotFoundError("nstdb", looked_in))
    assert f"is not in {Path(looked_in)};" in message
    assert message.endswith("ipmdae download qtdb nstdb --to datasets")


def test_only_the_training_set_of_the_challenge_is_fetched(tmp_path: Path) -> None:
    files = {
        "training/REFERENCE.csv": b"A00001,N\n",
        "training/A00/A00001.hea": b"A00001 1 300 9000\n",
        "training2017.zip": b"the same again",
        "validation/A00001.hea": b"another",
    }
    with Mirror("challenge-2017/1.0.0", files).running() as running:
        (summary,) = download(["cinc2017"], tmp_path, base_url=running.url, retry=RETRY)
        again = download(["cinc2017"], tmp_path, base_url=running.url, retry=RETRY)[0]
    folder = tmp_path / "challenge-2017-1.0.0"
    here = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert here == {"SHA256SUMS.txt", "training/REFERENCE.csv", "training/A00/A00001.hea"}
    assert (summary.fetched, again.fetched, again.present) == (2, 0, 2)
    listed = parse((folder / "SHA256SUMS.txt").read_text())
    assert all(is_whole(folder / name, digest) for name, digest in listed.items())


def test_a_mirror_without_the_part_that_is_wanted(tmp_path: Path) -> None:
    with (
        Mirror("challenge-2017/1.0.0", {"RECORDS": b"A00001\n"}).running() as running,
        pytest.raises(DownloadError, match="lists nothing below training/"),
    ):
        download(["cinc2017"], tmp_path, base_url=running.url, retry=RETRY)
    assert not list(tmp_path.rglob("*.hea"))


@pytest.mark.parametrize("name", ["mitdb", "cudb"])
def test_the_other_databases_lie_where_physionet_has_them(name: str, tmp_path: Path) -> None:
    with Mirror(f"{name}/1.0.0", {"RECORDS": b"100\n"}).running() as running:
        (summary,) = download([name], tmp_path, base_url=running.url, retry=RETRY)
    assert (summary.folder / "RECORDS").read_bytes() == b"100\n"
    assert summary.folder.name == DATASETS[name].folder


@pytest.mark.parametrize("inside", ["", "challenge-2017-1.0.0", "challenge-2017-1.0.0/training"])
def test_a_missing_database_is_fetched_to_where_it_is_looked_for(inside: str) -> None:
    error = DatasetNotFoundError("cinc2017", Path("somewhere") / inside)
    assert str(error).endswith("ipmdae download cinc2017 --to somewhere")
