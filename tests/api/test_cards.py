"""Cards of the models that ship: what they must tell, where scores come from, a part of them again.

Scores are compared with a tolerance of 0.02 dB: backends and processors round differently.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS, FULL, QTDB, needs_full
from typer.testing import CliRunner

from ipmdae import cards, cli
from ipmdae.engine import ModelFile, model_names, model_path, write_model
from ipmdae.engine.model_file import card_path
from ipmdae.lab.data import splits
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation import candidates, clinic, results
from ipmdae.lab.evaluation import card as evaluated
from ipmdae.lab.evaluation.clinic import ClinicBenchmark
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, FS, PIECES
from tools import write_cards

TOLERANCE = 0.02  # dB

pytestmark = pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning")


@pytest.fixture
def model(tmp_path: Path, tiny_model: ModelFile) -> Path:
    """A model file with what a release tells."""
    path = tmp_path / "weights" / "tiny.safetensors"
    split = {"training": ["sel52", "sel36"], "validation": ["sel100"]}
    card = {"trained": {"seed": 0, "split": split}, "versions": {"torch": "2"}, "limits": "small"}
    write_model(path, replace(tiny_model, name="tiny", card=card))
    return path


def stored(folder: Path, model: Path, **changes: object) -> results.Result:
    """The stored result of a model on a part of the excerpts' test."""
    result = ClinicBenchmark(DATASETS).run(str(model), part=1)
    whole = {"total": result.done, "method": "tiny"}
    result = results.Result(**{**vars(result), **whole, **changes})
    results.save(result, folder / "clinic" / "tiny.npz")
    return result


@pytest.mark.parametrize("name", model_names())
def test_every_model_that_ships_has_a_card_of_its_own_weights(name: str) -> None:
    card = cards.read_card(model_path(name))
    assert card["name"] == name
    for heading in ("architecture", "preprocessing", "trained", "versions", "limits", "scores"):
        assert card[heading]
    assert "not a medical device" in card["intended use"]
    assert card["trained"]["seed"] == 0
    for side in card["data"]["signal"]["split"].values():
        names = side["names"].split()
        listed = "".join(f"{name}\n" for name in sorted(names))
        assert (side["records"], len(set(names))) == (len(names), len(names))
        assert side["SHA-256"] == hashlib.sha256(listed.encode()).hexdigest()
    assert card["scores"][cards.CLINIC]["segments"] == 280


@pytest.mark.parametrize("name", model_names())
def test_a_small_part_of_a_card_s_scores_comes_out_again(name: str) -> None:
    card = cards.read_card(model_path(name))
    assert "tests/data" in card["check"]["on"]
    for measure, value in evaluated.check(model_path(name), DATASETS).items():
        assert value == pytest.approx(card["check"][measure], abs=TOLERANCE), measure


@pytest.mark.slow
@needs_full
@pytest.mark.parametrize("name", model_names())
def test_the_score_of_a_whole_record_comes_out_again(name: str) -> None:
    assert FULL is not None
    benchmark = ClinicBenchmark(FULL)
    score = benchmark.scorer(candidates.find(name))
    pieces = list(islice(benchmark.test.pieces(np.arange(PIECES)), 2 * PIECES))
    noisy = np.array([kind != CLEAN for kind, _ in CONDITIONS])
    gains = [score(piece)["snr_improvement"][noisy] for piece in pieces]
    told = cards.read_card(model_path(name))["scores"][cards.CLINIC][evaluated.BY_RECORD]
    assert {piece.record for piece in pieces} == {pieces[0].record}
    assert np.mean(gains) == pytest.approx(told[pieces[0].record], abs=TOLERANCE)


def test_scores_are_means_of_what_is_stored(tmp_path: Path, model: Path) -> None:
    result = stored(tmp_path, model)
    scores = evaluated.scores("tiny", result.version, tmp_path)
    noisy = result["kind"] != CLEAN
    told = scores[cards.CLINIC]
    mean = result["snr_improvement"][noisy].mean()
    assert told[cards.GAIN]["mean"] == pytest.approx(mean, abs=1e-4)
    assert told[evaluated.BY_RECORD] == {"sele0121": told[cards.GAIN]["mean"]}
    chosen = (result["kind"] == "em") & (result["snr_in"] == 5)
    mean = result["snr_improvement"][chosen].mean()
    assert told[evaluated.GAINS]["em"]["5"]["mean"] == pytest.approx(mean, abs=1e-4)
    assert scores["robustness"] == scores["clinical"] == cards.NOT_MEASURED
    assert json.loads(json.dumps(scores)) == scores


