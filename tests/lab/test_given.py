"""What a network was given: stored as text, told in words and in a table."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan

import pandas as pd
import pytest

from ipmdae.lab.evaluation.pages import count
from ipmdae.lab.evaluation.results import Result
from ipmdae.lab.evaluation.training_budget import Counts, Network, Training, budgets_section
from ipmdae.lab.training.summary import Summary, late_fall

TRAINING = Summary(
    method="drnn",
    protocol="deepfilter",
    parameters=25_537,
    epochs=1,
    windows_seen=62_480,
    batch_size=64,
    fresh_noise=False,
    seed=0,
    loss="own",
    seconds=168.1,
    accelerator="cpu",
    best_valid_loss=0.04013,
    best_epoch=1,
    converged=False,
    diverged=False,
)
LONG = replace(TRAINING, epochs=30, windows_seen=30 * 62_480, converged=True, accelerator="gpu")


def network(*summaries: Summary, falls: tuple[float, ...] = (nan, nan)) -> Network:
    pairs = zip(summaries, falls, strict=False)
    return Network(
        parameters=25_537,
        multiply_accumulates=12_700_000,
        trainings=tuple(Training(summary, "rival", fall) for summary, fall in pairs),
    )


def result(method: str, told: Network | None) -> Result:
    return Result(
        method=method,
        network=told,
        total=1,
        done=1,
        diverged=0,
        table=pd.DataFrame({"item": [0], "record": ["a"]}),
    )


def test_it_comes_back_from_text_as_it_was() -> None:
    told = network(TRAINING, LONG, falls=(0.125, 0.01))
    assert Network.from_json(told.to_json()) == told
    again = Network.from_json(network(TRAINING).to_json())
    assert isnan(again.trainings[0].late_fall)
    for text in ("{}", "[]", "none", '{"trainings": [[{}, "rival", 0]]}'):
        with pytest.raises(ValueError, match=r"not a description of a network|Expecting value"):
            Network.from_json(text)


@pytest.mark.parametrize(
    ("trainings", "remark"),
    [
        ((), ""),
        ((LONG, LONG), ""),
        ((LONG, TRAINING), "not converged in 1 epoch on a CPU"),
        ((LONG, replace(LONG, diverged=True, converged=False)), "training diverged"),
    ],
)
def test_a_row_says_when_training_came_to_no_end(
    trainings: tuple[Summary, ...], remark: str
) -> None:
    told = network(*trainings)
    assert told.remark == remark
    assert bool(told.reason) is bool(remark)
    assert result("drnn", told).title("beats") == (f"`drnn` ({remark})" if remark else "`drnn`")


def test_the_reason_is_the_budget_and_how_the_loss_still_fell() -> None:
    single = network(TRAINING, TRAINING).reason
    assert single.startswith(
        "not converged in 1 epoch on a CPU (62,480 windows); after a single epoch"
    )
    longer = replace(TRAINING, epochs=20, windows_seen=1_249_600)
    told = network(LONG, longer, falls=(0.01, 0.0523)).reason
    assert told.startswith("not converged in 20 epochs on a CPU (1,874,400 / 1,249,600 windows)")
    assert "still lowered the validation loss by 5.2%" in told
    broken = replace(LONG, diverged=True, converged=False)
    assert network(broken, falls=(nan,)).reason.endswith(" windows)")


def test_table_has_what_all_models_have_once_and_published_counts_in_brackets() -> None:
    told = network(TRAINING, replace(TRAINING, seconds=300, converged=True))
    rows = [result("drnn", told), result("iir", None), result("mine", network())]
    page = budgets_section(rows, "beat", {"drnn": Counts(30e3, 0.81e9)})
    line = (
        "| `drnn` | 25.5 k (30.0 k) | 12.7 M (810 M) | rival | 1 | 62,480 | once | 3 / 5 | cpu | "
        "own | 0.04013 | 1 | **no** / yes |"
    )
    assert line in page
    assert "`iir`" not in page
    assert "| `mine` | 25.5 k | 12.7 M | - | - |" in page
    assert budgets_section(rows[1:2], "beat") == ""


def test_section_tells_the_commands_one_for_each_budget() -> None:
    rows = [
        result("drnn", network(TRAINING, TRAINING)),
        result("unet", network(replace(TRAINING, method="unet"))),
        result("descod-10", network(replace(LONG, method="descod+open", fresh_noise=True))),
    ]
    page = budgets_section(rows, "beat")
    options = "--batch-size 64 --seed 0"
    train = "ipmdae benchmark train --protocol deepfilter --recipe rival"
    assert f"{train} --epochs 1 {options} --methods drnn,unet\n" in page
    assert f"{train} --epochs 30 {options} --methods descod+open\n" in page


@pytest.mark.parametrize(
    ("converged", "diverged", "fall", "outcome"),
    [
        (True, False, 0.01, "yes"),
        (True, False, -0.02, "yes"),
        (True, False, -0.03, "overfitted"),
        (True, False, nan, "yes"),
        (False, False, 0.03, "**no**"),
        (False, True, nan, "diverged"),
    ],
)
def test_outcome_of_a_training(converged: bool, diverged: bool, fall: float, outcome: str) -> None:
    summary = replace(TRAINING, converged=converged, diverged=diverged)
    assert Training(summary, "rival", fall).outcome == outcome


@pytest.mark.parametrize(
    ("losses", "fall"),
    [([2.0, 1.0], 0.5), ([1.0, 1.5], -0.5), ([-1.0, -2.0], 1.0), ([0.0, 0.0], 0.0)],
)
def test_late_fall_is_a_share_of_the_best_loss_before(losses: list[float], fall: float) -> None:
    assert late_fall(losses) == pytest.approx(fall)


@pytest.mark.parametrize("losses", [[1.0], [], [1.0, nan], [inf, 1.0]])
def test_nothing_tells_a_late_fall_of_one_epoch_or_of_what_is_no_number(
    losses: list[float],
) -> None:
    assert isnan(late_fall(losses))


@pytest.mark.parametrize(
    ("value", "told"),
    [(80, "80"), (25_537, "25.5 k"), (1_593_041, "1.59 M"), (390e9, "390 G"), (1e3, "1.00 k")],
)
def test_counts_have_three_digits(value: float, told: str) -> None:
    assert count(value) == told
