"""Counts of weights and of multiply-accumulates, against those counted by hand for the paper."""

from __future__ import annotations

import pytest

from ipmdae.architecture import Architecture
from ipmdae.engine.complexity import multiply_accumulates, parameters
from ipmdae.engine.shapes import expected_shapes


def test_parameters_of_the_papers_network() -> None:
    assert parameters(Architecture()) == 1_266_950
    assert parameters(Architecture(unused_projections=True)) == 1_279_238


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("encoder.", 523_424),
        ("skips.0.", 26_049),
        ("skips.1.", 33_281),
        ("skips.2.", 53_889),
        ("skips.3.", 119_681),
        ("decoder.", 522_914),
    ],
)
def test_parameters_of_each_part(part: str, count: int) -> None:
    shapes = expected_shapes(Architecture(unused_projections=True))
    found = 0
    for name, shape in shapes.items():
        if name.startswith(part):
            size = 1
            for axis in shape:
                size *= axis
            found += size
    assert found == count


def test_multiply_accumulates_of_the_papers_network() -> None:
    counts = multiply_accumulates(Architecture(), 1250)
    millions = {part: round(count / 1e6, 1) for part, count in counts.items()}
    assert millions == {
        "encoder": 29.4,
        "projections": 9.7,
        "mamba": 39.0,
        "attention": 0.1,
        "decoder": 29.4,
    }
    assert sum(counts.values()) == 107_552_192


def test_multiply_accumulates_grow_with_the_length() -> None:
    def total(samples: int) -> int:
        return sum(multiply_accumulates(Architecture(), samples).values())

    assert total(10 * 1280) == pytest.approx(10 * total(1280), rel=0.01)
    assert total(1) > 0


def test_the_figures_variants_cost_what_they_say() -> None:
    code = multiply_accumulates(Architecture(), 1250)
    attention = multiply_accumulates(Architecture(attention="figure"), 1250)
    fusion = multiply_accumulates(Architecture(fusion="figure"), 1250)
    branches, d = 15, 32
    assert code["attention"] - attention["attention"] == branches * 2 * d * d
    assert fusion["attention"] - code["attention"] == branches * 3 * d * d
    assert fusion["mamba"] == code["mamba"]


def test_a_plain_skip_costs_nothing_and_uncertainty_costs_a_decoder_channel_a_lead() -> None:
    paper = multiply_accumulates(Architecture(), 1250)
    plain = multiply_accumulates(Architecture(branches=(0, 2, 4, 8)), 1250)
    assert plain["projections"] == paper["projections"] - 625 * 32**2
    assert plain["mamba"] < paper["mamba"]
    uncertain = multiply_accumulates(Architecture(uncertainty=True), 1250)
    assert uncertain["encoder"] == paper["encoder"]
    assert uncertain["decoder"] == paper["decoder"] + 625 * 32 * 2 * 3


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 sample"):
        multiply_accumulates(Architecture(), 0)
