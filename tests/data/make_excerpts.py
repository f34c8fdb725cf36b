"""Cut the excerpts used by the tests and shipped as examples from the full databases.

    python tests/data/make_excerpts.py DATASETS_ROOT

``DATASETS_ROOT`` holds ``qt-database-1.0.0`` and ``mit-bih-noise-stress-test-database-1.0.0`` as
published by PhysioNet. The digital values, gains, baselines and comments are those of the source;
only the length, the first value and the checksum in the header change, and one comment is added.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import wfdb  # type: ignore[import-untyped]

QTDB = "qt-database-1.0.0"
NSTDB = "mit-bih-noise-stress-test-database-1.0.0"
TESTS = Path(__file__).resolve().parent / "datasets"
EXAMPLES = Path(__file__).resolve().parents[2] / "src" / "ipmdae" / "examples"


@dataclass(frozen=True)
class Excerpt:
    """Which stretch of a record to take (in samples), and what to call it."""

    source: str
    start: int
    stop: int
    annotators: tuple[str, ...]
    target: Path


def excerpts() -> list[Excerpt]:
    """Experts marked beats in the QT Database from 10:00 on.

    118e* hold the noise of em at the same time, every second two minutes; what lies before 15:00
    is training noise, so the excerpts are taken from the noisy stretch at 21:00.
    """
    qtdb = {
        "sel100": ("pu1", "q1c", "atr"),
        "sele0121": ("pu1", "q1c", "atr"),
        "sele0122": ("pu1", "q1c", "atr"),
        "sel36": ("pu1", "q1c"),
        "sel52": ("pu1", "q1c"),
    }
    cuts = [
        Excerpt(f"{QTDB}/{name}", 150_000, 165_000, annotators, TESTS / QTDB / name)
        for name, annotators in qtdb.items()
    ]
    cuts += [
        Excerpt(f"{NSTDB}/{name}", 0, 120 * 360, (), TESTS / NSTDB / name)
        for name in ("bw", "em", "ma")
    ]
    for name in ("118e06", "118e24"):
        start = (21 * 60 + 30) * 360
        cuts += [
            Excerpt(f"{NSTDB}/{name}", start, start + 30 * 360, ("atr",), TESTS / NSTDB / name),
            Excerpt(
                f"{NSTDB}/{name}", start, start + 60 * 360, ("atr",), EXAMPLES / f"{name}_excerpt"
            ),
        ]
    return cuts


def cut(root: Path, excerpt: Excerpt) -> None:
    """Write header, signal and annotations of one excerpt, replacing what is there."""
    source, name = root / excerpt.source, excerpt.target.name
    digital = wfdb.rdrecord(
        str(source), sampfrom=excerpt.start, sampto=excerpt.stop, physical=False
    )
    excerpt.target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=excerpt.target.parent) as folder:
        wfdb.wrsamp(
            name,
            fs=digital.fs,
            units=digital.units,
            sig_name=digital.sig_name,
            d_signal=digital.d_signal,
            fmt=digital.fmt,
            adc_gain=digital.adc_gain,
            baseline=digital.baseline,
            write_dir=folder,
        )
        written = wfdb.rdheader(str(Path(folder) / name))
        (Path(folder) / f"{name}.dat").replace(excerpt.target.with_name(f"{name}.dat"))
    lines = source.with_suffix(".hea").read_text().splitlines()
    header = [" ".join([name, *lines[0].split()[1:3], str(digital.sig_len)])]
    for line, first, checksum in zip(lines[1:], written.init_value, written.checksum, strict=False):
        fields = line.split(maxsplit=8)
        header.append(" ".join([f"{name}.dat", *fields[1:5], f"{first} {checksum}", *fields[7:]]))
    header += lines[1 + digital.n_sig :]
    header.append(f"# Excerpt: samples {excerpt.start} to {excerpt.stop} of {source.name}")
    excerpt.target.with_name(f"{name}.hea").write_text("\n".join(header) + "\n")
    for annotator in excerpt.annotators:
        cut_annotations(source, excerpt, annotator)


def cut_annotations(source: Path, excerpt: Excerpt, annotator: str) -> None:
    """Write the annotations that fall inside the excerpt, counted from its start."""
    marks = wfdb.rdann(
        str(source), annotator, sampfrom=excerpt.start, sampto=excerpt.stop - 1, shift_samps=True
    )
    with tempfile.TemporaryDirectory(dir=excerpt.target.parent) as folder:
        # wfdb writes no annotator whose name holds a digit; the file's content does not know it.
        wfdb.wrann(
            excerpt.target.name,
            "letters",
            sample=marks.sample,
            symbol=marks.symbol,
            subtype=marks.subtype,
            chan=marks.chan,
            num=marks.num,
            aux_note=marks.aux_note,
            fs=marks.fs,
            write_dir=folder,
        )
        written = Path(folder) / f"{excerpt.target.name}.letters"
        written.replace(excerpt.target.with_name(f"{excerpt.target.name}.{annotator}"))


def main() -> None:
    """Cut every excerpt, and list the records of each database."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    made = excerpts()
    for excerpt in made:
        cut(Path(sys.argv[1]), excerpt)
    for database in (QTDB, NSTDB):
        names = sorted(e.target.name for e in made if e.target.parent == TESTS / database)
        (TESTS / database / "RECORDS").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
