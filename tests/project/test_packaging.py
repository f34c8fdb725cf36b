"""Packages other than wheels: the source distribution, conda, the container, the citation.

They are built, installed and run by ``python -m tools.build_release --run``.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml")
pytest.importorskip("packaging")
pytest.importorskip("lief")

import yaml
from packaging.requirements import Requirement

from ipmdae import checksums
from tools import build_release
from tools.check_sdist import SdistError, check_sdist, tracked_files
from tools.dependencies import ROOT
from tools.environments import VERSIONS, pythons, run

PACKAGING = ROOT / "packaging"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project table of pyproject.toml."""
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {**content["project"], "build": content["build-system"]["requires"]}


def comparable(requirements: list[str]) -> set[tuple[str, str]]:
    parsed = [Requirement(text) for text in requirements]
    return {(one.name.lower(), str(one.specifier)) for one in parsed}


def test_conda_asks_for_what_the_package_asks_for(project: dict[str, Any]) -> None:
    rattler = pytest.importorskip("rattler_build")
    from tools.try_conda import ON_PYPI, RECIPE

    variants = rattler.VariantConfig.from_file(RECIPE.with_name("variants.yaml"))
    (variant,) = rattler.Stage0Recipe.from_file(RECIPE).render(variants)
    python = [f"python {project['requires-python']}"]

    def asked(specs: list[object]) -> set[tuple[str, str]]:
        split = (str(spec).split(maxsplit=1) for spec in specs)
        return comparable([" ".join([ON_PYPI.get(name, name), *rest]) for name, *rest in split])

    requirements = variant.recipe.requirements
    assert asked(requirements.run) == comparable(project["dependencies"] + python)
    assert asked(requirements.host) == comparable(project["build"] + [*python, "pip"])
    assert variant.recipe.package.version == project["version"]
    assert variant.recipe.about.license == project["license"]


def test_the_dockerfile_passes_its_linter() -> None:
    program = Path(sys.executable).with_name("hadolint")
    if not program.is_file():
        pytest.skip("needs hadolint, of the extra release")
    file = PACKAGING / "docker" / "Dockerfile"
    done = subprocess.run([program, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_citation_is_of_this_version(project: dict[str, Any]) -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


@pytest.mark.slow
def test_the_source_distribution_holds_the_repository(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (sdist,) = tmp_path.iterdir()
    try:
        tracked, new = tracked_files(ROOT), tracked_files(ROOT, "--others", "--exclude-standard")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout")
    folders = {Path(name).parts[0] for name in tracked}
    packed = tracked | {name for name in new if Path(name).parts[0] in folders}
    assert check_sdist(sdist, packed) > 600
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    for part in ("LICENSE", "PKG-INFO", "native/ipmdae.h", "tests/conftest.py"):
        assert f"{sdist.name.removesuffix('.tar.gz')}/{part}" in names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["p-1/LICENSE"], "lacks PKG-INFO"),
        (["p-1/PKG-INFO"], "lacks LICENSE"),
        (["p-1/PKG-INFO", "p-1/LICENSE", "p-1/web/node_modules/a.js"], "web/node_modules/a.js"),
        (["p-1/PKG-INFO", "p-1/LICENSE", "elsewhere"], "outside of p-1"),
        (["p-1/PKG-INFO", "p-1/LICENSE", "p-1/LICENSE"], "twice"),
        (["p-1/PKG-INFO", "p-1/LICENSE", "p-1/src/ipmdae/_web/index.html"], ""),
    ],
)
def test_other_files_in_a_source_distribution_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    path = tmp_path / "p-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    if not message:
        assert check_sdist(path, {"LICENSE"}) == 3
        return
    with pytest.raises(SdistError, match=message):
        check_sdist(path, {"LICENSE"})


def test_two_builds_are_compared_and_their_sums_written(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "x.whl", tmp_path / "b" / "x.whl"
    for path in (one, other):
        path.parent.mkdir()
        path.write_bytes(b"the same")
    build_release.check_same([one], [other])
    sums = build_release.write_sums(one.parent, [one]).read_text(encoding="utf-8")
    assert checksums.parse(sums) == {"x.whl": checksums.digest(one)}
    other.write_bytes(b"another")
    with pytest.raises(RuntimeError, match=r"a.x\.whl came out otherwise"):
        build_release.check_same([one], [other])


def test_pythons_are_of_the_version_that_their_names_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, python in pythons().items():
        assert run([str(python), "-c", "import sys; print(sys.version)"]).startswith(f"{version}.")
    broken = tmp_path / f"python{VERSIONS[0]}"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons() == {}
    with pytest.raises(RuntimeError, match="failed"):
        run([str(broken)])
