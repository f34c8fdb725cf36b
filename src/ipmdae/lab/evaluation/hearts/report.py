"""The page "Does it hide, distort or invent?", made from stored results alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ipmdae import figures
from ipmdae.files import replacing
from ipmdae.lab.evaluation.benchmark import Result, anchor_of, load_all
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS
from ipmdae.lab.evaluation.hearts import figures as drawings
from ipmdae.lab.evaluation.hearts import leads, peaks, tables
from ipmdae.lab.evaluation.hearts.method import CLASSICAL, RAW, default_methods
from ipmdae.lab.evaluation.subjects import warn_of_outdated
from ipmdae.methods.network import DEFAULT_MODEL

FOLDER = "hearts"
REFERENCE = CLASSICAL[1]
_DPI = 80

_INTRODUCTION = """\
# Does it hide, distort or invent?

Tables of noise reward a method for what it takes off. This page asks what it takes from the heart:
waves and beats that sinus rhythm does not have, real arrhythmia, ST, test signals; and whether it
says so where it cannot be trusted. No network that ships was trained on these patients, rhythms or
minutes of noise, but for the noise of records 118e* and 119e*. Made by

```
ipmdae benchmark run --protocol hearts --jobs 2
```

and again, from what that stored, by `ipmdae benchmark report --protocol hearts`. `hearts.csv` holds
the numbers. A method with options is written `method+option=value`.

## Goals

"Flagged" is what the method itself calls not readable; a filter flags nothing but what is missing,
flat or impossible. A dash: not measured.
"""

_COMPONENTS = """\
## Components added to real leads

To the quietest 30 s of each of {leads} leads (14 test records of the QT Database, 6 records of the
MIT-BIH Arrhythmia Database) a component c is added, with noise and without; its gain is
⟨f(x + c) - f(x), c⟩ / ⟨c, c⟩, less constant offsets, over the middle 20 s: 1 comes through, 0 is
taken for noise. f waves: 4-9 Hz, 0.02-0.2 of the ECG's size; flutter: saw-tooth of 3.3-6 Hz,
0.1-0.3; dissociated P waves: 60-110 a minute, 0.05-0.15; PVCs: 0.12-0.18 s wide, discordant T,
0.8-1.6 of the beats' height, in place of a beat; ST shift: 0.1-0.3, locked to the beats; VF: fine
0.08-0.2, coarse 0.4-1, in place of the beats; fast rates: the lead's own QRS. Wander: two sines
(0.3 mV at 0.25 Hz, 0.15 mV at 0.4 Hz), or bw at 5 dB.

`{anchor}`: median / 5th percentile over leads, and the share flagged:
"""

_REAL = """\
## Real arrhythmia, nothing added

Six records of the MIT-BIH Arrhythmia Database, whole. Beats that lose more than 30 % of their
height, % of all, lead 0 / lead 1 (some of a lead's beats lie under its own artefacts, as the filter
shows):
"""

_RHYTHMS = """\
Power of atrial waves between beats (4-9 Hz in fibrillation, 3.3-15 Hz in flutter) and height of VF,
both relative to what the Butterworth leaves; height of PVCs relative to the recording; medians:
"""

_ST = """\
## ST

ST steps of ±0.1 and ±0.2 mV in the same leads, locked to the beats: error of the step, median /
95th percentile, µV. Devices promise 20 µV.
"""

_PEAKS = """\
## R peaks under strong motion

Records 118e* and 119e* of the noise database as a whole, from 5:00 on, as EC57 counts:
sensitivity / positive predictivity in %, in brackets what is called readable. The maker of a
commercial product that authorities cleared publishes {se} / {ppv} for this database (all SNRs
together). The records hold the noise em from its beginning on, a loop of ten minutes: some of these
minutes train.
"""

_LIMBS = """\
## Limb leads that agree

Six limb leads made of two, which obey Einthoven and Goldberger before cleaning; the largest rms of
any record after it, µV.
"""

_SIGNALS = """\
## Test signals

