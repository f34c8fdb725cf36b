"""Readers and writers of the web page against those of the package: the same files and results."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
import re
import shutil
import subprocess
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
import test_dates as dates
import test_delimited as delimited
import test_dialects as dialects
import test_edf as edf
import test_exports as exports
import test_steps as steps
import test_table_numbers as numbers
from conftest import DATA
from table_variants import variant
from test_json import kardia

from ipmdae import ReadOptions, formats
from ipmdae.examples import __path__ as EXAMPLES
from ipmdae.formats import FormatError
from ipmdae.recording import Recording, Resolution

WEB = Path(__file__).parents[2] / "web"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (WEB / "node_modules/vite").is_dir(), reason="web/node_modules is missing (npm ci)"
    ),
]

KINDS = ("table", "export", "variant", "record", "edf", "kardia")
REASON = re.compile(r" \((?!fs=|\d).*\)(?=$|;)")
"""Reasons that a library gives within a message, which are its own."""


@dataclass
class Case:
    """Files of a recording, that which names it first, how to read them, and what comes of it."""

    kind: str
    name: str
    files: list[Path]
    options: dict[str, Any] = field(default_factory=dict)
    member: str | None = None
    expected: Recording | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    found: dict[str, Any] = field(default_factory=dict)
    signal: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros((0, 0)))
    written: dict[str, Path] = field(default_factory=dict)

    def read(self) -> None:
        """Read by the package."""
        path = self.files[0].parent / (self.member or self.files[0].name)
        folder = f"{self.files[0].parent}/"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                options = ReadOptions(**self.options)
                if "asked" in self.found:
                    formats.read(path, options=options)  # the package warns instead of asking
                    options = dataclasses.replace(options, unit=self.found["asked"]["likelyUnit"])
                self.expected = formats.read(path, annotations=False, options=options)
            except (FormatError, FileNotFoundError) as error:
                self.error = str(error).replace(folder, "")
        self.warnings = tuple(str(each.message).replace(folder, "") for each in caught)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """All cases, read by the package and, in one process of Node, by the readers of the page."""
    made = tmp_path_factory.mktemp("made")
    out = tmp_path_factory.mktemp("read")
    found = [*_tables(made), *_records(made), *_edf(made), *_kardia(made), *_asked(made)]
    found += [*_broken(made, found), *_heads(made)]
    jobs = [
        {"files": [*map(str, case.files)], "member": case.member} | case.options for case in found
    ]
    (out / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).parents[1] / "helpers" / "web_formats.mjs"
    subprocess.run(["node", "--single-threaded", script, WEB, out], check=True, timeout=300)
    for i, case in enumerate(found):
        case.found = json.loads((out / f"{i}.json").read_text())
        case.read()
        if "recording" in case.found:
            leads = len(case.found["recording"]["leads"])
            case.signal = np.fromfile(out / f"{i}.f64").reshape(leads, -1).T
        case.written = {suffix: out / f"{i}.{suffix}" for suffix in ("csv", "edf")}
    return found


def _saved(folder: Path, name: str, content: str | bytes) -> list[Path]:
    """A file in a folder of its own."""
    own = folder / f"{len(list(folder.iterdir()))}"
    own.mkdir()
    (own / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [own / name]


def _parameters(test: Any) -> Iterator[Any]:
    """The first parameter of each case of a test."""
    for values in test.pytestmark[-1].args[1]:
        yield values[0] if isinstance(values, tuple) else values


def _tables(folder: Path) -> Iterator[Case]:
    texts = [
        *_parameters(delimited.test_tables_of_many_makes),
        *_parameters(delimited.test_broken_tables),
        *(dialects.apple(language) for language in dialects.APPLE),
        dialects.apple("de", ",", "\r\n"),
        *(dialects.apple("de").encode(e) for e in ("utf-8-sig", "utf-16", "utf-16-be", "utf-32")),
        *(f"{head}ecg (uV)\n1\n2\n3\n" for head in _parameters(dialects.test_a_rate_in_the_head)),
        *(*numbers.TIMES_AND_STEPS, *numbers.TWO_STEPS, *numbers.DECIMAL_COMMAS),
        *map(numbers.interrupted, numbers.MISSING),
        *(numbers.RULED, numbers.SETTING, numbers.RAIL),
        *map(numbers.off, numbers.OFF),
        *(numbers.grouped(*columns) for columns in numbers.GROUPED),
        *map(numbers.marked, numbers.MARKERS),
        *(numbers.called(lead).encode(encoding) for encoding, lead in numbers.ENCODINGS),
        *map(dialects.headed, (*dialects.HEADINGS, "V")),
        *map(dialects.opensignals, ([10, 10], [4, 1, 10, 10], *dialects.OF_UNKNOWN_BITS)),
    ]
    for i, text in enumerate(texts):
        yield Case("table", f"{i}", _saved(folder, "x.csv", text))
    for i, text in enumerate(_exports()):
        yield Case("export", f"{i}", _saved(folder, "x.csv", text))
    yield Case("table", "polar", _saved(folder, "x.txt", dialects.polar()))
    yield Case("table", "gzip", _saved(folder, "x.csv.gz", gzip.compress(texts[0].encode())))
    for seed in range(120):
        content, options = variant(seed)
        yield Case("variant", f"{seed}", _saved(folder, "x.csv", content), options)
    export = _saved(folder, "export.zip", b"")
    ecgs = "apple_health_export/electrocardiograms"
    with zipfile.ZipFile(export[0], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export.csv", "a,b\n1,2\n")
        for language in ("en", "fr"):
            archive.writestr(f"{ecgs}/{language}.csv", dialects.apple(language))
    yield Case("table", "export", export)
    yield Case("table", "export/fr", export, member=f"export.zip/{ecgs}/fr.csv")


def _exports() -> Iterator[str]:
    """The tables of the tests of programs' exports."""
    for test in (
        exports.test_the_rate_of_a_head_with_others,
        exports.test_the_start_of_a_head_with_other_dates,
        exports.test_a_head_of_as_many_cells_as_the_table,
        exports.test_a_column_with_a_word_now_and_then_is_left_out,
        exports.test_thousands_separators,
        exports.test_a_row_for_each_lead_is_refused,
        exports.test_an_oscilloscope_states_beside_the_data,
        exports.test_labchart,
        exports.test_labview,
        exports.test_acqknowledge,
        exports.test_forms_of_times,
        exports.test_what_is_below_a_table_is_named,
        exports.test_a_lead_in_some_rows_only,
    ):
        yield from _parameters(test)
    yield from (*exports.UNSCALED, *map(exports.scaled, exports.SCALES))
    yield from (exports.counted(*days[:2]) for days in exports.DAYS)
    yield exports.clocked("%Y-%m-%d %H:%M:%S.MS") + "the end;\n"
    yield from exports.doubtful()
    yield exports.noted(9000, 8000)


