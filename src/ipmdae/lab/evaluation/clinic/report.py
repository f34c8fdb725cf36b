"""Page of protocol clinic from stored results: denoising, distortion, clinical measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from ipmdae import figures
from ipmdae.engine import model_names, model_path
from ipmdae.files import replacing
from ipmdae.lab.evaluation import given, subjects
from ipmdae.lab.evaluation.benchmark import Result, anchor_of, load_all
from ipmdae.lab.evaluation.clinic import figures as drawings
from ipmdae.lab.evaluation.clinic import scores as numbers
from ipmdae.lab.evaluation.clinic import tables
from ipmdae.lab.evaluation.clinic.scores import Score
from ipmdae.lab.evaluation.clinical import report as clinical
from ipmdae.lab.protocols.clinic_test import CLEAN, KINDS

_DPI = 80

_INTRODUCTION = """\
# Protocol clinic: whole leads in mV with real noise

Data: the 14 test records of the QT Database, both leads, denoised lead by lead; from each lead ten
evenly spaced segments of 30 s, less the recording's constant offset and otherwise unprocessed.
Noise: baseline wander, electrode motion, muscle artefact of the MIT-BIH Noise Stress Test Database,
and all three with equal power; both channels, independent in the two leads, from minutes that do
not occur in the training set, repetitions included (`ipmdae.lab.data.nstdb.INTERVALS`;
[nstdb.md](../nstdb.md) shows why a split by time is not enough). No network was trained on these
patients. However, the initial weights of the networks that ship, and the published networks, were
trained on the first 12.5 min of each noise record, and bw and em repeat the test minutes there.
Networks run in mode `monitoring`, with their own output in unreadable segments
(`unreadable="network"`). The only input of a method is the noisy segment. The middle 20 s are
scored, so that edge effects do not count. Made by

```
pip install ".[benchmark,train]"
ipmdae download qtdb nstdb --to datasets
ipmdae benchmark run --protocol clinic --jobs 2
ipmdae benchmark run --protocol clinical --jobs 2
```

(published networks are trained first, see below); `ipmdae benchmark report --protocol clinic`
writes the page again from the stored results.

Measures, each of signals less their own mean over the 20 s: SNR by AC power, its improvement, root
mean squared error, PRD 100 √(Σe² / Σx²), SSD Σe², MAD max |e|, cosine similarity (correlation).
Each cell is the mean of the records' means with its 95 % interval (bootstrap over the 14 records,
10,000 draws). Differences are paired on the same signals. The row `none` is the identity baseline.
`clinic.csv` holds all measures by kind of noise and SNR, `clinical.csv` the clinical ones.

**The "clean" signals are real recordings with some baseline wander and noise of their own.**
Removing that counts as an error, most of all at 5 and 10 dB; the measures above 0.5 Hz (zero-phase
Butterworth high-pass of order 4) exclude the baseline wander.
"""

_CLEAN_TEXT = """\
## Distortion of clean signals

The same segments without added noise. SNR of the output relative to the input; relative AC
distortion, the power of the change as a share of the AC power, in total and per frequency band
(sums over a record). Below 0.67 Hz the recordings contain baseline wander and slow components of T
waves and ST segments; above 40 Hz the steep slopes of the QRS complex, muscle noise and powerline
interference.
"""

_READING = """\
## How to read it

- `fir` and `iir` are DeepFilter's, with a high-pass of 0.67 Hz; `tv` and `neurokit-engzeemod2012`
  (a 50-Hz notch) do not remove baseline wander. NeuroKit2's methods other than `neurokit` and
  `neurokit-biosppy` prepare a signal for a QRS detector and change its shape on purpose.
- `wiener` was fitted on 2,000 training windows of this protocol; the other classical methods were
  not fitted. `lmmse` of DeepFilter's benchmark needs windows that begin at the same point of a
  beat.