@pytest.mark.slow
def test_scores_of_other_weights_or_of_a_part_are_refused(tmp_path: Path, model: Path) -> None:
    version = stored(tmp_path, model).version
    with pytest.raises(ValueError, match=r"of other weights .* --protocol clinic --methods tiny"):
        evaluated.scores("tiny", "0" * 64, tmp_path)
    for change, message in (({"total": 20}, "of 2 of 20 items"), ({"diverged": 1}, "diverged")):
        stored(tmp_path, model, **change)
        with pytest.raises(ValueError, match=message):
            evaluated.scores("tiny", version, tmp_path)


def test_data_are_told_by_name_and_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        evaluated.data(["sel36"], ["sel52"], DATASETS, rhythms=False)
    monkeypatch.setattr(splits, "load", lambda protocol, name: ["sele0121"])
    told = evaluated.data(["sel52", "sel36"], ["sel100"], DATASETS, rhythms=True)
    names = [f"{name}.{suffix}" for name in ("sel100", "sel36", "sel52", "sele0121")
             for suffix in ("dat", "hea")]  # fmt: skip
    lines = [
        f"{hashlib.sha256((QTDB / name).read_bytes()).hexdigest()}  {name}\n" for name in names
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert told["signal"]["SHA-256 of the records used"] == digest
    assert told["signal"]["split"]["training"]["names"] == "sel36 sel52"
    assert "MIT-BIH Arrhythmia Database 1.0.0" in told["rhythms and motion"]


def test_a_card_is_written_beside_the_weights_which_stay(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(splits, "load", lambda protocol, name: ["sele0121"])
    before, results = model.read_bytes(), tmp_path / "results"
    version = stored(results, model).version
    write_cards.main([
        f"--weights={model.parent}", f"--results={results}", f"--datasets={DATASETS}",
    ])  # fmt: skip
    assert "tiny.json" in capsys.readouterr().out
    assert model.read_bytes() == before
    card = cards.read_card(model)
    assert card["sha256"] == version == hashlib.sha256(before).hexdigest()
    assert card["limits"].startswith("small ")
    assert card["trained"] == {"seed": 0}
    assert card["versions"] == {"torch": "2", "commit": "unknown"}
    assert card["check"][cards.GAIN] == card["scores"][cards.CLINIC][cards.GAIN]["mean"]


def test_a_model_that_tells_nothing_of_its_training_gets_no_card(
    tmp_path: Path, tiny_model: ModelFile
) -> None:
    path = tmp_path / "plain.safetensors"
    write_model(path, replace(tiny_model, card={}))
    with pytest.raises(ValueError, match="does not state its training"):
        write_cards.card(path, tmp_path, DATASETS)


def test_a_card_of_other_weights_or_a_broken_one_is_not_believed(model: Path) -> None:
    cards.write_card(model, {"sha256": "0" * 64, "scores": "the best"})
    with pytest.raises(ValueError, match=r"not the one in its card tiny\.json"):
        cards.read_card(model)
    for text in ("{", "[]", '"x"'):
        card_path(model).write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="not a model card"):
            cards.read_card(model)


def test_models_are_listed_with_their_scores(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ipmdae import weights

    monkeypatch.setattr(weights, "__path__", [str(model.parent)])
    told = cards.described(model)
    row = CliRunner().invoke(cli.app, ["models"]).stdout.splitlines()[2].split()
    assert row[-2:] == ["-", "-"]
    clinic = {cards.GAIN: {"mean": 9.04}, cards.KEPT: {"mean": 21.5}}
    cards.write_card(model, {**told, "scores": {cards.CLINIC: clinic}})
    row = CliRunner().invoke(cli.app, ["models"]).stdout.splitlines()[2].split()
    assert row[0] == "tiny"
    assert row[-2:] == ["9.0", "21.5"]
    shown = json.loads(CliRunner().invoke(cli.app, ["models", str(model)]).stdout)
    assert shown["scores"][cards.CLINIC] == clinic


def test_covered_samples_are_those_within_the_stated_band() -> None:
    rng = np.random.default_rng(0)
    clean, error = np.zeros((3, 20 * round(FS))), rng.normal(0, 0.1, (3, 20 * round(FS)))
    stated = np.stack([np.full(len(error[0]), sd) for sd in (0.1, 0.05, np.nan)])
    covered = clinic.covered(clean, clean + error + 5, stated)
    assert covered[0] == pytest.approx(0.95, abs=0.01)
    assert covered[1] == pytest.approx(0.673, abs=0.02)
    assert np.isnan(covered[2])