def _records(folder: Path) -> Iterator[Case]:
    for header in sorted([*DATA.rglob("*.hea"), *Path(EXAMPLES[0]).glob("*.hea")]):
        beside = sorted(header.parent.glob(f"{header.stem}.*"))
        yield Case("record", header.stem, [header, *(f for f in beside if f != header)])
    rng = np.random.default_rng(0)
    for format in ("80", "212", "310", "311", "16", "24", "32", "61", "160", "8"):
        for leads in (1, 2, 3):
            lines = [f"x.dat {format} 200/uV 12 0 {i} 0 0 L{i}" for i in range(leads)]
            samples = rng.integers(0, 256, 120 * leads * 4, np.uint8)
            if format == "311":
                samples[3::4] &= 0x3F  # the other bits belong to no sample
            files = _saved(folder, "x.hea", "\n".join([f"x {leads} 250 120", *lines, "# a note"]))
            files[0].with_name("x.dat").write_bytes(samples.tobytes())
            yield Case("record", format, [*files, files[0].with_name("x.dat")])
    several = {
        "skew": "x 2 100 50\nx.dat 16:2 1000 16 0 0 0 0 II\nx.dat 16 1000 16 0 0 0 0 V\n",
        "no length": "x 2 250 \nx.dat 16\nx.dat 16\n",
        "offset": "x 1 250/360(0) 60 10:11:12.5 01/02/2003\nx.dat 16+24 10(5)/µV 12 0 0 0 0 a  b\n",
        "challenge": "x 1 250 60 12-May-2020 12:33:59\nx.dat 16 200\n",
        "no file": "x 2 250 10\ny.dat 16\ny.dat 16\n",
        "cut off": "x 1 250 1000\nx.dat 16\n",
        "flac": "x 1 250 10\nx.dat 99\n",
        "malformed": "x two 250 10\nx.dat 16\n",
        "segments": "x/4 2 250 60 10:11:12 01/02/2003\na 20\n~ 10\na 20\nb 10\n",
        "by name": "x/3 2 250 30\nlayout 0\na 20\nb 10\n",
        "no segment": "x/1 1 250 5\nc 5\n",
    }
    parts = {
        "a.hea": "a 2 250 20\nx.dat 16 200/mV 12 0 0 0 0 II\nx.dat 16 200/mV 12 0 0 0 0 V\n",
        "b.hea": "b 2 250 10\nx.dat 16 500/mV 12 0 0 0 0 V\nx.dat 16 500/mV 12 0 0 0 0 II\n",
        "layout.hea": "layout 2 250 0\n~ 0 200 16 0 0 0 0 II\n~ 0 200 16 0 0 0 0 V\n",
    }
    for name, described in several.items():
        files = _saved(folder, "x.hea", described)
        files[0].with_name("x.dat").write_bytes(rng.integers(-900, 900, 124, np.int16).tobytes())
        for other, text in parts.items():
            files[0].with_name(other).write_text(text)
        yield Case("record", name, [*files, *sorted(files[0].parent.glob("[!x]*")),
                                    files[0].with_name("x.dat")])  # fmt: skip


