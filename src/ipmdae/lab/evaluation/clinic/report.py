"""The page of protocol P3, made from stored results alone: noise, harm, and clinical measures."""

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

Protocol P3 of this project. The 14 test records of the QT Database, both leads, lead by lead; of
each lead ten pieces of 30 s, evenly spread, less the recording's constant offset and nothing else.
To each the noise of the MIT-BIH Noise Stress Test Database: baseline wander, electrode motion,
muscle artefact, and all three with equal power; of minutes that no part of the training set has
(`ipmdae.lab.data.nstdb.INTERVALS`; why a split by time is none: [nstdb.md](../nstdb.md)), both
channels, independent in the two leads. No network saw these patients. The weights that the networks
that ship began from, and the networks of others, had been trained on the first 12.5 min of each
noise record, in which bw and em hold these minutes too. Networks run in mode `monitoring`, and
where they are not trusted their own output is scored (`unreadable="network"`). A method gets the
noisy piece alone. The middle 20 s are scored, so that no method is judged by the ends of a piece.
Made by

```
pip install ".[benchmark,train]"
ipmdae download qtdb nstdb --to datasets
ipmdae benchmark run --protocol clinic --jobs 2
ipmdae benchmark run --protocol clinical --jobs 2
```

(networks of others are trained before, as told below) and again, from what these stored, by
`ipmdae benchmark report --protocol clinic`.

Measures, of signals less their own mean over the 20 s: SNR by AC power, its improvement, root mean
squared error, PRD 100 √(Σe² / Σx²), SSD Σe², MAD max |e|, cosine similarity (correlation). Each
cell is the mean of the records' means and its 95 % interval: the 14 records are drawn again 10,000
times. Differences are on the same signals. `clinic.csv`, and `clinical.csv`
where clinical measures were run, hold all the numbers.

**The "clean" signals are real recordings with some baseline wander and noise of their own.** A
method that removes it is charged for it, at 5 and 10 dB most of all; the measures above 0.5 Hz
(zero-phase Butterworth high-pass of order 4) leave the wander out.
"""

_CLEAN_TEXT = """\
## Clean in

The same pieces with nothing added. SNR of what comes out to what went in; changed share of the AC
power, in all and of each band's own power (sums over a record). What the recordings hold below
0.67 Hz is wander, and slow parts of T waves and ST segments; above 40 Hz it is the sharp parts of
the QRS complex, and muscle and mains noise.
"""

_READING = """\
## How to read it

- `fir` and `iir` are DeepFilter's, with a high-pass of 0.67 Hz; `tv` and `neurokit-engzeemod2012`
  (a 50-Hz notch) take off no baseline. NeuroKit2's methods other than `neurokit` and
  `neurokit-biosppy` prepare a signal for a QRS detector and change its shape on purpose.
- `wiener` was fitted on 2,000 training windows of this protocol; the other classical methods saw
  none. `lmmse` of DeepFilter's benchmark needs windows that begin at the same point of a beat.
- The networks that ship and those of others were trained on the same patients and noise, but not
  alike: the former longer, with a loss and with changes of the signals of their own. A row says so
  where the training of another's network did not come to its end.
- Networks were trained on windows (10 or 20 s) of other patients and on noise of the same sensors.
  How far that carries to other recorders is not measured here.
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
    """All tables as Markdown, with differences to ``anchor`` where there is one."""
    sections = [_INTRODUCTION]
    if any(r.done < r.total for r in (*(score.result for score in scores), *clinic)):
        sections.append("**A row that names pieces or recordings is of a part of the test.**\n")
    if scores:
        sections += ["## All noise\n", tables.overall(scores)]
        sections += ["![Gain by noise and SNR](figures/clinic_gain.png)\n"]
        for measure in numbers.BY_SNR:
            sections += [f"{tables.NAMES[measure]}, mean over the kinds of noise:\n"]
            sections += [tables.by_snr(scores, measure, numbers.ALL)]
        for kind in KINDS:
            sections += _kind(scores, kind, anchor)
        sections += ["![A piece of a test record](figures/clinic_examples.png)\n"]
        sections += [_CLEAN_TEXT, tables.clean(scores)]
        sections += ["![Gain against change of clean leads](figures/clinic_harm.png)\n"]
    sections.append(given.section([score.result for score in scores], "5 s of a lead"))
    if any(score.result.network for score in scores):
        sections.append("![Gain against cost](figures/clinic_cost.png)\n")
    if clinic:
        sections += ["## What is read off an ECG\n", *clinical.sections(clinic)]
    return "\n".join(section for section in (*sections, _READING) if section)


def _kind(scores: Sequence[Score], kind: str, anchor: Result | None) -> list[str]:
    """The section of one kind of noise, its further tables folded away."""
    title = drawings.KIND_TITLES[kind]
    parts = [f"## {title[0].upper()}{title[1:]}\n"]
    first, *others = tables.NAMES
    parts += [f"{tables.NAMES[first]}:\n", tables.by_snr(scores, first, kind)]
    if anchor is not None and len(scores) > 1:
        parts += [f"Difference to `{anchor.method}`, dB:\n"]
        parts += [tables.differences(scores, first, kind, anchor.method)]
    parts += ["<details><summary>RMSE, PRD and the other measures</summary>\n"]
    for name in others:
        parts += [f"{tables.NAMES[name]}:\n", tables.by_snr(scores, name, kind)]
    return [*parts, "</details>\n"]


def _drawn(scores: Sequence[Score]) -> dict[str, Figure]:
    return {
        "clinic_gain.png": drawings.gain(scores),
        "clinic_examples.png": drawings.examples(scores),
        "clinic_harm.png": drawings.harm(scores),
        "clinic_cost.png": drawings.by_cost(scores),
    }


def _best_model(results: Sequence[Result]) -> str:
    """The shipped model with the highest mean gain; empty where none was run."""
    gains = {
        result.method: float(
            result.values["snr_improvement"][result.labels["kind"] != CLEAN].mean()
        )
        for result in results
        if result.method in model_names() and not result.diverged
    }
    return max(gains, key=gains.__getitem__, default="")


def _described(result: Result) -> Result:
    """A result of a model that ships, with what it costs, which older ones do not hold."""
    if result.network is not None or result.method not in model_names():
        return result
    return replace(result, network=subjects.describe_model(model_path(result.method)))
