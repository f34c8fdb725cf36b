"""Page of protocol hearts, from stored results."""

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
# Effect on arrhythmias, ST segments and test signals

SNR tables reward the removal of noise. This page measures what a method removes from the ECG
itself: waves and beats that sinus rhythm does not have, real arrhythmias, ST segments, test
signals; and whether segments with such losses are rejected as unreadable. No network that ships was
trained on these patients, rhythms or minutes of noise, except for the noise of records 118e* and
119e*. Made by

```
ipmdae benchmark run --protocol hearts --jobs 2
```

`ipmdae benchmark report --protocol hearts` writes the page again from the stored results.
`hearts.csv` holds the numbers. A method with options is written `method+option=value`.

## Goals

*Rejected* means graded unusable by the method itself; for a filter that is only missing, flat or
physiologically impossible signal. A dash: not measured.
"""

_MISSED = """\
## Missed goals

- *Components, 5th percentile and baseline wander.* Small waves, P and f waves most of all, are of
  the size and band of electrode motion; a network that removes one removes some of the other. The
  losses are in leads with noise of their own or added to them: their seconds are graded *limited*
  or *unusable*. Where a second is graded good, the goal is reached (second table below). Mode
  `diagnostic` preserves more and removes less noise; `gentle` removes baseline wander only.
- *Beats that lose > 30 % of their height, ST steps at the 95th percentile.* Likewise: compare the
  rows *graded good*, which the smaller networks miss by less.
- *Predictivity of R peaks in whole recordings.* Unreadable segments show the recorded signal,
  band-pass filtered, with every beat and every artefact in it; a detector finds as many false beats
  there as before. With `--unreadable blank` it finds none. In readable segments both goals are
  reached.
- *Triangle of 20 ms, false detections in pauses.* The triangle is narrower than any wave of an ECG;
  some of it is treated as muscle noise. In a pause with strong noise, some of the noise remains and
  is counted as beats by a detector whose threshold adapts to it.
"""

_COMPONENTS = """\
## Components added to real leads

To the quietest 30 s of each of {leads} leads (14 test records of the QT Database, 6 records of the
MIT-BIH Arrhythmia Database) a component c is added, with noise and without; its gain is ⟨f(x + c) -
f(x), c⟩ / ⟨c, c⟩, less constant offsets, over the middle 20 s: 1 means preserved, 0 removed as
noise. f waves: 4-9 Hz, 0.02-0.2 of the ECG's amplitude; flutter: saw-tooth of 3.3-6 Hz, 0.1-0.3;
dissociated P waves: 60-110 a minute, 0.05-0.15; PVCs: 0.12-0.18 s wide, discordant T, 0.8-1.6 of
the beats' height, in place of a beat; ST shift: 0.1-0.3, locked to the beats; VF: fine 0.08-0.2,
coarse 0.4-1, in place of the beats; fast rates: the lead's own QRS. Baseline wander: two sines (0.3
mV at 0.25 Hz, 0.15 mV at 0.4 Hz), or bw at 5 dB.

`{anchor}`: median / 5th percentile over leads, and the share rejected:
"""

_GOOD = """\
The same where the method grades the second good, and the share of the component that is. Where more
than a little is removed the grade is limited: then small waves are to be checked in the recorded
signal.
"""

_REAL = """\
## Real arrhythmia, no noise added

Six complete records of the MIT-BIH Arrhythmia Database. Share of beats that lose more than 30 % of
their height, %, lead 0 / lead 1 (some beats coincide with artefacts of the recording, as the
filter's share shows):
"""

_RHYTHMS = """\
Power of atrial waves between beats (4-9 Hz in fibrillation, 3.3-15 Hz in flutter) and height of VF,
both relative to the output of the Butterworth; height of PVCs relative to the recording; medians:
"""

_ST = """\
## ST

ST steps of ±0.1 and ±0.2 mV in the same leads, locked to the beats: error of the step, median /
95th percentile, µV. The tolerance of devices is 20 µV.
"""

_PEAKS = """\
## R peaks under strong motion

Complete records 118e* and 119e* of the noise database, from 5:00 on, counted as in EC57:
sensitivity / positive predictivity in %, in brackets the same for readable segments. The maker of a
cleared commercial product publishes {se} / {ppv} for this database (all SNRs pooled). The records
contain the noise em from its beginning, a loop of ten minutes that includes some training minutes.
"""

_LIMBS = """\
## Consistency of limb leads

Six limb leads computed from two, which obey Einthoven's and Goldberger's equations before
denoising; largest rms deviation of any record after denoising, µV.
"""

_SIGNALS = """\
## Test signals

Triangle and pulse as in IEC 60601-2-25 and -2-47, on a flat line; sines of 0.2 mV on a synthetic
ECG (a steady sine is not a cardiac wave: removing it is right for powerline interference, wrong at
3 to 10 Hz). Heart rates are in the table of components.
"""

_NOTHING = """\
## Pauses and noise-only input

A lead loses its beats for 3 or 10 s, or the input is noise without ECG (0.25 mV rms): detections of
`xqrs` per minute, all / not rejected; and the height of the output in the pause relative to a beat.
"""

_MOTION = """\
## Real motion

Wrist leads of 4 subjects during motion (ECGNExT), segments of 2 s, as recorded and with the motion
amplified three times. The label is the correlation (0.5 to 40 Hz) with the subject's beat at rest
placed at the R peaks of the clean collar-bone lead: good from 0.9, unusable below 0.5. Share graded
readable, %:
"""

_PICTURES = """\
## Pictures

`{anchor}`. Red: input; blue: clean reference, where known; black: output. 5 s each, mV.
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
    """Format the page.

    Args:
        results: of all methods.
        anchor: the method with the full table.
        shown: names of the figures.
    """
    by_name = {result.method: result for result in results}
    raw, reference = by_name.get(RAW), by_name.get(REFERENCE)
    methods = [result for result in results if result.method != RAW]
    methods.sort(key=lambda result: result.method in CLASSICAL)  # filters behind
    sections = [_INTRODUCTION]
    if any(result.done < result.total or result.diverged for result in results):
        parts = ", ".join(result.title("units") for result in results)
        sections.append(f"**Covering part of the test, or diverged: {parts}.**\n")
    sections += [tables.goals(methods or results, raw, reference)]
    sections += [_MISSED, _COMPONENTS.format(leads=len(leads.names()), anchor=anchor.method)]
    sections += [tables.by_condition(anchor), _GOOD, tables.graded_good(anchor)]
    sections += ["All methods, no noise:\n"]
    sections += [tables.by_method(methods, (leads.NONE,)), "All methods, baseline wander:\n"]
    sections += [tables.by_method(methods, leads.WANDER), _REAL, tables.beats_lost(methods)]
    sections += [_RHYTHMS, tables.rhythms(methods), _ST, tables.st_steps(methods)]
    sections += [_PEAKS.format(se=peaks.PUBLISHED[0], ppv=peaks.PUBLISHED[1])]
    for detector in DETECTORS:
        sections += [f"`{detector}`:\n", tables.r_peaks(results, detector)]
    sections += [_LIMBS, tables.limb_leads(methods), _SIGNALS, tables.test_signals(methods)]
    sections += [_NOTHING, tables.nothing_in(results), _MOTION, tables.real_motion(methods)]
    if shown:
        sections.append(_PICTURES.format(anchor=anchor.method))
        titles = {"components": "Components", "real": "Real arrhythmia", "constructed": "Signals"}
        for name in shown:
            title = titles[name.removeprefix("hearts_").removesuffix(".png")]
            sections.append(f"![{title}](figures/{name})\n")
    return "\n".join(sections)
