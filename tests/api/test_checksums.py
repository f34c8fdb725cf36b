"""Lists of checksums as servers publish them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipmdae import checksums


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "..", "a/../../b", ".", "C:\\x", "C:x", "a\\..\\b", "a\tb", "a\x00b", "a|b"],
)
def test_names_that_are_no_plain_paths_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="leads out of the folder"):
        checksums.parse(f"{'0' * 64} {name}\n")


@pytest.mark.parametrize("text", ["", "\n", "0123 name\n", f"{'0' * 64}\n", f"{'0' * 64} \n"])
def test_lists_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|not a checksum"):
        checksums.parse(text)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]*[a-z])?", fullmatch=True),
        st.binary(min_size=32, max_size=32).map(bytes.hex),
        min_size=1,
    ),
    st.sampled_from([" ", "  ", " *"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_lists_are_read_back(digests: dict[str, str], gap: str, end: str) -> None:
    text = "".join(f"{sha256}{gap}{name}{end}" for name, sha256 in digests.items())
    assert checksums.parse(text) == digests