def _edf(folder: Path) -> Iterator[Case]:
    def signal(label: str, fs: float, unit: str) -> edfio.EdfSignal:
        digital = np.random.default_rng(len(label)).integers(-3000, 3000, round(10 * fs))
        return edfio.EdfSignal.from_digital(
            digital.astype(np.int16), fs, label=label, physical_dimension=unit,
            physical_range=(-3200, 3200),
        )  # fmt: skip

    sets = [
        [signal("EEG Fpz-Cz", 100, "uV"), signal("ECG II", 250, "uV"), signal("Resp", 25, "V"),
         signal("ECG V5", 250, "uV"), signal("Pressure", 250, "mmHg")],
        [signal("EOG", 100, "uV"), signal("aVR", 100, "mV")],
        [signal("a", 100, "uV"), signal("b", 50, "uV")],
        [signal(label, 100, "uV") for label in ("Fp1", "C3", "C4-A1", "ECG")],
    ]  # fmt: skip
    for i, signals in enumerate(sets):
        path = _saved(folder, "x.edf", b"")[0]
        edfio.Edf(signals, annotations=[edfio.EdfAnnotation(1.5, 3, "Apnea")]).write(path)
        yield Case("edf", f"{i}", [path])
        spelt = path.read_bytes().replace(b"uV      ", "µVolts ".encode())
        yield Case("edf", f"{i} µ", _saved(folder, "x.edf", spelt), {"unit": "2uV"})
    rng = np.random.default_rng(1)
    gaps = rng.normal(size=(1100, 2))
    gaps[100:140, 1] = gaps[1099] = np.nan
    for suffix in (".edf", ".bdf"):
        path = _saved(folder, f"x{suffix}", b"")[0]
        leads = ("Brustwandableitung links außen", "V5")
        units = ("mV", "breaths/minute")
        start = datetime(2026, 3, 14, 9, 15, 0, 250000)
        r = Recording(signal=gaps, fs=250, leads=leads, units=units, start=start, comments=("é",))
        formats.write(r, path)
        yield Case("edf", suffix, [path])
    data = path.with_suffix(".edf").parent.parent
    formats.write(Recording.from_array(np.sin(np.arange(1000) / 20), 250, ("II",)), data / "d.edf")
    parted = (data / "d.edf").read_bytes().replace(b"EDF+C", b"EDF+D")
    parted = parted.replace(b"+2\x14\x14", b"+6\x14\x14").replace(b"+3\x14\x14", b"+8\x14\x14")
    (data / "d.edf").unlink()
    yield Case("edf", "interrupted", _saved(folder, "x.edf", parted))
    yield Case("asked", "unit", _saved(folder, "x.edf", parted.replace(b"mV ", b"   ")))
    for name, fields in edf.READABLE.items():
        yield Case("edf", name, [edf.altered(_saved(folder, "x.edf", b"")[0], **fields)])
    for name, (fields, _) in edf.DATES.items():
        path = edf.altered(_saved(folder, "x.edf", b"")[0], time="09.15.00", **fields)
        yield Case("edf", f"date {name}", [path])
    for end in (b"", b"\0" * 1560, b"\xff" * 1560):
        path = _saved(folder, "x.edf", b"")[0]
        edf.interrupted_writing(path)
        edf.appended(path, end)
        yield Case("edf", f"records that are not announced {end[:1]!r}", [path])
    path = _saved(folder, "x.edf", b"")[0]
    edf.partly_in_steps(path)
    yield Case("edf", "steps", [path])
    path = edf.altered(_saved(folder, "x.edf", b"")[0], low="0", high="0")
    yield Case("edf", "steps of 2 uV", [path], {"unit": "2uV"})
    yield Case("asked", "unit", [path])


