"""The command ``ipmdae``, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from mirror import Mirror
from networks import TINY, random_tensors

from ipmdae import cli, examples, formats, weights
from ipmdae.commands import job
from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile, Preprocessing, write_model
from ipmdae.lab.data import transfer

EXAMPLE = "118e06_excerpt"
SOURCES = str(Path(cli.__file__).parents[1])
NSTDB = "mit-bih-noise-stress-test-database-1.0.0"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    preprocessing = Preprocessing(fs=250.0, window=500, overlap=100)
    tiny = ModelFile(
        name="tiny",
        architecture=TINY,
        preprocessing=preprocessing,
        card={},
        tensors=random_tensors(TINY),
    )
    write_model(path, tiny)
    return path


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten seconds of the example, in a folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    noisy = formats.read(examples.path(EXAMPLE), annotations=False)
    formats.write(noisy.excerpt(0, 10), "noisy")
    return Path("noisy")


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    files = {"RECORDS": b"bw\n", "bw.hea": b"bw 2 360 50000\n", "bw.dat": bytes(150_000)}
    with Mirror("nstdb/1.0.0", files).running() as running:
        yield running


def test_help_lists_the_commands_and_each_has_an_example() -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    for command in (function.__name__ for function in cli.EXAMPLES):
        assert command in shown.output
        assert f"Example: ipmdae {command}" in run(command, "--help").output


def test_python_m_ipmdae_prints_the_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ipmdae", "--version"],
        env=os.environ | {"PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("ipmdae")
    assert done.stderr == ""


def test_help_imports_nothing_heavy() -> None:
    heavy = {"torch", "scipy", "wfdb", "requests", "matplotlib", "pandas", "numpy"}
    program = f"import sys, ipmdae.cli; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": SOURCES},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


def test_the_example_is_copied_and_may_be_copied_again() -> None:
    for _ in range(2):
        assert EXAMPLE in run("example").output
    copied, shipped = formats.read(f"example/{EXAMPLE}"), formats.read(examples.path(EXAMPLE))
    np.testing.assert_array_equal(copied.signal, shipped.signal)
    Path(f"example/{EXAMPLE}.hea").write_text("the user's own")
    assert "is another file" in refused(run("example"))


def test_denoise_writes_what_the_denoiser_gives(record: Path, model: Path) -> None:
    result = run("denoise", record, "-o", "new/folder/cleaned", "--method", model)
    assert result.exit_code == 0, result.output
    assert "noisy: 10.0 s at 360 Hz, 2 of 2 leads cleaned by" in result.stdout
    assert "real-time factor" in result.stdout
    written = formats.read("new/folder/cleaned")
    expected = Denoiser(str(model)).denoise(formats.read(record))
    np.testing.assert_allclose(written.signal, expected.signal, atol=0.5 / 200 + 1e-9)
    assert written.leads == expected.leads


def test_denoise_draws_a_figure(record: Path, model: Path) -> None:
    run("denoise", record, "-o", "cleaned", "--method", model, "--figure", "figures/strips.png")
    assert Path("figures/strips.png").read_bytes().startswith(b"\x89PNG")


def test_denoise_replaces_a_recording_only_when_asked(record: Path, model: Path) -> None:
    command = ("denoise", record, "-o", "cleaned", "--method", model)
    assert run(*command).exit_code == 0
    Path("cleaned.hea").write_text("precious")
    assert "cleaned.hea exists" in refused(run(*command))
    assert Path("cleaned.hea").read_text() == "precious"
    assert run(*command, "--overwrite").exit_code == 0
    assert formats.read("cleaned").samples == 3600


@pytest.mark.parametrize("output", ["noisy", "noisy.hea", "./noisy.dat"])
def test_denoise_never_replaces_its_input(record: Path, model: Path, output: str) -> None:
    result = run("denoise", record, "-o", output, "--method", model, "--overwrite")
    assert "is the recording itself" in refused(result)


def test_denoise_never_replaces_its_input_by_a_folder(record: Path, model: Path) -> None:
    result = run("denoise", record, "-o", ".", "--method", model, "--overwrite")
    assert "is the recording itself" in refused(result)


def test_denoise_names_what_is_missing(record: Path) -> None:
    assert "nowhere" in refused(run("denoise", "nowhere", "-o", "cleaned"))
    result = run("denoise", record, "-o", "cleaned", "--method", "no-such-model")
    assert "no-such-model" in refused(result)
    Path("noisy.dat").unlink()
    assert "noisy.dat" in refused(run("denoise", record, "-o", "cleaned"))
    assert not list(Path().glob("cleaned*"))


@pytest.mark.parametrize(("owner", "function"), [(job, "denoise_file"), (os, "replace")])
def test_an_interrupted_denoise_leaves_nothing(
    record: Path, model: Path, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, function, interrupted)
    before = set(Path().iterdir())
    result = run("denoise", record, "-o", "cleaned", "--method", model)
    assert result.exit_code == 130
    assert result.stderr.startswith("ipmdae: interrupted: ")
    assert set(Path().iterdir()) == before


def test_denoise_prints_warnings_in_one_line(record: Path, model: Path) -> None:
    recording = formats.read(record)
    signal = recording.signal.copy()
    signal[:, 1] = 0.0
    formats.write(recording.with_signal(signal), "flat")
    result = run("denoise", "flat", "-o", "cleaned", "--method", model)
    assert result.exit_code == 0
    assert result.stderr.startswith("ipmdae: warning: ")
    assert "V1" in result.stderr


def test_the_card_of_a_model_is_json(model: Path) -> None:
    result = run("models", str(model))
    card = json.loads(result.stdout)
    assert card["name"] == "tiny"
    assert card["architecture"]["leads"] == 1
    assert card["multiply-accumulates for 5 s of a lead"] > 0


def test_models_are_listed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "__path__", [str(model.parent)])
    assert run("models").output.splitlines()[2].split()[:4] == ["tiny", "1", "250", "2"]
    monkeypatch.setattr(weights, "__path__", [str(model.parent.parent)])
    assert "no model comes with this package" in run("models").output


def test_download_fetches_and_says_what(mirror: Mirror) -> None:
    result = run("download", "nstdb", "--to", "data", "--base-url", mirror.url, "--jobs", 2)
    assert result.exit_code == 0, result.output
    assert "MIT-BIH Noise Stress Test Database: 3 files fetched, 0 were there" in result.stdout
    assert Path("data", NSTDB, "bw.dat").stat().st_size == 150_000


def test_download_tells_of_errors_in_one_line(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "RETRIES", 0)
    mirror.fail("bw.hea", [404])
    assert "bw.hea: the server answers 404 Not Found" in refused(
        run("download", "nstdb", "--base-url", mirror.url)
    )
    assert "unknown database 'svdb'" in refused(run("download", "svdb"))


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_a_signal_leaves_whole_files_and_the_next_download_fetches_the_others(
    mirror: Mirror, name: str, code: int
) -> None:
    mirror.fail("bw.dat", ["stall"])
    command = [sys.executable, "-m", "ipmdae", "download", "nstdb", "--base-url", mirror.url]
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": SOURCES},
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and what they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    folder = Path("datasets", NSTDB)
    while not (len(mirror.answered) == 4 and {"RECORDS", "bw.hea"} <= set(os.listdir(folder))):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(getattr(signal, name))
    _, complaint = process.communicate(timeout=10)  # sooner than a stalled connection is given up
    assert process.returncode == code
    if name == "SIGKILL":
        assert len(os.listdir(folder)) == 3
    else:
        assert complaint.startswith("ipmdae: interrupted: ")
        assert complaint.count("\n") == 1
        assert set(os.listdir(folder)) == {"RECORDS", "bw.hea"}
    mirror.answered.clear()
    assert run("download", "nstdb", "--base-url", mirror.url).exit_code == 0
    assert mirror.answered == ["SHA256SUMS.txt", "bw.dat"]
    assert set(os.listdir(folder)) == mirror.files.keys()
