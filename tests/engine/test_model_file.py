"""Model files: what goes in comes out, and what is damaged is refused by name."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import TINY, random_tensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ipmdae.engine import find_model, open_engine
from ipmdae.engine.model_file import ModelFile, Preprocessing, read_model, write_model

Tensors = dict[str, NDArray[np.float32]]

MODEL = ModelFile(
    name="tiny",
    architecture=TINY,
    preprocessing=Preprocessing(fs=250.0, window=64, overlap=16),
    card={"data": "none", "scores": {"improvement_dB": 1.5}, "author": "Åse"},
    tensors=random_tensors(TINY),
)


CARD = "tiny.json"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    write_model(path, MODEL)
    return path


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def assemble(path: Path, header: Any, payload: bytes = b"", size: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + payload)


def rewrite(path: Path, tensors: Tensors | None = None, **metadata: str | None) -> None:
    """The file again with other tensors, or metadata fields changed or, for None, left out."""
    header, _ = parts(path)
    fields = {**header["__metadata__"], **metadata}
    fields = {name: value for name, value in fields.items() if value is not None}
    save_file(MODEL.tensors if tensors is None else tensors, path, metadata=fields)


def refused(path: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_model(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_written_is_read(path: Path) -> None:
    model = read_model(path)
    assert model.tensors.keys() == MODEL.tensors.keys()
    for name, tensor in MODEL.tensors.items():
        np.testing.assert_array_equal(model.tensors[name], tensor)
        assert model.tensors[name].dtype == np.float32
    assert replace(model, tensors={}) == replace(MODEL, tensors={})


def test_the_metadata_are_plain_json(path: Path) -> None:
    metadata = parts(path)[0]["__metadata__"]
    assert metadata["format"] == "ipmdae-1"
    assert json.loads(metadata["preprocessing"]) == {
        "fs": 250.0,
        "window": 64,
        "overlap": 16,
        "scaling": "robust",
    }


def test_arrays_of_any_memory_order_are_written(tmp_path: Path) -> None:
    tensors = {name: np.asfortranarray(tensor) for name, tensor in MODEL.tensors.items()}
    write_model(tmp_path / "fortran.safetensors", replace(MODEL, tensors=tensors))
    model = read_model(tmp_path / "fortran.safetensors")
    for name, tensor in MODEL.tensors.items():
        np.testing.assert_array_equal(model.tensors[name], tensor)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such model file"):
        read_model(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match="no such model file"):
        read_model(tmp_path)


def changed(**changes: NDArray[Any] | None) -> Tensors:
    tensors = {**MODEL.tensors, **changes}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def with_value(value: float) -> Tensors:
    tensor = MODEL.tensors["encoder.0.weight"].copy()
    tensor[0, 0, 0] = value
    return changed(**{"encoder.0.weight": tensor})


WRONG_TENSORS = {
    "missing": (changed(**{"encoder.1.bias": None}), r"tensor encoder\.1\.bias \(6,\) is missing"),
    "surplus": (changed(extra=np.zeros(2, np.float32)), "tensor extra has no place"),
    "shape": (
        changed(**{"encoder.1.bias": np.zeros(5, np.float32)}),
        r"tensor encoder\.1\.bias has shape \(5,\), expected \(6,\)",
    ),
    "nan": (with_value(np.nan), r"tensor encoder\.0\.weight holds NaN or infinite"),
    "infinite": (with_value(-np.inf), r"tensor encoder\.0\.weight holds NaN or infinite"),
}


@pytest.mark.parametrize("case", WRONG_TENSORS)
def test_wrong_tensors_are_named_on_reading(path: Path, case: str) -> None:
    tensors, message = WRONG_TENSORS[case]
    rewrite(path, tensors)
    refused(path, message)


@pytest.mark.parametrize("case", WRONG_TENSORS)
def test_wrong_tensors_are_named_on_writing(path: Path, case: str) -> None:
    tensors, message = WRONG_TENSORS[case]
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        write_model(path, replace(MODEL, tensors=tensors))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_another_type_is_named(path: Path) -> None:
    tensors = changed(**{"encoder.1.bias": np.zeros(6)})
    with pytest.raises(ValueError, match=r"encoder\.1\.bias is float64, expected float32"):
        write_model(path, replace(MODEL, tensors=tensors))
    rewrite(path, tensors)
    refused(path, r"encoder\.1\.bias is stored as F64, expected F32")


def test_a_type_unknown_to_numpy_is_named(path: Path) -> None:
    header, payload = parts(path)
    header["encoder.1.bias"] |= {"dtype": "F8_E4M3", "shape": [24]}
    assemble(path, header, payload)
    refused(path, r"encoder\.1\.bias is stored as F8_E4M3")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "ipmdae-2"}, "format = 'ipmdae-2', expected 'ipmdae-1'"),
        ({"format": None}, "format = None, expected 'ipmdae-1'"),
        ({"name": None}, "field name is missing"),
        ({"architecture": None}, "field architecture is missing"),
        ({"architecture": "{"}, "field architecture: "),
        ({"architecture": "[1]"}, "field architecture: "),
        ({"architecture": '{"depth": 3}'}, "field architecture: .*depth"),
        ({"architecture": '{"channels": 3}'}, "field architecture: "),
        ({"architecture": '{"leads": 0}'}, "field architecture: leads must be"),
        ({"architecture": '{"channels": [1e3, 1], "branches": [1]}'}, "field architecture: "),
        ({"architecture": '{"d_state": "16"}'}, "field architecture: d_state must be"),
        ({"architecture": '{"pool_cap": 0}'}, "field architecture: pool_cap must be"),
        ({"architecture": '{"attention": "new"}'}, "field architecture: attention must be"),
        (
            {"architecture": '{"channels": [1000000000000, 1], "branches": [1000000000000]}'},
            "tensors are too few",
        ),
        ({"architecture": "[" * 100_000}, "field architecture: "),
        ({"preprocessing": None}, "field preprocessing is missing"),
        ({"preprocessing": "no"}, "field preprocessing is no JSON"),
        ({"preprocessing": "[]"}, "field preprocessing is no JSON object"),
        ({"preprocessing": "{}"}, "field preprocessing: .*fs"),
        ({"preprocessing": '{"fs": 250, "gain": 3}'}, "field preprocessing: gain is unknown"),
        ({"preprocessing": '{"fs": 0, "window": 9, "overlap": 0}'}, "fs must be a positive rate"),
        ({"preprocessing": '{"fs": NaN, "window": 9, "overlap": 0}'}, "fs must be a positive"),
        ({"preprocessing": '{"fs": "a", "window": 9, "overlap": 0}'}, "fs must be a positive"),
        ({"preprocessing": '{"fs": 1, "window": 9.5, "overlap": 0}'}, "window must be a whole"),
        ({"preprocessing": '{"fs": 1, "window": 9, "overlap": 9}'}, "overlap must be at least 0"),
        (
            {"preprocessing": '{"fs": 1, "window": 9, "overlap": 0, "scaling": "z"}'},
            "scaling must be one of robust, got 'z'",
        ),
        ({"card": None}, "field card is missing"),
        ({"card": "{]"}, "field card is no JSON"),
        ({"card": "[" * 100_000}, "field card is no JSON"),
        ({"card": '"text"'}, "field card is no JSON object"),
    ],
    ids=str,
)
def test_wrong_metadata_are_named(path: Path, fields: dict[str, Any], message: str) -> None:
    rewrite(path, **fields)
    refused(path, message)


def test_a_file_without_metadata_is_refused(path: Path) -> None:
    save_file(MODEL.tensors, path)
    refused(path, "format = None")


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -4, -1])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:kept])
    refused(path, "not a readable safetensors file")


HOSTILE: dict[str, Callable[[Any, bytes], tuple[Any, ...]]] = {
    "longer payload": lambda header, payload: (header, payload + b"x"),
    "huge header": lambda header, payload: (header, payload, 2**62),
    "negative header": lambda header, payload: (header, payload, 2**64 - 1),
    "short header": lambda header, payload: (header, payload, 10),
    "no JSON": lambda header, payload: (b"{{{{", payload),
    "no text": lambda header, payload: (b"\xff\xfe\xff\xfe", payload),
    "no object": lambda header, payload: ([1, 2], payload),
    "no tensor": lambda header, payload: (header | {"extra": 1}, payload),
    "metadata of numbers": lambda header, payload: (header | {"__metadata__": {"a": 1}}, payload),
    "deep": lambda header, payload: (b'{"a":' + b"[" * 100_000, payload),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused(path: Path, case: str) -> None:
    assemble(path, *HOSTILE[case](*parts(path)))
    refused(path, "not a readable safetensors file")


@pytest.mark.parametrize(
    "entry",
    [
        {"data_offsets": [0, 24]},
        {"data_offsets": [24, 0]},
        {"data_offsets": [2**40, 2**40 + 24]},
        {"data_offsets": [-24, 0]},
        {"data_offsets": [2**64 - 24, 0]},
        {"data_offsets": "all"},
        {"shape": [-6]},
        {"shape": [2**40, 2**40]},
        {"shape": [7]},
        {"dtype": "F1"},
    ],
    ids=str,
)
def test_a_hostile_tensor_entry_is_refused(path: Path, entry: dict[str, Any]) -> None:
    header, payload = parts(path)
    header["encoder.1.bias"] |= entry
    assemble(path, header, payload)
    refused(path, "not a readable safetensors file")


@pytest.mark.slow
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(position=st.integers(0, 3000) | st.integers(0, 11_000), value=st.integers(0, 255))
def test_a_flipped_byte_never_crashes(path: Path, position: int, value: int) -> None:
    write_model(path, MODEL)
    data = bytearray(path.read_bytes())
    data[position] = value
    path.write_bytes(data)
    try:
        model = read_model(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        windows = np.ones((2, 64, 1), np.float32)
        with np.errstate(all="ignore"):
            assert open_engine(model).run(windows).shape == windows.shape


def test_a_written_model_can_be_read_by_whom_other_new_files_can(
    tiny_model: ModelFile, tmp_path: Path
) -> None:
    write_model(tmp_path / "tiny.safetensors", tiny_model)
    (tmp_path / "other").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_weights_that_are_not_those_of_the_card_beside_them_are_refused(
    path: Path, tmp_path: Path
) -> None:
    card = tmp_path / CARD
    card.write_text(json.dumps({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    assert read_model(path).name == "tiny"
    changed = bytearray(path.read_bytes())
    changed[-2] ^= 1
    path.write_bytes(changed)
    refused(path, r"SHA-256 is not the one in its card tiny\.json")
    wrong: list[object] = ["0" * 64, "", None, 5, []]
    for sha256 in wrong:
        card.write_text(json.dumps({"sha256": sha256}))
        refused(path, "SHA-256")


@pytest.mark.parametrize("text", ["", "{}", "[]", "5", "[" * 100_000, '{"epochs": 3}', "\xff"])
def test_a_neighbour_that_states_no_digest_is_no_card(
    path: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / CARD).write_text(text, encoding="latin-1")
    assert read_model(path).name == "tiny"
    write_model(path, replace(MODEL, name="other"))
    assert (tmp_path / CARD).read_text(encoding="latin-1") == text


def test_the_card_of_weights_that_are_replaced_goes_with_them(path: Path, tmp_path: Path) -> None:
    card = tmp_path / CARD
    card.write_text(json.dumps({"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    assert read_model(path).name == "tiny"
    write_model(path, replace(MODEL, name="other"))
    assert not card.exists()
    assert read_model(path).name == "other"


def test_a_folder_does_not_hide_a_model_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ipmdae-nano").mkdir()
    assert read_model(find_model("ipmdae-nano")).name == "ipmdae-nano"
