"""The pages about cleaned recordings: what they say, and that nothing in a file can harm them."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ipmdae import examples, formats
from ipmdae.cleaned import Cleaned
from ipmdae.inspection.heart_rate import WINDOW, heart_rate, windows
from ipmdae.recording import Recording
from ipmdae.report import Entry, Subject, write_index, write_page

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """What a browser would see; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


class Halved:
    """A method that removes half of the signal and claims to know how wrong it is."""

    name = "halved"

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Cleaned:
        spread = np.full(recording.signal.shape, 0.05, np.float32)
        half = recording.with_signal(recording.signal / 2)
        return Cleaned(noisy=recording, recording=half, spread=spread)


@pytest.fixture(scope="module")
def pair() -> tuple[Recording, Recording]:
    noisy, clean = (formats.read(examples.path(n)) for n in ("118e06_excerpt", "118e24_excerpt"))
    return noisy, clean


def written(
    folder: Path,
    noisy: Recording,
    clean: Recording,
    spread: NDArray[np.float64] | None = None,
    names: tuple[str, str] = ("noisy", "cleaned"),
    **others: object,
) -> Page:
    source, target = folder / names[0], folder / names[1]
    formats.write(noisy, source)
    formats.write(clean, target)
    fields = {
        "source": source,
        "target": target,
        "method": Halved(),
        "card": {"limits": "none & <all>", "trained": {"epochs": 7, "rate": 0.5}},
        "cleaned": noisy.leads,
        "unchanged": {},
        "settings": {"strength": "1"},
        "spread": spread,
    }
    write_page(folder / "report.html", Subject(**{**fields, **others}))  # type: ignore[arg-type]
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def rows(path: Path) -> str:
    """The texts of a page, with single spaces between them."""
    text = re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def test_a_page_tells_all_and_needs_no_other_file(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    page = written(tmp_path, *pair)
    check_pictures(page)
    for told in (
        "no medical device and must not be used to diagnose",
        "60.0 s at 360 Hz",
        "MLII, V1",
        "baseline, below 0.7 Hz",
        "Nothing is unreadable.",
        "beats per minute before",
        "none & <all>",
        "Model card: halved",
        "strength",
    ):
        assert told in page.text
    assert page.tags.count("h1") == 1
    assert {"main", "section", "table", "caption", "figure", "figcaption"} <= set(page.tags)
    assert not {"script", "link", "iframe"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("src", "href") or (value or "").startswith("data:image/svg+xml;base64,")
    assert "url(" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.glob("*.html")] == ["report.html"]


def check_pictures(page: Page) -> None:
    """Each picture is one, and has a text for those who do not see it."""
    assert len(page.images) == 3 * 2 + 3  # strips of two leads at three places; three more
    for image in page.images:
        assert len(image["alt"] or "") > 20
        drawn = b64decode((image["src"] or "").split(",")[1])
        assert drawn.startswith(b"<?xml")
        assert drawn.rstrip().endswith(b"</svg>")
    assert page.images[0]["style"] == "width: 280.0mm"


def test_strips_show_where_most_and_least_was_removed(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    noisy, _ = pair
    signal = noisy.signal.copy()
    signal[360 * 20 : 360 * 30] += np.sin(np.arange(3600) / 60)[:, None]
    signal[360 * 40 : 360 * 50] += 5 * np.sin(np.arange(3600) / 60)[:, None]
    page = written(tmp_path, noisy.with_signal(signal), noisy)
    assert "Where most was removed: 10 s from 40 s" in page.text
    assert "A typical place" in page.text
    assert "Where least was removed" in page.text


def test_what_cannot_be_read_is_listed(tmp_path: Path, pair: tuple[Recording, Recording]) -> None:
    noisy, clean = pair
    signal = noisy.signal.copy()
    signal[360 * 5 : 360 * 9, 1] = np.nan
    spread = np.full((60, 2), 0.02)
    spread[50:53, 0] = 3
    page = written(tmp_path, noisy.with_signal(signal), clean, spread)
    listed = rows(tmp_path / "report.html")
    assert "V1 5 4 missing" in listed
    assert "MLII 50 3 uncertain" in listed
    assert "57 0 0 0 0 3 0.020" in listed
    assert "Nothing is unreadable." not in page.text


@pytest.mark.parametrize("seconds", [0.5, 3, 25])
def test_short_recordings_have_a_page(
    tmp_path: Path, pair: tuple[Recording, Recording], seconds: float
) -> None:
    page = written(tmp_path, *(recording.excerpt(0, seconds) for recording in pair))
    assert "The beginning" in page.text


def test_leads_of_one_name_and_of_no_signal_have_a_page(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    noisy, clean = (
        dataclasses.replace(
            recording,
            leads=("ECG", "ECG", "none", "flat"),
            units=(),
            resolution=(),
            signal=np.column_stack(
                [recording.signal, np.full((21600, 1), np.nan), np.zeros((21600, 1))]
            ),
        )
        for recording in pair
    )
    written(tmp_path, noisy, clean)
    for row in ("none 0 60 0 0 0 0 not known", "flat 0 0 0 60 0 0 not known"):
        assert row in rows(tmp_path / "report.html")


def test_nothing_that_a_file_holds_becomes_markup(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    evil = '"><script>alert(1)</script>$title${body}'
    noisy, clean = (dataclasses.replace(r, leads=(evil, "V1"), comments=(evil,)) for r in pair)
    page = written(
        tmp_path,
        noisy,
        clean,
        names=("<b>.npz", "</b>.npz"),
        card={evil: evil},
        unchanged={evil: evil},
        settings={evil: evil},
    )
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.text.count("<script>alert(1)</script>$title${body}") >= 8
    assert any(evil in (image["alt"] or "") for image in page.images)


def test_a_page_that_fails_leaves_nothing(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    with pytest.raises(ValueError, match="not the same recording"):
        written(tmp_path, pair[0], pair[1].excerpt(0, 5))
    assert not list(tmp_path.glob("*.html"))


def test_the_index_leads_to_the_pages(tmp_path: Path) -> None:
    inside = tmp_path / "pages" / "a b#.html"
    entries = [
        Entry(name="<a b#>", page=inside, duration=60, result="cleaned", warnings=1),
        Entry(name="broken", page=None, duration=0, result="is <no> recording", warnings=0),
    ]
    write_index(tmp_path / "index.html", entries)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    links = [value for name, value in page.attributes if name == "href"]
    assert links == ["pages/a%20b%23.html"]
    assert "<a b#>" in page.text
    assert "is <no> recording" in page.text
    write_index(tmp_path / "elsewhere" / "index.html", entries)
    assert 'href="../pages/' in (tmp_path / "elsewhere" / "index.html").read_text()


def test_heart_rate_of_a_real_ecg(pair: tuple[Recording, Recording]) -> None:
    # Its annotations have 72 beats in the minute.
    rates = [heart_rate(pair[1].excerpt(t, WINDOW).signal[:, 0], 360) for t in windows(60)]
    assert len(rates) == 4
    assert np.median(rates) == pytest.approx(72, abs=4)


def test_where_there_is_no_beat_there_is_no_rate() -> None:
    for signal in (np.zeros(5400), np.full(5400, np.nan), np.ones(10), np.arange(50.0)):
        assert np.isnan(heart_rate(signal, 360))


@pytest.mark.parametrize(("duration", "count"), [(3, 1), (60, 4), (1800, 120), (86400, 120)])
def test_rates_are_told_at_so_many_places(duration: float, count: int) -> None:
    times = list(windows(duration))
    assert len(times) == count
    assert times[0] == 0
    assert max(times) <= max(duration - WINDOW, 0)
