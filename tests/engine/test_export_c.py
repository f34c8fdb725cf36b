"""The exported C network: equal to the engine on this machine and on Arm boards in QEMU."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import command_line
import numpy as np
import pytest
from excerpts import NSTDB, QTDB
from networks import TINY, model_of
from numpy.typing import NDArray
from typer.testing import Result

from ipmdae import examples, formats
from ipmdae.architecture import Architecture
from ipmdae.embedded import LATENCY, file_names, framing_of, rounded, write_c
from ipmdae.engine import ModelFile, model_path, open_engine, read_model, write_model
from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation.metrics import snr
from ipmdae.lab.protocols.clinic_test import add_noise
from ipmdae.pipeline.resample import resample
from ipmdae.pipeline.window import Framing
from tools.microcontroller import build, reference

Array = NDArray[np.float32]

PARITY = 5e-5  # standard deviations of the output
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NANO = read_model(model_path("ipmdae-nano"))
WHOLE = Framing.overlapping(
    NANO.preprocessing.window,
    NANO.preprocessing.overlap,
    shortest=750,
    step=2 ** len(NANO.architecture.channels),
)

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
needs_boards = pytest.mark.skipif(
    bool(build.missing_tools()), reason=f"needs {build.missing_tools()}"
)


@pytest.fixture(scope="module")
def noisy() -> Array:
    """A minute of an ambulatory lead with electrode motion, 250 Hz."""
    recording = formats.read(examples.path("118e06_excerpt"), annotations=False)
    return np.asarray(resample(recording.signal[:, 0], recording.fs, 250), np.float32)


@pytest.fixture(scope="module", params=["float32", "int8"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelFile]:
    """The header of ipmdae-nano, and the model with the weights that it has."""
    folder = tmp_path_factory.mktemp(request.param)
    write_c(folder, NANO, weights=request.param)
    tensors = rounded(NANO.tensors) if request.param == "int8" else NANO.tensors
    return folder / "ipmdae_nano.h", replace(NANO, tensors=tensors)


@pytest.fixture(scope="module")
def sanitized(exported: tuple[Path, ModelFile]) -> Path:
    """Program of ipmdae-nano that ends at undefined behaviour."""
    return build.build_host(exported[0], SANITIZED)


def expected(model: ModelFile, samples: Array, latency: float = LATENCY) -> Array:
    return reference.denoise(open_engine(model), samples, framing_of(model, latency))


def assert_equal(y: Array, oracle: Array) -> None:
    """Both (time, 2): within PARITY where the oracle is not NaN, and NaN there."""
    assert y.shape == oracle.shape
    for ours, exact in zip(y.T, oracle.T, strict=True):
        limit = PARITY * float(np.nan_to_num(exact).std())
        np.testing.assert_allclose(ours, exact, rtol=0, atol=limit)


def with_gaps(samples: Array) -> Array:
    """Gaps at the beginning, within a window, longer than a window, and at the end."""
    x: Array = samples[:12_000].copy()
    for first, stop in ((0, 300), (2_000, 2_001), (3_000, 9_000), (11_990, 12_000)):
        x[first:stop] = np.nan
    return x


@pytest.mark.slow
@needs_cc
def test_equal_to_the_engine_in_blocks_of_any_size(
    exported: tuple[Path, ModelFile], sanitized: Path, noisy: Array
) -> None:
    _, model = exported
    one, other = (build.run_host(sanitized, noisy, seed) for seed in (1, 2))
    np.testing.assert_array_equal(one, other)
    assert_equal(one, expected(model, noisy))
    gaps = with_gaps(noisy)
    assert_equal(build.run_host(sanitized, gaps), expected(model, gaps))
    for length in (1, 40, 499, 500, 501, 751, 4_999, 5_250):
        some = noisy[1_000 : 1_000 + length]
        assert_equal(build.run_host(sanitized, some), expected(model, some))


@needs_cc
def test_input_of_any_kind(exported: tuple[Path, ModelFile], sanitized: Path, noisy: Array) -> None:
    _, model = exported
    for x in (np.full(6_000, 3.25, np.float32), np.full(6_000, np.nan, np.float32), noisy[:0]):
        y = build.run_host(sanitized, x)
        np.testing.assert_array_equal(y[:, 0], x - 3.25 if len(x) else x)
        assert not np.nan_to_num(y[:, 1]).any()
    x = noisy[:6_000].copy()
    x[1_000::1_000] = np.inf, -np.inf, 2e6, -2e6, 1e30
    hidden = np.where(np.abs(x) > 1e6, np.float32(np.nan), x)
    assert_equal(build.run_host(sanitized, x), expected(model, hidden))
    x[1_000::1_000] = 1e6, -1e6, 1e5, 1e-38, 300.0
    assert np.isfinite(build.run_host(sanitized, x)).all()


@pytest.mark.slow
@needs_cc
def test_loss_of_snr_is_small(exported: tuple[Path, ModelFile], sanitized: Path) -> None:
    header, _ = exported
    engine, noise = open_engine(NANO), nstdb.load(NSTDB, 250)
    losses = []
    for record in ("sel36", "sele0122"):
        lead = qtdb.read_centred(QTDB, record)[:, 0].astype(np.float64)
        for kind in nstdb.KINDS:
            mixed = add_noise(lead, np.resize(noise.signals[kind][:, 0], len(lead)), 0)
            x = mixed.astype(np.float32)
            outputs = build.run_host(sanitized, x), reference.denoise(engine, x, WHOLE)
            ours, full = (
                float(snr(lead[None, :, None], y[None, :, :1], centred=True)[0]) for y in outputs
            )
            losses.append(full - ours)
    assert np.mean(losses) <= (0.1 if "float32" in str(header) else 0.3)


VARIANTS = [
    TINY,
    replace(TINY, kernel=5, d_conv=1, expand=3, residual=True, uncertainty=True),
    Architecture(
        leads=1,
        channels=(3, 4, 6, 9, 5),
        branches=(0, 2, 3, 3),
        pool_cap=None,
        unused_projections=True,
        uncertainty=True,
    ),
]


@pytest.mark.slow
@needs_cc
@pytest.mark.parametrize("architecture", VARIANTS)
def test_other_architectures(architecture: Architecture, tmp_path: Path, noisy: Array) -> None:
    model = model_of(architecture)
    model = replace(model, preprocessing=replace(model.preprocessing, window=1_111))
    write_c(tmp_path, model, max_latency=0.7)
    program = build.build_host(tmp_path / "random.h", SANITIZED)
    assert_equal(build.run_host(program, noisy[:4_000]), expected(model, noisy[:4_000], 0.7))


@pytest.mark.slow
@needs_boards
@pytest.mark.parametrize("board", build.BOARDS)
def test_goals_on_a_board(exported: tuple[Path, ModelFile], noisy: Array, board: str) -> None:
    header, model = exported
    measured = build.run_board(build.BOARDS[board], header, noisy[:6_000])
    assert_equal(measured.output, expected(model, noisy[:6_000]))
    assert measured.flash <= 128_000
    assert measured.ram <= 64_000
    seconds = framing_of(model, LATENCY).hop / model.preprocessing.fs
    assert measured.instructions / seconds <= 20e6


@needs_cc
def test_the_main_loop_of_the_docs_compiles(tmp_path: Path) -> None:
    state = write_c(tmp_path, NANO).state
    page = Path(__file__).parents[2] / "docs" / "howto" / "microcontroller.md"
    (loop,) = re.findall(r"^```c\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    size = f"typedef char size[sizeof(ipmdae) == {state} ? 1 : -1];\n"
    (tmp_path / "loop.c").write_text(loop + size)
    subprocess.run(["cc", *build.STRICT, "-c", "loop.c"], cwd=tmp_path, check=True)


def run(*arguments: object) -> Result:
    return command_line.run("export", *arguments)


@needs_cc
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("ipmdae-nano", "--to", "c", "-o", "new/firmware", "--weights", "int8")
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert "25 kB of constants, 53 kB of RAM" in " ".join(done.output.split())
    build.build_host(Path("new/firmware/ipmdae_nano.h").absolute())
    assert "ipmdae_nano.h exists: choose another name" in run(*command).stderr
    assert run(*command, "--overwrite", "--max-latency", "1").exit_code == 0
    assert "#define IPMDAE_HOP 126" in Path("new/firmware/ipmdae_nano.h").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leads": 2}, "one lead only"),
        ({"fusion": "figure"}, "figure"),
        ({"branches": (2, 0)}, "modules on the deepest stages"),
        ({"branches": (0, 0)}, "modules on the deepest stages"),
    ],
)
def test_what_c_cannot_do(
    change: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = model_of(replace(TINY, **change))  # type: ignore[arg-type]
    write_model("model.safetensors", model)
    done = run("model.safetensors", "--to", "c", "-o", "firmware", "--max-latency", "0.25")
    assert done.exit_code == 1
    assert message in done.stderr
    assert not Path("firmware").exists()


def test_refused_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "too short" in run("ipmdae-nano", "--to", "c", "-o", "x", "--max-latency", "0.1").stderr
    assert "too long" in run("ipmdae-nano", "--to", "c", "-o", "x", "--max-latency", "20").stderr
    Path("file").touch()
    assert "file is a file" in run("ipmdae-nano", "--to", "c", "-o", "file").stderr
    onnx = run("ipmdae-nano", "--to", "onnx", "-o", "x", "--weights", "int8")
    assert "for --to c only" in onnx.stderr
    assert file_names(replace(NANO, name='a "b"*/ü')) == ("a__b____.h", "a__b____.c")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