def _kardia(folder: Path) -> Iterator[Case]:
    leads = {name: [0, 100, -200, 3000, -1, 7] for name in ("leadI", "leadII", "AVR")}
    changes: list[dict[str, Any]] = [
        {},
        {"samples": leads},
        {"amplitudeResolution": None, "gain": 1e6},
        {"amplitudeResolution": None},
        {"frequency": None},
        {"samples": {"leadI": "x"}},
        {"samples": leads | {"leadI": []}},
        {"samples": {"leadI": []}},
        {"samples": {"leadI": [1, None, 3, 2]}},
    ]
    for change in changes:
        yield Case("kardia", f"{change}", _saved(folder, "x.json", json.dumps(kardia(change))))


def _asked(folder: Path) -> Iterator[Case]:
    """Files that lack what only the user knows, which is their name."""
    texts = {
        "fs": "II (mV)\n1\n2\n",
        "unit": "time,II (counts)\n0,1\n.004,2\n.008,3\n",
        "fs, unit": "II\n1\n2\n3\n",
    }
    for name, text in texts.items():
        yield Case("asked", name, _saved(folder, "x.csv", text))


def _heads(folder: Path) -> Iterator[Case]:
    texts = [
        *map(steps.headed, (*steps.STATED, *steps.NOT_STATED)),
        *map(dates.dated, (*dates.DATED, *dates.UNDATED)),
        *map(dates.stamped, dates.STAMPED),
        *map(dates.rdsamp, ",\t"),
        *map(dates.of_lead, dates.LEADS),
        *map(dates.in_volts, (*dates.VOLTS, "Voltage")),
        *dialects.LISTS,
    ]
    for i, text in enumerate(texts):
        yield Case("table", f"head {i}", _saved(folder, "x.csv", text))


def _broken(folder: Path, whole: list[Case]) -> Iterator[Case]:
    """Files with some bytes cut, overwritten, deleted or put in."""
    rng = random.Random(0)
    for case in rng.choices([c for c in whole if c.files[0].suffix != ".zip"], k=100):
        content = case.files[0].read_bytes()
        for _ in range(rng.choice([1, 1, 3])):
            at, size = rng.randrange(len(content) + 1), rng.choice([0, 1, 4, 60])
            new = rng.choice([b"", b"\xff", b"\0\0", b"-1", b"99999999", b'"', b"\n", b",;"])
            content = content[:at] + new + content[at + size :]
        files = [*_saved(folder, case.files[0].name, content or b"\0")]
        for other in case.files[1:]:
            shutil.copy(other, files[0].parent)
        beside = [files[0].with_name(other.name) for other in case.files[1:]]
        yield Case("broken", case.name, [*files, *beside], case.options)


