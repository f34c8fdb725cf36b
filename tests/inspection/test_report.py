"""The pages about cleaned recordings: what they say, and that nothing in a file can harm them."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ipmdae import examples, formats
from ipmdae.formats.blocks import WholeReader
from ipmdae.inspection.files import Inspector
from ipmdae.inspection.verdict import Verdict, verdicts
from ipmdae.pipeline.blocks import Trust
from ipmdae.recording import Recording
from ipmdae.report import Entry, ReportInput, write_figure, write_index, write_page

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def pair() -> tuple[Recording, Recording]:
    noisy, clean = (
        formats.read(examples.path(n), annotations=False)
        for n in ("118e06_excerpt", "118e24_excerpt")
    )
    return noisy, clean


def subject(
    noisy: Recording,
    clean: Recording,
    trust: NDArray[np.uint8] | None = None,
    unchanged: dict[str, str] | None = None,
    **others: Any,
) -> ReportInput:
    inspector = Inspector(noisy.header, heart_rates=noisy.duration > 15)
    inspector.add(noisy.signal, clean.signal, np.full(noisy.signal.shape, 0.02), trust)
    found = inspector.result()
    given = ReportInput(
        name="noisy.edf",
        source="data/noisy.edf",
        target="cleaned.edf",
        method="halved",
        card={"limits": "none & <all>", "trained": {"epochs": 7, "rate": 0.5}},
        settings={"strength": "1"},
        found=found,
        verdicts=verdicts(found, unchanged),
        warnings=[],
        noisy=WholeReader(noisy),
        cleaned=WholeReader(clean),
    )
    return dataclasses.replace(given, **others)


def written(folder: Path, noisy: Recording, clean: Recording, **others: Any) -> Page:
    write_page(folder / "report.html", subject(noisy, clean, **others))
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def rows(path: Path) -> str:
    """The texts of a page, with single spaces between them."""
    text = re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def many_leads(recording: Recording, count: int, seconds: float = 10) -> Recording:
    """Mixtures of two leads; twelve have the standard names."""
    mix = np.random.default_rng(count).normal(size=(2, count))
    names = ("I", "II", "III", "aVR", "aVL", "aVF", *(f"V{i}" for i in range(1, 7)))
    part = recording.excerpt(0, seconds)
    return Recording(
        signal=part.signal @ mix,
        fs=part.fs,
        leads=names if count == 12 else tuple(f"c{i}" for i in range(count)),
    )


def test_a_page_tells_all_and_needs_no_other_file(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    page = written(tmp_path, *pair)
    for told in (
        "not a medical device and must not be used to diagnose",
        "2 of 2 leads cleaned. Of all seconds of these, 0 % good, 100 % limited",
        "60.0 s at 360 Hz",
        "date not known",
        "below 0.7 Hz",
        "none & <all>",
        "Model card: halved",
        "strength",
    ):
        assert told in " ".join(page.text.split())
    assert page.tags.count("h1") == 1
    assert {"main", "section", "table", "caption", "figure", "details"} <= set(page.tags)
    assert not {"script", "link", "iframe"} & set(page.tags)
    for name, value in page.attributes:
        assert name not in ("src", "href") or (value or "").startswith("data:image/png;base64,")
    assert "url(" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.glob("*.html")] == ["report.html"]


def test_the_verdict_comes_first_and_the_card_is_folded(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    written(tmp_path, *pair)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    order = ["leads cleaned.", "Verdict on each lead", "<img", "<details", "Model card"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)
    assert "<details open" not in text


def test_each_picture_is_one_and_has_a_text(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    page = written(tmp_path, *pair)
    assert len(page.images) == 3 + 3  # strips at three places; overview, heart rate, spectra
    for image in page.images:
        assert len(image["alt"] or "") > 20
        assert b64decode((image["src"] or "").split(",")[1]).startswith(b"\x89PNG")
        assert re.fullmatch(r"width: [\d.]+mm", image["style"] or "")
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
    trust = np.zeros(signal.shape, np.uint8)
    trust[360 * 50 : 360 * 53, 0] = Trust.UNTRUSTED
    written(tmp_path, noisy.with_signal(signal), clean, trust=trust)
    listed = rows(tmp_path / "report.html")
    assert "V1 5 4 missing" in listed
    assert "MLII 50 3 motion" in listed
    assert "What cannot be used" in listed


def test_twelve_leads_are_one_sheet(tmp_path: Path, pair: tuple[Recording, Recording]) -> None:
    noisy, clean = (many_leads(recording, 12) for recording in pair)
    page = written(tmp_path, noisy, clean)
    assert len(page.images) == 1 + 1  # the sheet, and folded spectra
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
    write_figure(tmp_path / "sheet.png", subject(noisy, clean))
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_of_very_many_leads_the_poorest_are_shown(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    noisy, clean = (many_leads(recording, 60, 3) for recording in pair)
    signal = noisy.signal.copy()
    signal[:, 41] = np.nan
    page = written(tmp_path, noisy.with_signal(signal), clean)
    assert "12 leads of 60" in page.text
    assert "and 20 leads that are better" in page.text
    assert "c41" in page.text


def test_a_long_recording_opens_part_by_part(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    noisy, clean = (r.with_leads([1]) for r in pair)
    long = [Recording.from_array(np.tile(r.signal, (25, 1)), r.fs, r.leads) for r in (noisy, clean)]
    signal = long[0].signal.copy()
    signal[360 * 605 : 360 * 611] = np.nan
    page = written(tmp_path, long[0].with_signal(signal), long[1])
    parts = page.tags.count("summary")
    assert parts == 13 + 4  # two minutes each; stretches, spectra, settings, card
    text = " ".join(page.text.split())
    assert "10:00 to 12:00" in text
    assert "missing 6 s" in text
    assert (tmp_path / "report.html").stat().st_size < 1_500_000


@pytest.mark.parametrize("seconds", [0.3, 3, 25])
def test_short_recordings_have_a_page(
    tmp_path: Path, pair: tuple[Recording, Recording], seconds: float
) -> None:
    page = written(tmp_path, *(recording.excerpt(0, seconds) for recording in pair))
    assert ("The beginning" in page.text) == (seconds > 10)


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
        ).excerpt(0, 20)
        for recording in pair
    )
    written(tmp_path, noisy, clean, unchanged={"none": "without samples", "flat": "flat"})
    listed = rows(tmp_path / "report.html")
    assert "none left 0 %" in listed
    assert "left unchanged: without samples" in listed


def test_nothing_that_a_file_holds_becomes_markup_or_control(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    evil = '"><script>alert(1)</script>{{ 7 * 7 }}\x1b[2J\u202e'
    noisy, clean = (
        dataclasses.replace(r.excerpt(0, 3), leads=(evil, "V1"), comments=(evil,)) for r in pair
    )
    page = written(
        tmp_path,
        noisy,
        clean,
        name=evil,
        source=evil,
        card={evil: evil},
        unchanged={evil: evil},
        settings={evil: evil},
        warnings=[evil],
    )
    assert "script" not in page.tags
    assert page.text.count("<script>alert(1)</script>{{ 7 * 7 }}\\x1b[2J\\u202e") >= 8
    assert not {"\x1b", "\u202e"} & set((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_page_that_fails_leaves_nothing(
    tmp_path: Path, pair: tuple[Recording, Recording]
) -> None:
    given = subject(pair[0].excerpt(0, 3), pair[1].excerpt(0, 3))
    broken = dataclasses.replace(given, cleaned=WholeReader(pair[1].excerpt(0, 2)))
    with pytest.raises(ValueError, match="same leads and samples"):
        write_page(tmp_path / "report.html", broken)
    assert not list(tmp_path.glob("*.html"))


def test_the_index_leads_to_the_pages_what_needs_a_look_first(tmp_path: Path) -> None:
    def verdict(good: float, **others: Any) -> Verdict:
        return Verdict(lead="<i>", good=good, limited=0.0, unusable=1 - good, **others)

    inside = tmp_path / "pages" / "a b#.html"
    entries = [
        Entry(name="<a b#>", page=inside, duration=60, verdicts=[verdict(1.0)]),
        Entry(name="fair", page=None, duration=60, verdicts=[verdict(0.8), verdict(0.9)]),
        Entry(
            name="moved",
            page=None,
            duration=60,
            verdicts=[verdict(1.0, rate_before=60.0, rate_after=90.0)],
        ),
        Entry(name="broken", page=None, error="is <no> recording"),
        Entry(name="poor", page=None, duration=60, verdicts=[verdict(0.1)]),
    ]
    write_index(tmp_path / "index.html", entries)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    links = [value for name, value in page.attributes if name == "href"]
    assert links == ["pages/a%20b%23.html"]
    names = ["broken", "poor", "moved", "fair", "<a b#>"]
    assert [page.text.index(name) for name in names] == sorted(map(page.text.index, names))
    assert "heart rate changed in <i>" in page.text
    assert "is <no> recording" in page.text
    assert "5 recordings: 1 failed, 2 with a lead that is not good." in page.text
    write_index(tmp_path / "elsewhere" / "index.html", entries)
    assert 'href="../pages/' in (tmp_path / "elsewhere" / "index.html").read_text()