- The networks that ship and the published networks were trained on the same patients and noise, but
  the former for longer, with another loss and with augmentation. Rows marked *not converged* had
  not reached a plateau within their training budget.
- Networks were trained on windows (10 or 20 s) of other patients and on noise of the same sensors.
  Generalisation to other recorders is not measured here.
"""


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``clinic.md``, its figures and CSV files; see
    :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    noise, clinic = (
        [_described(result) for result in load_all(results / name, subjects.names())]
        for name in ("clinic", "clinical")
    )
    if not noise and not clinic:
        return []
    subjects.warn_of_outdated(noise + clinic)
    anchor = anchor_of(noise, against, _best_model(noise))
    scores = [numbers.score(result, anchor) for result in noise]
    paths = [output / "clinic.md"]
    for name, figure in (_drawn(scores) if scores else {}).items():
        paths.append(output / "figures" / name)
        figures.save(figure, paths[-1], dpi=_DPI)
    if scores:
        paths.append(output / "clinic.csv")
        numbers.write(scores, paths[-1])
    if clinic:
        paths.append(output / "clinical.csv")
        clinical.write(clinic, paths[-1])
    with replacing(paths[0]) as aside:
        aside.write_text(markdown(scores, clinic, anchor), encoding="utf-8")
    return paths


def markdown(scores: Sequence[Score], clinic: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    sections = [_INTRODUCTION]
    if any(r.done < r.total for r in (*(score.result for score in scores), *clinic)):
        sections.append(
            "**A row with a number of segments or recordings covers part of the test.**\n"
        )
    if scores:
        sections += ["## All noise\n", tables.overall(scores)]
        sections += ["![Gain by noise and SNR](figures/clinic_gain.png)\n"]
        for measure in numbers.BY_SNR:
            sections += [f"{tables.NAMES[measure]}, mean over the kinds of noise:\n"]
            sections += [tables.by_snr(scores, measure, numbers.ALL)]
        for kind in KINDS:
            sections += _kind(scores, kind, anchor)
        sections += ["![A segment of a test record](figures/clinic_examples.png)\n"]
        sections += [_CLEAN_TEXT, tables.clean(scores)]
        sections += ["![Gain against distortion of clean signals](figures/clinic_harm.png)\n"]
    sections.append(given.section([score.result for score in scores], "5 s of a lead"))
    if any(score.result.network for score in scores):
        sections.append("![Gain against cost](figures/clinic_cost.png)\n")
    if clinic:
        sections += ["## Clinical measures\n", *clinical.sections(clinic)]
    return "\n".join(section for section in (*sections, _READING) if section)


def _kind(scores: Sequence[Score], kind: str, anchor: Result | None) -> list[str]:
    """Section of one kind of noise."""
    title = drawings.KIND_TITLES[kind]
    parts = [f"## {title[0].upper()}{title[1:]}\n"]
    first = next(iter(tables.NAMES))
    parts += [f"{tables.NAMES[first]}:\n", tables.by_snr(scores, first, kind)]
    if anchor is not None and len(scores) > 1:
        parts += [f"Difference to `{anchor.method}`, dB:\n"]
        parts += [tables.differences(scores, first, kind, anchor.method)]
    return parts


def _drawn(scores: Sequence[Score]) -> dict[str, Figure]:
    return {
        "clinic_gain.png": drawings.gain(scores),
        "clinic_examples.png": drawings.examples(scores),
        "clinic_harm.png": drawings.harm(scores),
        "clinic_cost.png": drawings.by_cost(scores),
    }


def _best_model(results: Sequence[Result]) -> str:
    """Name of the shipped model with the highest mean gain; empty if none was run."""
    gains = {
        result.method: float(
            result.values["snr_improvement"][result.labels["kind"] != CLEAN].mean()
        )
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")


def _described(result: Result) -> Result:
    """Add size and cost to the result of a shipped model; older results lack them."""
    if result.network is not None or result.method not in model_names():
        return result
    return replace(result, network=subjects.describe_model(model_path(result.method)))
