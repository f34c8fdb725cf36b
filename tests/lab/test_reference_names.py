"""The reference's checkpoints under our names, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from networks import TINY, random_tensors, reference_tensors
from numpy.typing import NDArray

from ipmdae.architecture import Architecture
from ipmdae.lab.nn.reference_names import (
    from_reference,
    infer_architecture,
    reference_name,
    reference_shapes,
)

REFERENCE = Architecture(unused_projections=True)


def to_reference(
    tensors: Mapping[str, NDArray[np.float32]], architecture: Architecture
) -> dict[str, NDArray[np.float32]]:
    """Our tensors under the names and with the shapes of the public implementation."""
    shapes = reference_shapes(architecture)
    named = {reference_name(name): tensor for name, tensor in tensors.items()}
    return {name: tensor.reshape(shapes[name]) for name, tensor in named.items()}


def test_names_and_shapes_are_those_of_the_reference() -> None:
    shapes = {name: tensor.shape for name, tensor in reference_tensors().items()}
    assert reference_shapes(REFERENCE) == shapes


def test_there_and_back_changes_nothing() -> None:
    tensors = from_reference(reference_tensors(), REFERENCE)
    back = to_reference(tensors, REFERENCE)
    assert back.keys() == reference_tensors().keys()
    for name, tensor in reference_tensors().items():
        np.testing.assert_array_equal(back[name], tensor, err_msg=name)


def test_layers_land_where_they_belong() -> None:
    theirs = reference_tensors()
    ours = from_reference(theirs, REFERENCE)
    for name, reference in {
        "encoder.4.weight": "enc_conv_5.conv.weight",
        "decoder.0.bias": "dec_trsc_1.conv_trans.bias",
        "skips.3.A_log_forward.7": "skip_layer_4.A_list_1.7",
        "skips.3.A_log_backward.0": "skip_layer_4.A_list_2.0",
        "skips.1.fusion.key.weight": "skip_layer_2.attention_layer.wk.weight",
        "skips.0.mamba_backward.D": "skip_layer_1.mamba_r.D",
        "skips.0.skip_scale": "skip_layer_1.skip_scale",
    }.items():
        np.testing.assert_array_equal(ours[name], theirs[reference])
    np.testing.assert_array_equal(
        ours["skips.2.project.1.weight"], theirs["skip_layer_3.conv_chunk.1.0.weight"][:, :, 0]
    )
    np.testing.assert_array_equal(
        ours["skips.2.attention.3.squeeze.weight"],
        theirs["skip_layer_3.local_attn.3.fc.0.weight"][:, :, 0],
    )
    np.testing.assert_array_equal(
        ours["skips.0.mamba_forward.conv1d.weight"],
        theirs["skip_layer_1.mamba.conv1d.weight"][:, 0],
    )


def test_the_prefix_of_lightning_is_accepted() -> None:
    prefixed = {f"model.{name}": tensor for name, tensor in reference_tensors().items()}
    assert infer_architecture(prefixed) == REFERENCE
    bare = from_reference(reference_tensors(), REFERENCE)
    assert from_reference(prefixed, REFERENCE).keys() == bare.keys()


@pytest.mark.parametrize(
    "architecture",
    [
        REFERENCE,
        Architecture(),
        replace(REFERENCE, leads=12, kernel=5),
        replace(TINY, pool_cap=4, expand=3),
        replace(TINY, pool_cap=4, d_state=1, d_conv=4),
    ],
)
def test_the_architecture_is_in_the_shapes(architecture: Architecture) -> None:
    theirs = to_reference(random_tensors(architecture), architecture)
    assert infer_architecture(theirs) == architecture


@pytest.mark.parametrize(
    "name", ["enc_conv_1.conv.weight", "skip_layer_1.A_list_1.0", "skip_layer_4.mamba.D"]
)
def test_a_missing_tensor_is_named(name: str) -> None:
    tensors = dict(reference_tensors())
    del tensors[name]
    with pytest.raises(ValueError, match=f"{name} .*missing"):
        from_reference(tensors, REFERENCE)
    with pytest.raises(ValueError, match=r"missing|stages need"):
        infer_architecture(tensors)


def test_a_surplus_tensor_is_named() -> None:
    tensors = {**reference_tensors(), "head.weight": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match=r"head\.weight has no place"):
        from_reference(tensors, REFERENCE)
    with pytest.raises(ValueError, match=r"head\.weight has no place"):
        infer_architecture(tensors)


def test_a_wrong_shape_is_named() -> None:
    tensors = {**reference_tensors(), "dec_trsc_5.conv_trans.bias": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match=r"dec_trsc_5\.conv_trans\.bias has shape \(3,\)"):
        infer_architecture(tensors)


@pytest.mark.parametrize(
    "name",
    ["enc_conv_2.conv.weight", "skip_layer_1.A_list_1.0", "skip_layer_1.conv_chunk.0.0.weight"],
)
def test_a_wrong_number_of_axes_is_named(name: str) -> None:
    tensors = {**reference_tensors(), name: np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match=f"{name} has 1 axes"):
        infer_architecture(tensors)


def test_what_is_no_network_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"enc_conv_1\.conv\.weight is missing"):
        infer_architecture({})
