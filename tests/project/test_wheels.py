"""The checks of wheels: on one made of the library in place, and on what may go wrong with it.

The wheels of all platforms are built, checked and run by ``python -m tools.build_release --run``.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ipmdae import native

pytest.importorskip("lief")
from tools.check_wheel import WheelError, check_wheel, read_library
from tools.interface import interface

X86_LINUX = sys.platform == "linux" and native.available()
LINUX = "manylinux_2_99_x86_64"

built = pytest.mark.skipif(
    not X86_LINUX or native.instruction_set() == "generic",
    reason="needs the native library, for Linux on x86-64",
)


def library() -> bytes:
    loaded = native.library()
    assert loaded is not None
    return Path(loaded._name).read_bytes()


def wheel(
    folder: Path,
    platform: str = LINUX,
    content: bytes | None = None,
    stated: str | None = None,
    spoil: dict[str, bytes] | None = None,
) -> Path:
    """A wheel of one library, with what its WHEEL states, and a file changed after RECORD."""
    tag = f"py3-none-{platform}"
    info = "ultralight_ipm_dae-1.dist-info"
    files = {
        "ipmdae/_native/libipmdae.so": library() if content is None else content,
        f"{info}/WHEEL": f"Tag: {stated or tag}\n".encode(),
    }
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"ultralight_ipm_dae-1-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files | (spoil or {})).items():
            archive.writestr(name, data)
    return path


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def test_the_header_names_what_python_calls() -> None:
    assert interface() == {*native._SIGNATURES, "ipmdae_interface"}


@built
def test_a_wheel_of_the_library_in_place_passes(tmp_path: Path) -> None:
    found = check_wheel(wheel(tmp_path))
    assert found.machine == "X86_64"
    assert found.exports == interface()
    assert found.size == len(library())


@built
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"platform": "manylinux_2_99_aarch64"}, "machine: expected AARCH64, found X86_64"),
        ({"platform": "manylinux_2_1_x86_64"}, r"needs \(2, \d+\), the tag allows \(2, 1\)"),
        ({"stated": "py3-none-any"}, "WHEEL: expected"),
        ({"spoil": {"ipmdae/_native/libipmdae.so": b""}}, r"libipmdae\.so: expected"),
        ({"spoil": {"ipmdae/more.py": b""}}, "files of RECORD: expected"),
        ({"content": b"no library"}, "in no known format"),
    ],
)
def test_a_wheel_that_breaks_its_promise_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(WheelError, match=message):
        check_wheel(wheel(tmp_path, **change))


@built
def test_other_libraries_and_names_are_refused(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("safetensors._safetensors_rust")
    assert spec is not None
    assert spec.origin is not None
    extension = Path(spec.origin).read_bytes()
    assert "PyInit__safetensors_rust" in read_library(extension).exports
    with pytest.raises(WheelError, match=r"beyond the system's|exported names"):
        check_wheel(wheel(tmp_path, content=extension))
