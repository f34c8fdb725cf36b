"""Batches on a Dask cluster of processes, with recordings in a store (moto, on the loopback)."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pytest
from typer.testing import Result

from ipmdae import cli, examples, formats
from ipmdae.commands import cluster as clusters
from ipmdae.recording import Recording

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="kills workers, counts processes by /proc"),
    pytest.mark.filterwarnings("ignore"),  # of Dask, botocore and moto
]
SOURCES = str(Path(cli.__file__).parents[1])


DEADLY = """
import os
from ipmdae.commands import job
real = job.denoise_file
def denoise_file(source, *rest, **others):
    return os._exit(9) if source.name == 'deadly' else real(source, *rest, **others)
job.denoise_file = denoise_file
"""
"""Imported by each process that is started: a recording of that name kills it."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(DEADLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), SOURCES]))
        patch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
        yield patch


@pytest.fixture(scope="module")
def store(environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket ``ward`` of an S3 server."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3fs = pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    environment.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    environment.setenv("AWS_ACCESS_KEY_ID", "key")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    files = s3fs.S3FileSystem(use_listings_cache=False)
    files.mkdir("ward")
    yield files
    server.stop()


@pytest.fixture(scope="module")
def scheduler(store: Any) -> Iterator[Any]:
    """A scheduler with two workers of one thread, which see the store."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def folder(tree: Path) -> Path:
    return tree


def run(*arguments: object) -> Result:
    return command_line.run("denoise", *arguments, "--method", "tiny.safetensors")


def content(folder: str) -> dict[str, bytes]:
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def stored(store: Any, folder: str) -> dict[str, bytes]:
    found: dict[str, bytes] = store.cat(store.find(folder))
    return {name.removeprefix(f"{folder}/"): held for name, held in found.items()}


def test_a_tree_in_a_store_becomes_what_one_machine_makes_of_it(store: Any, scheduler: Any) -> None:
    store.put("data", "ward/in", recursive=True)
    run("data", "-o", "out")
    words = ("s3://ward/in", "-o", "s3://ward/out", "--cluster", scheduler.scheduler_address)
    result = run(*words)
    assert result.exit_code == 1
    assert "s3://ward/in/deep/b.edf: 4.0 s at 360 Hz" in result.stdout
    assert "2 cleaned, 1 failed, 1 file of unknown format" in result.stdout
    assert result.stderr.startswith("ipmdae: error: s3://ward/in/bad: the WFDB header is malf")
    assert stored(store, "ward/out") == content("out")

    assert "s3://ward/out/a.hea exists (and 2 more)" in run(*words).stderr
    store.rm("ward/out/a.hea")  # as if its worker had been killed before the last file
    again = run(*words, "--resume")
    assert "s3://ward/out/deep/b.edf: already done" in again.stdout
    assert "1 cleaned, 1 done already, 1 failed" in again.stdout
    assert stored(store, "ward/out") == content("out")
    assert not list(Path().glob("s3*"))


def test_a_record_of_which_a_file_cannot_be_written_leaves_none(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, target: str) -> None:
        if target.endswith(".hea"):
            raise OSError("the store is full")
        real(source, target)

    real = store.put_file
    monkeypatch.setattr(store, "put_file", fail)
    result = run("data/a", "-o", "s3://ward/full/a")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "s3://ward/full: cannot be written to (the store is full)" in result.stderr
    assert store.find("ward/full") == []


def test_reports_and_peaks_lie_in_the_store(store: Any) -> None:
    words = ("--to", "edf", "--rpeaks", "--report", "s3://ward/page.html")
    result = run("data/a", "-o", "s3://ward/alone/", *words)
    assert result.exit_code == 0, result.output
    assert set(stored(store, "ward/alone")) == {"a.edf", "a.rpeaks.csv"}
    assert b"s3://ward/alone/a.edf" in store.cat("ward/page.html")


def test_the_recording_of_a_killed_worker_is_done_by_another(scheduler: Any) -> None:
    long_recordings("wxyz", minutes=10)
    assert run("long", "-o", "one").exit_code == 0
    pids = {worker.pid for worker in scheduler.workers.values()}
    killer = threading.Thread(target=kill_one_at_work, args=("out", pids))
    killer.start()
    result = run("long", "-o", "out", "--cluster", scheduler.scheduler_address)
    killer.join()
    assert result.exit_code == 0, result.output
    assert {worker.pid for worker in scheduler.workers.values()} != pids
    assert content("out") == content("one")


def long_recordings(names: str, minutes: int) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False)
    long = Recording.from_array(np.tile(noisy.signal, (minutes, 1)), noisy.fs, noisy.leads)
    for name in names:
        formats.write(long, f"long/{name}.bdf")


def kill_one_at_work(folder: str, pids: set[int]) -> None:
    """Kill a worker as soon as it writes to a folder."""
    started = time.monotonic()
    while time.monotonic() < started + 60:
        for path in Path(folder).glob(".tmp-*"):
            pid = int(path.name.split("-")[2])
            if pid in pids:
                os.kill(pid, signal.SIGKILL)
                return
        time.sleep(0.01)


def test_a_recording_that_kills_its_workers_has_failed(scheduler: Any) -> None:
    formats.write(formats.read("data/a"), "data/deadly")
    words = ("data/deadly", "data/a", "data/deep/b.edf")
    result = run(*words, "-o", "out", "--cluster", scheduler.scheduler_address)
    assert result.exit_code == 1
    assert result.stderr == "ipmdae: error: data/deadly: its workers died; is memory short?\n"
    assert "2 cleaned, 1 failed" in result.stdout
    assert {"a.hea", "b.edf"} <= set(content("out"))
    assert not list(Path("out").glob("deadly*"))


def command(*words: str) -> subprocess.Popen[str]:
    """The command as a session of its own, which listens to Ctrl-C."""
    return subprocess.Popen(
        [sys.executable, "-m", "ipmdae", "denoise", *words, "--method", "tiny.safetensors"],
        env=os.environ | {"PYTHONPATH": SOURCES},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_ctrl_c_leaves_no_half_of_a_file_and_no_process() -> None:
    long_recordings("xy", minutes=60)
    process = command("long", "-o", "out", "--cluster", "local", "--jobs", "1")
    started = time.monotonic()
    while len(list(Path("out").glob(".tmp-*"))) < 2:  # the probe, and what a worker writes
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < started + 60
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert complaint == "ipmdae: interrupted: no file is partly written; add --resume to continue\n"
    assert process.returncode == 130
    assert not list(Path("out").glob(".*"))
    ended = time.monotonic()
    with suppress(ProcessLookupError):
        while True:
            os.killpg(process.pid, 0)
            assert time.monotonic() < ended + 10, "a process is left"
            time.sleep(0.05)


def test_an_unfit_cluster_is_a_sentence(scheduler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address = scheduler.scheduler_address

    def refusal(*words: object) -> str:
        result = run("data", "-o", "out", "--cluster", *words)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert not [name for name in content("out") if name != "x"] if Path("out").exists() else 1
        return str(line)

    assert "--jobs is for this machine" in refusal(address, "--jobs", 2)
    with monkeypatch.context() as patch:
        patch.setattr(clusters, "__version__", "9")
        assert "this machine 9: install the same version" in refusal(address)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", lambda self: None)
        assert "does not see the folder" in refusal(address)
    with monkeypatch.context() as patch:
        patch.setattr(clusters, "_TIMEOUT", 1.0)
        assert "no scheduler with a worker answers there" in refusal("tcp://127.0.0.1:9")
        assert "no scheduler with a worker answers there" in refusal("nonsense")
        other = "tcp://{}".format(os.environ["AWS_ENDPOINT_URL"].removeprefix("http://"))
        assert "no scheduler with a worker answers there" in refusal(other)