def _differences(case: Case) -> Iterator[str]:
    """What the page finds otherwise than the package."""
    found = case.found
    said = found.get("error") or found.get("message")
    if case.expected is None or said:
        if said is None or REASON.sub("", said) != REASON.sub("", case.error):
            yield f"says {said!r} instead of {case.error!r}"
        return
    recording, r = found["recording"], case.expected
    leads = recording["leads"]
    pairs: dict[str, tuple[object, object]] = {
        "leads": (tuple(lead["name"] for lead in leads), r.leads),
        "units": (tuple(lead["unit"] for lead in leads), r.units),
        "start": (recording.get("start"), r.start and r.start.isoformat()),
        "comments": (tuple(recording["comments"]), r.comments),
        "shape": (case.signal.shape, r.signal.shape),
    }
    if "asked" not in found:
        ours = [text for text in found["warnings"] if "kept by the command" not in text]
        theirs = [text for text in case.warnings if "copied unchanged" not in text]
        pairs["warnings"] = (ours, theirs)
    yield from (f"{name}: {a} instead of {b}" for name, (a, b) in pairs.items() if a != b)
    if recording["fs"] != pytest.approx(r.fs, rel=1e-9):
        yield f"{recording['fs']} Hz instead of {r.fs} Hz"
    if case.signal.shape == r.signal.shape:
        same = np.isclose(case.signal, r.signal, rtol=1e-12, atol=1e-12, equal_nan=True)
        if not same.all():
            yield f"{(~same).sum()} samples differ"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_files_are_read_as_the_package_reads_them(cases: list[Case], kind: str) -> None:
    chosen = [case for case in cases if case.kind == kind]
    assert len(chosen) > 5
    failed = {f"{c.name} {c.options}": [*_differences(c)] for c in chosen if any(_differences(c))}
    assert failed == {}


def test_what_a_file_does_not_say_is_asked(cases: list[Case]) -> None:
    needs = {c.name: c.found["needs"] for c in cases if c.kind == "asked"}
    assert needs == {name: name.split(", ") for name in needs}
    asked = [case for case in cases if "asked" in case.found]
    assert {case.found["asked"]["likelyUnit"] for case in asked} == {"mV", "uV"}


def test_broken_files_are_read_or_refused_in_one_line(cases: list[Case]) -> None:
    for case in (case for case in cases if case.kind == "broken"):
        said = case.found.get("error", "")
        assert not said.startswith("crash")
        assert said.isprintable()
        if not said and case.expected is not None and "recording" in case.found:
            assert list(_differences(case)) == []


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "edf"])
def test_what_is_written_the_package_reads(cases: list[Case], suffix: str) -> None:
    written = [case for case in cases if case.written[suffix].exists() and case.expected]
    assert len(written) > 100
    for case in written:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = formats.read(case.written[suffix], fs=case.found["recording"]["fs"])
        before, leads = case.signal, case.found["recording"]["leads"]
        assert again.leads == tuple(lead["name"] for lead in leads)
        assert again.comments == (tuple(case.found["recording"]["comments"]) * (suffix == "edf"))
        assert again.samples == len(before)
        for i, lead in enumerate(leads):
            known = before[~np.isnan(before[:, i]), i]
            step = _step(lead, known) if suffix == "edf" or "resolution" in lead else 1e-6
            in_volts = lead["unit"] == "V" and again.units[i] == "mV"
            after = again.signal[:, i] / (1000 if in_volts else 1)
            np.testing.assert_allclose(after, before[:, i], rtol=0, atol=0.51 * step)


def test_edf_is_written_as_the_package_writes_it(cases: list[Case], tmp_path: Path) -> None:
    """Byte by byte, for records that both read to the last bit."""
    records = [c for c in cases if c.kind == "record" and c.written["edf"].exists() and c.expected]
    assert len(records) > 20
    for case in records:
        assert case.expected is not None
        bare = dataclasses.replace(case.expected, metadata={})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            formats.write(bare, tmp_path / "x.edf")
        assert (tmp_path / "x.edf").read_bytes() == case.written["edf"].read_bytes(), case.name


def _step(lead: dict[str, Any], known: np.ndarray[Any, Any]) -> float:
    """Size of a step in EDF of a lead's values: as it was, or as 16 bits hold their range."""
    if "resolution" in lead and lead["resolution"]["bits"] <= 16:
        return Resolution(**{k: lead["resolution"][k] for k in ("gain", "unit")}).step
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    margin = max((high - low) * 1e-3, 2e-5 * max(abs(low), abs(high), 1.0))
    return float(high - low + 2 * margin) / 65535