Triangle and pulse as in IEC 60601-2-25 and -2-47, on a flat line; sines of 0.2 mV on a constructed
ECG (a steady sine is no wave of a heart: to take it off is right where it is hum, wrong at 3 to
10 Hz). Rates are in the table of components.
"""

_NOTHING = """\
## Nothing in

A lead loses its beats for 3 or 10 s, or there is noise alone (0.25 mV rms): marks of `xqrs` a
minute, in all / not flagged; and the height left in the pause, of that of a beat.
"""

_MOTION = """\
## Real motion

Wrist leads of 4 people under motion (ECGNExT), pieces of 2 s, as recorded and with the motion three
times as strong. The label is the correlation (0.5 to 40 Hz) with the person's own quiet beat placed
at the R peaks of the clean collar-bone lead: good from 0.9, unusable below 0.5. Called readable, %:
"""

_PICTURES = """\
## Pictures

`{anchor}`. Red: as given; blue: without noise, where that is known; black: cleaned. 5 s each, mV.
Components with baseline wander (bw) at 5 dB, the lead with the least gain and the median lead:
"""


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``hearts.md``, ``hearts.csv`` and figures; see
    :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / FOLDER, default_methods())
    if not stored:
        return []
    warn_of_outdated(stored)
    anchor = anchor_of(stored, against, DEFAULT_MODEL) or stored[-1]
    paths = [output / "hearts.md", output / "hearts.csv"]
    drawn = {
        f"hearts_{draw.__name__}.png": draw(anchor)
        for draw in (drawings.components, drawings.real, drawings.constructed)
    }
    shown = [name for name, figure in drawn.items() if figure is not None]
    with replacing(paths[0]) as aside:
        aside.write_text(markdown(stored, anchor, shown), encoding="utf-8")
    tables.write_csv(stored, paths[1])
    for name, figure in drawn.items():
        if figure is not None:
            paths.append(output / "figures" / name)
            figures.save(figure, paths[-1], dpi=_DPI)
    return paths


def markdown(results: Sequence[Result], anchor: Result, shown: Sequence[str] = ()) -> str:
    """The page.

    Args:
        results: of all methods.
        anchor: the method that is shown in full.
        shown: names of the figures.
    """
    by_name = {result.method: result for result in results}
    raw, reference = by_name.get(RAW), by_name.get(REFERENCE)
    methods = [result for result in results if result.method != RAW]
    methods.sort(key=lambda result: result.method in CLASSICAL)  # filters behind
    told = [_INTRODUCTION]
    if any(result.done < result.total or result.diverged for result in results):
        parts = ", ".join(result.title("units") for result in results)
        told.append(f"**Of a part of the test, or diverged: {parts}.**\n")
    told += [tables.goals(methods or results, raw, reference)]
    told += [_COMPONENTS.format(leads=len(leads.names()), anchor=anchor.method)]
    told += [tables.by_condition(anchor), "All methods, no noise:\n"]
    told += [tables.by_method(methods, (leads.NONE,)), "All methods, wander:\n"]
    told += [tables.by_method(methods, leads.WANDER), _REAL, tables.beats_lost(methods)]
    told += [_RHYTHMS, tables.rhythms(methods), _ST, tables.st_steps(methods)]
    told += [_PEAKS.format(se=peaks.PUBLISHED[0], ppv=peaks.PUBLISHED[1])]
    for detector in DETECTORS:
        told += [f"`{detector}`:\n", tables.r_peaks(results, detector)]
    told += [_LIMBS, tables.limb_leads(methods), _SIGNALS, tables.test_signals(methods)]
    told += [_NOTHING, tables.nothing_in(results), _MOTION, tables.real_motion(methods)]
    if shown:
        told.append(_PICTURES.format(anchor=anchor.method))
        titles = {"components": "Components", "real": "Real arrhythmia", "constructed": "Signals"}
        for name in shown:
            title = titles[name.removeprefix("hearts_").removesuffix(".png")]
            told.append(f"![{title}](figures/{name})\n")
    return "\n".join(told)
