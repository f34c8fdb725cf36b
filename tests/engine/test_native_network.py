"""The native network: equal to the reference for any processor, batch and number of threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import TINY, random_tensors, reference_io, reference_tensors
from numpy.typing import NDArray

from ipmdae import native
from ipmdae.architecture import Architecture
from ipmdae.engine import native as native_engine
from ipmdae.engine.native import NativeNetwork
from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture

Array = NDArray[np.float32]
Tensors = dict[str, Array]
Threads = Callable[[int | None], None]

pytestmark = pytest.mark.skipif(not native.available(), reason="the native library is not built")

#: Sizes that fill no vector of any processor.
ODD = Architecture(leads=2, channels=(12, 24, 30), branches=(1, 3), d_state=5)
VARIANTS = [
    ODD,
    replace(ODD, kernel=5),
    replace(ODD, kernel=9),
    replace(ODD, pool_cap=None),
    replace(ODD, pool_cap=3),
    replace(ODD, expand=1),
    replace(ODD, expand=3),
    replace(ODD, d_conv=1),
    replace(ODD, d_conv=60),
    replace(ODD, d_state=16),
    replace(ODD, d_state=35),
    replace(ODD, attention="figure"),
    replace(ODD, fusion="figure"),
    replace(ODD, unused_projections=True),
    replace(ODD, residual=True),
    replace(ODD, uncertainty=True),
    replace(ODD, residual=True, uncertainty=True, branches=(0, 3)),
    replace(ODD, channels=(12, 25, 30), branches=(0, 0), leads=3, residual=True, uncertainty=True),
    replace(ODD, channels=(20,), branches=()),
    replace(ODD, channels=(32, 64), branches=(1,)),
    replace(ODD, channels=(48, 40, 80, 33), branches=(4, 5, 10)),
    replace(ODD, channels=(16, 24, 32, 48, 64, 96), branches=(1, 2, 2, 3, 4), kernel=5, d_state=8),
]
LENGTHS = [*range(1, 10), 31, 32, 33, 100, 257]


def windows(batch: int, length: int, leads: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((batch, length, leads)).astype(np.float32)


def network(architecture: Architecture = ODD) -> NativeNetwork:
    return NativeNetwork(architecture, random_tensors(architecture))


@cache
def reference() -> tuple[Architecture, Tensors]:
    architecture = infer_architecture(reference_tensors())
    return architecture, from_reference(reference_tensors(), architecture)


def assert_near(y: Array, expected: NDArray[np.floating[Any]], bound: float = 1e-5) -> None:
    assert y.dtype == np.float32
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= bound * expected.std()


def assert_near_oracle(
    architecture: Architecture, batch: int, length: int, bound: float = 1e-5
) -> None:
    x = windows(batch, length, architecture.leads)
    oracle = NumpyNetwork(architecture, random_tensors(architecture), np.float64)
    assert_near(network(architecture).run(x), oracle.run(x), bound)


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_equal_to_the_reference(case: str) -> None:
    assert_near(
        NativeNetwork(*reference()).run(reference_io()[f"x_{case}"]), reference_io()[f"y_{case}"]
    )


@pytest.mark.parametrize("architecture", VARIANTS, ids=str)
def test_equal_to_the_oracle(architecture: Architecture) -> None:
    for length in (2, 75):
        assert_near_oracle(architecture, 4, length)


@pytest.mark.parametrize("length", LENGTHS)
def test_any_length(length: int) -> None:
    assert_near_oracle(ODD, 4, length)


@pytest.mark.parametrize("length", [625, 1250, 2048, 2500, 3333, 4999, 5000])
def test_long_windows(length: int) -> None:
    assert_near_oracle(replace(ODD, channels=(8, 12, 16), branches=(1, 2)), 1, length)


@pytest.mark.parametrize("leads", range(1, 13))
def test_any_number_of_leads(leads: int) -> None:
    assert_near_oracle(replace(ODD, leads=leads), 3, 43)


@settings(max_examples=10, deadline=None)
@given(variant=st.sampled_from(VARIANTS), length=st.integers(16, 1500), leads=st.integers(1, 12))
def test_any_network_of_any_length_and_leads(
    variant: Architecture, length: int, leads: int
) -> None:
    # Among very many, some have a sample whose channels are all but equal: its norm magnifies what
    # is rounded, up to eps^-1/2 = 300 times.
    assert_near_oracle(replace(variant, leads=leads), 4, length, bound=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize("instruction_set", ["generic", "sse42", "avx2", "avx512"])
def test_all_of_these_with_every_instruction_set(instruction_set: str) -> None:
    environment = {**os.environ, "IPMDAE_ISA": instruction_set}
    known = [sys.executable, "-c", "from ipmdae import native; native.library()"]
    if subprocess.run(known, env=environment, capture_output=True, check=False).returncode:
        pytest.skip(f"this processor does not run {instruction_set}")
    others = ["-p", "no:cacheprovider", "-k", "not instruction_set"]
    command = [sys.executable, "-m", "pytest", "-q", __file__, *others]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def threads() -> Iterator[Threads]:
    yield native.set_threads
    native.set_threads(None)


def test_a_window_does_not_depend_on_threads_or_its_batch(threads: Threads) -> None:
    x = windows(19, 300, 2)
    engine = network()
    threads(1)
    alone = np.concatenate([engine.run(x[i : i + 1]) for i in range(len(x))])
    for number in range(1, 9):
        threads(number)
        np.testing.assert_array_equal(engine.run(x), alone)
    np.testing.assert_array_equal(np.concatenate([engine.run(x[:7]), engine.run(x[7:])]), alone)


def test_callers_may_share_a_network(threads: Threads) -> None:
    threads(2)
    engine = network()
    inputs = [windows(3, 20 + 17 * i, 2, seed=i) for i in range(12)]
    expected = [engine.run(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for y, alone in zip(pool.map(engine.run, inputs), expected, strict=True):
                np.testing.assert_array_equal(y, alone)


def test_a_nan_spoils_its_own_window_only(threads: Threads) -> None:
    threads(1)
    x, engine = windows(3, 60, 2), network()
    expected = engine.run(x)
    x[1, 30] = np.nan
    y = engine.run(x)
    np.testing.assert_array_equal(y[[0, 2]], expected[[0, 2]])
    assert np.isnan(y[1]).any()
    x[1] = 0
    assert np.isfinite(engine.run(x)).all()


@pytest.mark.parametrize("scale", [0, 1e-30, 1e30, -1e30])
def test_extreme_inputs_stay_finite(scale: float) -> None:
    x = (windows(2, 100, 2) * np.float32(scale)).astype(np.float32)
    assert np.isfinite(network().run(x)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-42, 0])
def test_extreme_weights_crash_nothing(value: float) -> None:
    tensors = {name: np.full_like(tensor, value) for name, tensor in random_tensors(ODD).items()}
    assert NativeNetwork(ODD, tensors).run(windows(2, 100, 2)).shape == (2, 100, 2)


def test_no_windows() -> None:
    assert network().run(windows(0, 10, 2)).shape == (0, 10, 2)


@pytest.mark.parametrize("shape", [(10,), (10, 2), (1, 0, 2), (1, 10, 1)])
def test_wrong_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, time, leads\) with 2 leads"):
        network().run(np.zeros(shape, np.float32))


def test_any_layout_and_dtype() -> None:
    x, engine = windows(4, 50, 2), network()
    expected = engine.run(x)
    np.testing.assert_array_equal(engine.run(np.asfortranarray(x)), expected)
    np.testing.assert_array_equal(engine.run(x.astype(np.float64)), expected)
    np.testing.assert_array_equal(engine.run(np.repeat(x, 2, axis=0)[::2]), expected)
    tensors = {name: tensor.astype(np.float64) for name, tensor in random_tensors(ODD).items()}
    np.testing.assert_array_equal(NativeNetwork(ODD, tensors).run(x), expected)


def test_weights_are_copied() -> None:
    tensors, x = random_tensors(ODD), windows(1, 50, 2)
    engine = NativeNetwork(ODD, tensors)
    before = engine.run(x)
    for tensor in tensors.values():
        tensor[...] = np.nan
    np.testing.assert_array_equal(engine.run(x), before)


def test_a_missing_tensor_is_named() -> None:
    tensors = random_tensors(TINY)
    del tensors["decoder.1.bias"]
    with pytest.raises(ValueError, match=r"decoder\.1\.bias .*missing"):
        NativeNetwork(TINY, tensors)


def test_too_many_stages_are_refused() -> None:
    deep = Architecture(leads=1, channels=(1,) * 33, branches=(1,) * 32)
    with pytest.raises(ValueError, match="up to 32 stages"):
        network(deep)


@pytest.mark.parametrize("description", [[], [1, 3], [2, 3, 4, 16, 4, 2, 0, 0, 0, 0, 0, 1, 8, 9]])
def test_a_wrong_description_is_refused(description: list[int]) -> None:
    with pytest.raises(ValueError, match="tensors of the description"):
        native.network_open(description, [])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(-1, 9) | st.sampled_from([2**20, 2**31 - 1, -(2**31)]), max_size=20),
    st.integers(0, 2),
)
def test_no_description_is_followed_without_its_tensors(
    description: list[int], stages: int
) -> None:
    with pytest.raises(ValueError, match="tensors of the description"):
        native.network_open([*description[:11], stages, *description[11:]], [])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_tensors_of_other_sizes_are_refused(data: st.DataObject) -> None:
    architecture = data.draw(st.sampled_from([ODD, TINY, replace(ODD, fusion="figure")]))
    tensors = [tensor.ravel() for tensor in random_tensors(architecture).values()]
    description = native_engine._description(architecture)
    native.network_close(native.network_open(description, tensors))
    place = data.draw(st.integers(0, len(tensors) - 1))
    size = data.draw(st.integers(0, 2 * tensors[place].size + 2))
    if size == tensors[place].size:
        del tensors[place]
    else:
        tensors[place] = np.zeros(size, np.float32)
    with pytest.raises(ValueError, match="tensors of the description"):
        native.network_open(description, tensors)


@pytest.mark.parametrize("shape", [(2, 50, 1), (2, 50, 3), (2, 0, 2)])
def test_windows_of_other_sizes_are_refused(shape: tuple[int, ...]) -> None:
    description = native_engine._description(ODD)
    handle = native.network_open(description, list(random_tensors(ODD).values()))
    x = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match="do not fit the network's leads and outputs"):
        native.network_run(handle, x, np.zeros((2, 50, 2), np.float32))
    with pytest.raises(ValueError, match="do not fit the network's leads and outputs"):
        native.network_run(handle, np.zeros((2, 50, 2), np.float32), x)
    native.network_close(handle)


def test_a_library_of_another_version_is_not_called(tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a compiler")
    source = tmp_path / "old.cpp"
    for version in ("", 'extern "C" int ipmdae_interface() { return 1; }'):
        source.write_text(f"int other;\n{version}\n")
        library = tmp_path / f"old{len(version)}.so"
        subprocess.run([compiler, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        code = "from ipmdae import native; print(native.available())"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"IPMDAE_NATIVE": str(library)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "False\n"
        assert "is of another version of ipmdae" in done.stderr


def test_a_window_beyond_the_memory_is_refused() -> None:
    description = [1, 3, 4, 1, 1, 1, 0, 0, 0, 0, 0, 1, 8]
    handle = native.network_open(description, list(_one_stage().values()))
    endless = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, 2**40, 1), (0, 0, 0))
    with pytest.raises(MemoryError, match="shorter"):
        native.network_run(handle, endless, endless)
    native.network_close(handle)


def _one_stage() -> Tensors:
    return random_tensors(Architecture(leads=1, channels=(8,), branches=()))
