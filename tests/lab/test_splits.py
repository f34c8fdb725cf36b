"""The lists of records: complete, made as they say, no patient on two sides."""

from __future__ import annotations

import pytest
from patients import IN_QTDB, patient, shuffled_by_patient

from ipmdae.lab.data import splits

ORDERS = splits.names("reference")


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_holds_all_105_records_once(name: str) -> None:
    order = splits.load("reference", name)
    assert len(order) == 105
    assert sorted(order) == splits.load("reference", "sorted")


def test_sorted_is_sorted() -> None:
    order = splits.load("reference", "sorted")
    assert order == sorted(order)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_orders_can_be_made_again(seed: int) -> None:
    made = shuffled_by_patient(splits.load("reference", "sorted"), seed, 91)
    assert made == splits.load("reference", f"random-{seed}")


@pytest.mark.parametrize("name", ORDERS)
def test_no_patient_stands_on_both_sides(name: str) -> None:
    order = splits.load("reference", name)
    boundary = splits.PUBLISHED_TRAINING_RECORDS
    before = {patient(record) for record in order[:boundary]}
    assert not before & {patient(record) for record in order[boundary:]}


def test_clinic_divides_the_records_by_patient() -> None:
    parts = [set(splits.load("clinic", part)) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [78, 12, 14]
    patients = [{patient(record) for record in part} for part in parts]
    assert not patients[0] & patients[1]
    assert not (patients[0] | patients[1]) & patients[2]
    assert set(splits.load("reference", "sorted")) - set().union(*parts) == {"sele0122"}


def test_unknown_list_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="random-1"):
        splits.load("reference", "random-99")


def test_arrhythmia_records_train_or_are_kept_for_tests() -> None:
    parts = [set(splits.load("mitdb", part)) for part in ("train", "development", "reserved")]
    assert [len(part) for part in parts] == [25, 6, 17]
    assert len(set.union(*parts)) == 48
    patients = [{patient(record) for record in part} for part in parts]
    assert len(set.union(*patients)) == sum(map(len, patients)) == 47


def test_no_arrhythmia_record_trains_that_tests_in_the_qt_database() -> None:
    kept = {*splits.load("clinic", "validation"), *splits.load("clinic", "test")}
    kept |= set(splits.load("deepfilter", "test"))
    excerpts = {f"sel{number}" for number in IN_QTDB}
    assert excerpts <= set(splits.load("reference", "sorted"))
    assert {"sel123", "sel233"} <= kept
    for part in ("train", "development"):
        assert not {f"sel{number}" for number in splits.load("mitdb", part)} & kept
    # Records that tests networks in development are in no training list of the QT Database either.
    developed = {f"sel{number}" for number in splits.load("mitdb", "development")}
    assert not developed & excerpts


def test_about_a_tenth_of_the_hand_held_recordings_is_held_back() -> None:
    held_back = splits.load("cinc2017", "held_back")
    assert held_back == sorted(set(held_back))
    assert len(held_back) == pytest.approx(8528 / 10, abs=10)
    people = [splits.load("ecgnext", part) for part in ("validation", "test")]
    assert not set(people[0]) & set(people[1])
