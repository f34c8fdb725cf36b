"""The torch network: equal to the reference, of its size, and able to take any window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import TINY, random_tensors, reference_io, reference_tensors

from ipmdae.architecture import Architecture
from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.engine.shapes import expected_shapes
from ipmdae.lab.networks import registry
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.nn.mf_ipm import average_pool, upsample


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_equals_the_reference(case: str) -> None:
    network = checkpoints.from_tensors_of_reference(reference_tensors())
    expected = reference_io()[f"y_{case}"]
    with torch.inference_mode():
        output = network(torch.from_numpy(reference_io()[f"x_{case}"])).numpy()
    assert np.abs(output - expected).max() <= 1e-5 * expected.std()


def test_has_as_many_parameters_as_published() -> None:
    def size(architecture: Architecture) -> int:
        return sum(p.numel() for p in UltralightIPMDAE(architecture).parameters())

    assert size(Architecture(unused_projections=True)) == 1_279_238
    assert size(Architecture()) == 1_266_950


@pytest.mark.parametrize("name", registry.ARCHITECTURES)
def test_tensors_have_the_names_and_shapes_of_a_model_file(name: str) -> None:
    network = registry.build(name)
    shapes = {key: tuple(t.shape) for key, t in network.state_dict().items()}
    assert shapes == expected_shapes(registry.architecture(name))


VARIANTS = {
    "code": TINY,
    "figure": replace(TINY, attention="figure", fusion="figure", pool_cap=None),
    "three leads, wide kernel": replace(TINY, leads=3, kernel=5),
    "residual": replace(TINY, leads=2, residual=True),
    "uncertainty, a plain skip": replace(TINY, uncertainty=True, branches=(0, 2)),
    "all of ours": replace(TINY, leads=2, residual=True, uncertainty=True, branches=(0, 0)),
}


@pytest.mark.parametrize("architecture", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("samples", [1, 2, 3, 7, 16, 33, 100])
def test_any_length_runs_and_agrees_with_the_numpy_network(
    architecture: Architecture, samples: int
) -> None:
    tensors = random_tensors(architecture)
    network = UltralightIPMDAE(architecture)
    checkpoints.load_tensors(network, tensors)
    x = np.random.default_rng(samples).standard_normal((2, samples, architecture.leads))
    with torch.inference_mode():
        output = network.double()(torch.from_numpy(x)).numpy()
    expected = NumpyNetwork(architecture, tensors, np.float64).run(x)
    assert output.shape == (2, samples, architecture.outputs)
    np.testing.assert_allclose(output, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 0, 2), (1, 8, 3), (8, 2)])
def test_windows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected windows of shape"):
        UltralightIPMDAE()(torch.zeros(shape))


def test_gradients_reach_every_weight() -> None:
    network = UltralightIPMDAE(TINY)
    network(torch.randn(2, 40, 1)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_pooling_drops_a_remainder_and_upsampling_fills_it_with_zeros() -> None:
    x = torch.arange(7.0).reshape(1, 7, 1)
    pooled = average_pool(x, 2)
    assert pooled.flatten().tolist() == [0.5, 2.5, 4.5]
    assert upsample(pooled, 2, 7).flatten().tolist() == [0.5, 0.5, 2.5, 2.5, 4.5, 4.5, 0.0]


def test_checkpoint_of_the_public_implementation_loads(tmp_path: Path) -> None:
    state = {
        f"model.{name}": torch.from_numpy(np.array(t)) for name, t in reference_tensors().items()
    }
    torch.save({"epoch": 1, "state_dict": state, "callbacks": {}}, tmp_path / "last.ckpt")
    network = checkpoints.load_reference(tmp_path / "last.ckpt")
    expected = checkpoints.from_tensors_of_reference(reference_tensors()).state_dict()
    assert all(torch.equal(t, expected[name]) for name, t in network.state_dict().items())
    assert not network.training


def test_broken_checkpoints_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt"):
        checkpoints.load_reference(tmp_path / "none.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(ValueError, match=r"text\.ckpt is not a checkpoint"):
        checkpoints.load_reference(tmp_path / "text.ckpt")
    state = {name: torch.from_numpy(np.array(t)) for name, t in reference_tensors().items()}
    del state["skip_layer_2.mamba.D"]
    torch.save({"state_dict": state}, tmp_path / "missing.ckpt")
    with pytest.raises(ValueError, match=r"skip_layer_2\.mamba\.D"):
        checkpoints.load_reference(tmp_path / "missing.ckpt")


def test_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"model.x": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="does not fit the network"):
        checkpoints.load_weights(UltralightIPMDAE(TINY), tmp_path / "other.ckpt")


def test_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="Ultralight_IPM_DAE"):
        registry.build("nothing")
