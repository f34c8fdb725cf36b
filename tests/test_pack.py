"""Both databases in one file and out of it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from excerpts import DATASETS, NSTDB, QTDB
from hypothesis import given
from hypothesis import strategies as st

from ipmdae.data.download import BENCHMARKS, DatasetNotFoundError
from ipmdae.data.download import DATASETS as DATABASES
from ipmdae.data.pack import differences, pack, signal_file, unpack
from tools import pack_data


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "RECORDS"
    }


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packed") / "data.zip"
    assert pack(DATASETS, target) == len(contents(DATASETS))
    return target


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """One record of each database."""
    for folder, record in ((QTDB, "sel100"), (NSTDB, "118e06")):
        (tmp_path / "few" / folder.name).mkdir(parents=True)
        for path in folder.glob(f"{record}.*"):
            shutil.copyfile(path, tmp_path / "few" / folder.name / path.name)
    return tmp_path / "few"


def test_what_is_unpacked_is_what_was_packed_bit_by_bit(packed: Path, tmp_path: Path) -> None:
    assert unpack(packed, tmp_path) == len(contents(DATASETS))
    assert contents(tmp_path) == contents(DATASETS)
    assert {path.name for path in tmp_path.iterdir()} == {
        DATABASES[name].folder for name in BENCHMARKS
    }
    ours, theirs = (wfdb.rdrecord(str(root / NSTDB.name / "em")) for root in (tmp_path, DATASETS))
    np.testing.assert_array_equal(ours.p_signal, theirs.p_signal)
    assert unpack(packed, tmp_path) == len(contents(DATASETS))


def test_a_packed_file_is_small_and_always_the_same(packed: Path, tmp_path: Path) -> None:
    size = sum(len(content) for content in contents(DATASETS).values())
    assert packed.stat().st_size < 0.45 * size
    pack(DATASETS, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


@given(st.binary(max_size=90).map(lambda content: content[: len(content) // 3 * 3]))
def test_any_three_bytes_come_back(content: bytes) -> None:
    assert signal_file(differences(content)) == content


def test_signals_are_decoded_as_wfdb_decodes_them() -> None:
    record = wfdb.rdrecord(str(QTDB / "sel100"), physical=False)
    changes = differences((QTDB / "sel100.dat").read_bytes())
    np.testing.assert_array_equal(np.cumsum(changes, axis=1), record.d_signal.T)


def test_a_signal_file_of_another_kind_comes_back_too(few: Path, tmp_path: Path) -> None:
    odd = few / QTDB.name / "sel100.dat"
    odd.write_bytes(odd.read_bytes() + b"x")
    pack(few, tmp_path / "data.zip")
    unpack(tmp_path / "data.zip", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(few)


def test_a_truncated_file_is_told_and_nothing_is_written(packed: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    for size in (0, 10, packed.stat().st_size // 2, packed.stat().st_size - 5):
        cut.write_bytes(packed.read_bytes()[:size])
        with pytest.raises(ValueError, match=r"cut\.zip is not a packed database, or damaged"):
            unpack(cut, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_told_or_does_no_harm(few: Path, tmp_path: Path) -> None:
    pack(few, tmp_path / "data.zip")
    content = (tmp_path / "data.zip").read_bytes()
    rng, damaged, told = np.random.default_rng(0), tmp_path / "damaged.zip", 0
    directory = content.index(b"PK\x01\x02")
    places = [*rng.integers(directory, size=30), *rng.integers(directory, len(content), size=120)]
    for place in places:
        broken = bytearray(content)
        broken[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(broken)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        try:
            unpack(damaged, tmp_path / "out")
        except ValueError as error:
            assert "damaged" in str(error)
            told += 1
        else:
            assert contents(tmp_path / "out") == contents(few)
    assert told > len(places) / 2


def test_another_file_in_the_way_is_kept(packed: Path, tmp_path: Path) -> None:
    other = tmp_path / QTDB.name / "sel100.hea"
    other.parent.mkdir()
    other.write_text("another")
    with pytest.raises(FileExistsError, match=r"sel100\.hea exists, and is another file"):
        unpack(packed, tmp_path)
    assert contents(tmp_path) == {f"{QTDB.name}/sel100.hea": b"another"}


def test_what_is_missing_is_told(few: Path, tmp_path: Path) -> None:
    target = tmp_path / "data.zip"
    with pytest.raises(FileNotFoundError, match=r"data\.zip: no such file"):
        unpack(target, tmp_path / "out")
    with pytest.raises(DatasetNotFoundError, match="QT Database"):
        pack(tmp_path, target)
    (few / NSTDB.name / "118e06.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"118e06\.dat is missing; .*download nstdb"):
        pack(few, target)
    assert not target.exists()


def test_the_command_packs_and_unpacks(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"--file={tmp_path / 'data.zip'}"
    pack_data.main([f"--datasets={few}", target])
    pack_data.main(["--unpack", f"--datasets={tmp_path / 'out'}", target])
    told = capsys.readouterr().out
    assert "8 files packed" in told
    assert "8 files unpacked" in told
    assert contents(tmp_path / "out") == contents(few)
