"""The fuzzer: its seeds and inputs, and that it sees what it is there to see."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from pathlib import Path

import pytest

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions, isolated

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer needs Linux")
if sys.platform == "linux":
    from tools.fuzz import __main__ as fuzz
    from tools.fuzz import targets, workers
    from tools.fuzz.mutations import Files, mutated
    from tools.fuzz.targets import Target

    TARGETS = {target.name: target for target in targets.targets() if target.name != "wasm"}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the fuzzer."""
    monkeypatch.setattr(isolated, "enabled", False)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_inputs_are_the_same_each_time(name: str, tmp_path: Path) -> None:
    target, rng = TARGETS[name], random.Random(0)
    seeds = target.seeds()
    assert seeds == target.seeds()
    inputs = [workers.input_of(name, seeds, 1, i)[0] for i in range(20)]
    assert inputs == [workers.input_of(name, seeds, 1, i)[0] for i in range(20)]
    assert inputs != [workers.input_of(name, seeds, 2, i)[0] for i in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for files in seeds:
            path = workers.put(files, tmp_path)
            if name == "model":
                assert target.read(path, rng)
            else:
                unit = "2.5uV" if name == "edan" else None  # that format states none
                options = ReadOptions(fs=250, unit=unit)
                assert formats.read(path, options=options).samples >= 30


def test_every_format_is_fuzzed(tmp_path: Path) -> None:
    fuzzed = set()
    for target in TARGETS.values():
        for files in target.seeds():
            path = workers.put(files, tmp_path)
            fuzzed |= {f.NAME for f in formats.FORMATS if f.recognises(path)}
            fuzzed |= {f.NAME for f in formats.FORMATS if path.suffix in f.SUFFIXES}
    assert fuzzed >= {format.NAME for format in formats.FORMATS}


def test_changes_keep_containers_whole() -> None:
    """Half of the inputs at least are no mere rubbish: archives open, checksums fit."""
    rng = random.Random(0)
    for name, whole in (("x.csv.gz", b"\x1f\x8b"), ("x.npz", b"PK"), ("x.parquet", b"PAR1")):
        seed = fuzz_seed(name)
        made = [mutated(seed, rng)[name] for _ in range(50)]
        assert sum(data[: len(whole)] == whole for data in made) > 25
        assert len(set(made)) > 40


def fuzz_seed(name: str) -> Files:
    """The seed that one of our writers makes."""
    from tools.fuzz import seeds

    return seeds.written(name)[0]


def misread(path: Path, rng: random.Random) -> bool:
    """Do as the first byte of the file says."""
    how = path.read_bytes()[:1]
    if how == b"c":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == b"m":
        bytearray(workers.MEMORY + (64 << 20))
    if how == b"e":
        raise KeyError("x")
    while how == b"h":
        pass
    targets.check_message(FormatError(path, "is refused"), path)
    return False


REASONS = {
    "c": "ends its process by SIGSEGV",
    "m": "MemoryError",
    "e": "KeyError: 'x'",
    "h": "takes more than 0.2 s of processor time",
}


@pytest.mark.parametrize("how", [*REASONS, "r"])
@pytest.mark.parametrize("contained", [False, True])
def test_what_an_input_does_is_seen_and_stored(
    how: str, contained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SECONDS", 0.2)
    monkeypatch.setattr(workers, "_SECONDS_ISOLATED", 0.2)
    monkeypatch.setattr(workers, "mutated", lambda seed, rng: seed)
    monkeypatch.setenv("IPMDAE_FUZZ_FOLDER", str(tmp_path))
    target = Target("bad", lambda: [{"x.bin": how.encode()}], misread, isolated=contained)
    campaign = fuzz.Campaign([target], 0, tmp_path / "found")
    campaign.run(1, fuzz.by_number(campaign, 1))
    tally = campaign.tallies["bad"]
    ended = how in "ch"
    if how == "r" or (contained and ended):
        assert not tally.reasons
        assert bool(tally.contained) == (how != "r")
        assert fuzz.summary(campaign.tallies) == 0
        return
    assert [reason.startswith(REASONS[how]) for reason in tally.reasons] == [True]
    assert (tmp_path / "found/bad-0-0/x.bin").read_text() == how
    assert REASONS[how] in (tmp_path / "found/bad-0-0/reason.txt").read_text()
    assert fuzz.summary(campaign.tallies) == 1


@pytest.mark.parametrize("text", ["no name", "x.bin: two\nlines", "x.bin: \x1b[2J", "x.bin" * 999])
def test_refusals_that_are_no_sentence_are_findings(tmp_path: Path, text: str) -> None:
    with pytest.raises(targets.BrokenPromiseError):
        targets.check_message(
            ValueError(f"{tmp_path.name if 'name' not in text else ''}{text}"), tmp_path / "x.bin"
        )
