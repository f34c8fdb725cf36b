"""What the package needs: licences, a bill of materials, digests of what is pinned."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

pytest.importorskip("packaging")

from tools import hashes, licences, sbom
from tools.dependencies import CONSTRAINTS, NAME, ROOT, direct, needed, pins

pytestmark = pytest.mark.slow


def test_the_closure_holds_what_is_asked_for_and_what_that_needs() -> None:
    packages = needed()
    assert {"numpy", "soxr", "wfdb", "typer"} <= set(direct()) <= packages.keys()
    assert NAME not in packages
    assert "torch" not in packages
    for package in packages.values():
        assert set(package.needs) <= packages.keys(), package.name
    assert "click" not in packages or "click" in packages["typer"].needs


def test_all_that_is_needed_and_what_builds_it_is_pinned() -> None:
    pinned = pins(CONSTRAINTS.read_text(encoding="utf-8"))
    assert hashes.wanted(pinned).keys() >= {*needed(), "hatchling"}
    del pinned["hatchling"]
    with pytest.raises(ValueError, match="hatchling is needed and not pinned"):
        hashes.wanted(pinned)
    assert "--build-constraint" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_page_of_licences_names_every_package() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert re.search(r"\*\*soxr\*\* \| \S+ \| LGPL-2\.1-or-later", page)
    assert "not stated" not in page
    for name in direct():
        assert f"| **{name}** |" in page, f"{name}: run python -m tools.licences"
    made = licences.table(needed(), direct())
    assert made.count("\n") == len(needed()) + 2


def test_the_bill_of_materials_is_complete_and_repeatable(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    path = sbom.write(tmp_path)
    first = path.read_bytes()
    assert sbom.write(tmp_path).read_bytes() == first
    content = json.loads(first)
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", content["serialNumber"])
    references = {one["bom-ref"] for one in content["components"]}
    assert {one["name"] for one in content["components"]} == needed().keys()
    own = content["metadata"]["component"]
    assert own["name"] == NAME
    assert own["components"][0]["name"] == wheel.name
    for dependency in content["dependencies"]:
        assert dependency["ref"] in references | {own["bom-ref"]}
        assert set(dependency["dependsOn"]) <= references
    wheel.write_bytes(b"another")
    assert json.loads(sbom.write(tmp_path).read_bytes())["serialNumber"] != content["serialNumber"]


def item(name: str, version: str, **hashed: str) -> dict[str, object]:
    return {
        "metadata": {"name": name, "version": version},
        "download_info": {"url": "https://elsewhere/x", "archive_info": {"hashes": hashed}},
    }


def test_digests_are_written_without_addresses_and_none_is_missing() -> None:
    versions = {"numpy": "2.4.6", "typing-extensions": "4.16.0"}
    found = [item("numpy", "2.4.6", sha256="a" * 64)]
    with pytest.raises(ValueError, match="no digest of typing-extensions"):
        hashes.hashed(versions, {"install": found})
    with pytest.raises(ValueError, match=r"no digest of typing-extensions==4\.16\.0"):
        hashes.hashed(versions, {"install": [*found, item("typing_extensions", "4.16.0")]})
    other = item("typing_extensions", "4.15.0", sha256="b" * 64)
    with pytest.raises(ValueError, match=r"no digest of typing-extensions==4\.16\.0"):
        hashes.hashed(versions, {"install": [*found, other]})
    found.append(item("typing_extensions", "4.16.0", sha256="b" * 64))
    text = hashes.hashed(versions, {"install": found})
    assert f"numpy==2.4.6 --hash=sha256:{'a' * 64}\n" in text
    assert "://" not in text


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(extra: str = "") -> dict[str, object]:
        if extra == "onnx":
            raise PackageNotFoundError("onnx")
        return {}

    monkeypatch.setattr(licences, "needed", missing)
    with pytest.raises(ModuleNotFoundError, match="extra onnx is not installed"):
        licences.page()
