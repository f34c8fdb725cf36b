"""Weights in and out: the public implementation's checkpoints, ours, released runs, model files."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ipmdae.engine.model_file import ModelFile
from ipmdae.files import replacing
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.nn.reference_names import from_reference, infer_architecture

#: Lightning puts the attribute's name before those of the network's tensors.
_PREFIX = "model."


def load_reference(path: str | os.PathLike[str]) -> UltralightIPMDAE:
    """The network in a checkpoint file of the paper's public implementation.

    Args:
        path: a Lightning ``.ckpt``, or a plain ``state_dict`` saved by torch.

    Returns:
        The network in evaluation mode, on the CPU. The three matrices that the public
        implementation owns and never calls are kept where the file has them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or is not such a network; names the tensor at fault.
    """
    state = {name: _as_numpy(tensor) for name, tensor in _read_state(Path(path)).items()}
    return from_tensors_of_reference(state)


def from_tensors_of_reference(tensors: Mapping[str, NDArray[Any]]) -> UltralightIPMDAE:
    """As :func:`load_reference`, from tensors by the public implementation's names."""
    architecture = infer_architecture(tensors)
    network = UltralightIPMDAE(architecture)
    load_tensors(network, from_reference(tensors, architecture))
    return network.eval()


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Put the weights of a Lightning checkpoint, or of a released run, into ``network``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read or its tensors are not the network's.
    """
    state = {name.removeprefix(_PREFIX): t for name, t in _read_state(Path(path)).items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network: {error}") from error


def release_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of ``network`` as safetensors, matrices in half precision."""
    state = {
        name: tensor.detach().to(torch.float16 if tensor.ndim > 1 else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    with replacing(path) as aside:
        save_file(state, aside)


def from_model_file(model: ModelFile) -> UltralightIPMDAE:
    """The torch network of a model file, in evaluation mode."""
    network = UltralightIPMDAE(model.architecture)
    load_tensors(network, model.tensors)
    return network.eval()


def load_tensors(network: nn.Module, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Put NumPy tensors by our names into ``network``."""
    network.load_state_dict({name: torch.from_numpy(np.array(t)) for name, t in tensors.items()})


def tensors_of(network: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The network's weights as float32 NumPy arrays by our names."""
    return {name: _as_numpy(tensor) for name, tensor in network.state_dict().items()}


def read_checkpoint(path: Path) -> Any:
    """The content of a checkpoint of torch: tensors and plain values; no code is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds anything else, such as code.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a checkpoint of tensors and plain values only; its other content could "
            "be code, which is not executed"
        ) from error
    except Exception as error:  # of many types, for content that torch did not write
        raise ValueError(f"{path} is damaged or no checkpoint of torch: {error}") from error


def _read_state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged or no file of safetensors: {error}") from error
    content = read_checkpoint(path)
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"{path} holds no network's state_dict")
    return state


def _as_numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().to("cpu", torch.float32).numpy()
    return array
