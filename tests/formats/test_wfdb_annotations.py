from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ipmdae import formats
from ipmdae.formats.wfdb_annotations import decode, encode, is_annotator
from ipmdae.recording import Annotations

marks = st.builds(
    lambda rows: Annotations(
        sample=np.cumsum([row[0] for row in rows], dtype=np.int64),
        symbol=tuple(row[1] for row in rows),
        note=tuple(row[2] for row in rows),
        subtype=np.array([row[3] for row in rows], np.int64),
        channel=np.array([row[4] for row in rows], np.int64),
        number=np.array([row[5] for row in rows], np.int64),
    ),
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3000), st.integers(0, 2**24)),
            st.sampled_from(["N", "V", "(", ")", "p", "t", "+", '"', "~", "[43]"]),
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
            st.integers(-128, 127),
            st.integers(0, 255),
            st.integers(-128, 127),
        ),
        max_size=20,
    ),
)


@given(marks)
@settings(deadline=None, max_examples=50)
def test_annotations_come_back(written: Annotations) -> None:
    again, fs = decode(encode(written))
    assert fs is None
    assert_array_equal(again.sample, written.sample)
    assert (again.symbol, again.note) == (written.symbol, written.note)
    for field in ("subtype", "channel", "number"):
        assert_array_equal(getattr(again, field), getattr(written, field))


@given(st.binary(max_size=200))
def test_any_bytes_are_annotations_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except ValueError as error:
        assert str(error)


def test_unknown_symbols_become_notes_and_long_notes_are_cut() -> None:
    written = Annotations(sample=np.array([5, 9]), symbol=("AFIB", "N"), note=("start", "x" * 300))
    again, _ = decode(encode(written))
    assert again.symbol == ('"', "N")
    assert again.note == ("AFIB start", "x" * 255)


def test_annotations_that_count_at_their_own_rate(record: Path) -> None:
    wfdb.wrann(
        "118e06", "own", np.array([10, 100]), ["N", "V"], fs=72, write_dir=str(record.parent)
    )
    own = formats.read(record).annotations["own"]
    assert_array_equal(own.sample, [50, 500])
    assert own.symbol == ("N", "V")


@pytest.mark.parametrize("content", [b"", b"\x01", b"no annotations", b"\x01\x04\x02\x08"])
def test_files_that_are_no_annotations_are_named_and_left_out(record: Path, content: bytes) -> None:
    record.with_suffix(".qrs").write_bytes(content)
    record.with_suffix(".txt").write_bytes(content)
    with pytest.warns(UserWarning, match=r"118e06\.qrs: not read as annotations"):
        assert set(formats.read(record).annotations) == {"atr"}


def test_recordings_of_other_formats_are_no_annotations() -> None:
    ends = [end.rpartition(".")[2] for format in formats.FORMATS for end in format.SUFFIXES if end]
    assert "wav" in ends
    assert [end for end in ends if is_annotator(end) or is_annotator(end.upper())] == []
    assert is_annotator("atr")
