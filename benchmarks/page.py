"""The page, made from stored measurements alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.part import Results
from benchmarks.parts import BY_DEFAULT, PARTS
from benchmarks.tables import number, table
from ipmdae.files import replacing

_INTRODUCTION = """\
# Speed, memory and size

Made on a machine where nothing else ran, by

```
pip install ".[train,onnx,benchmark]" hatchling mambapy numba transformers
python -m benchmarks
python -m benchmarks installation
```

`python -m benchmarks PART` measures one part again, `--report` makes this page from what is stored.

Candidates are timed in turn, each once a round, so that a busy moment hits all of them alike. A
table has the median over rounds, the least, the spread (interquartile range over the median) and
the median of each round's ratio to the row named. Calls shorter than 30 ms are repeated within
their round, after one that is not counted.
"""

_QUICK = (
    "**Made with `--quick`: sizes are tiny, and no number here says anything about the package.**\n"
)

_READING = """\
The goals were set for a machine of two cores with AVX-512; on another they say little.

What bounds the ones that were missed. A network's products with matrices run near the processor's
peak: what is left is the scan, whose exponentials take
most of it, the activations and the norms. A window is timed in turn with the other candidates,
which leave none of its weights in the cache. Forward and backward, the scan is bound by the same
exponentials, computed twice because the states are computed again rather than stored.

What was tried and left out. Products in bfloat16 do twice the multiply-accumulates of float32 on
this processor, at a loss of SNR that would be allowed, but the rest stays in float32: the whole
network became less than the 1.5 times faster that were asked for. Eight-bit integers lost more SNR
than was allowed. A polynomial of degree 6 for the exponential halves its error and costs speed.

On a GPU of NVIDIA the scan is cut into chunks that are worked on at once. That form was tested in
Triton's interpreter and compiled, but not yet run on a GPU. The form before it took 0.242 ms
forward and 1.109 ms forward and backward on an H100 (batch 64, length 625), bound by its 625
dependent steps; `python -m benchmarks scan-cuda` measures the present one, whose goals are 0.05 and
0.25 ms.
"""


def write(stored: dict[str, Results], output: Path) -> None:
    """Write the page of all that is stored."""
    with replacing(output) as aside:
        aside.write_text(markdown(stored), encoding="utf-8")


def markdown(stored: dict[str, Results]) -> str:
    """The page: goals, machine, then the parts."""
    first = next(iter(stored.values()))
    parts = [_INTRODUCTION]
    if any(content["settings"]["quick"] for content in stored.values()):
        parts.append(_QUICK)
    parts += ["## Goals\n", _goals(stored), _READING, "## Machine\n", _machine(first)]
    for name, content in stored.items():
        parts += [f"## {PARTS[name].TITLE}\n", _circumstances(content, first)]
        parts.append(PARTS[name].section(content["results"]))
    missing = [name for name in BY_DEFAULT if name not in stored]
    if missing:
        parts.append(f"Not measured: {', '.join(missing)}.\n")
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _goals(stored: dict[str, Results]) -> str:
    rows = [
        [goal.figure, goal.wanted, number(goal.value), goal.verdict]
        for name, content in stored.items()
        for goal in PARTS[name].goals(content["results"])
    ]
    return table(["figure", "goal", "measured", ""], rows)


def _machine(content: Results) -> str:
    machine = dict(content["machine"])
    machine.pop("busy")
    packages = ", ".join(f"{name} {version}" for name, version in machine.pop("packages").items())
    lines = [f"- {key}: {value}" for key, value in machine.items()]
    return "\n".join([*lines, f"- packages: {packages}"]) + "\n"


def _circumstances(content: Results, first: Results) -> str:
    """Date of a part's measurement, load of the machine, and the machine if it differs."""
    busy = content["machine"]["busy"]
    others = "" if busy is None else f"; others kept {busy:.2f} processors busy before"
    text = f"Measured {content['time']}{others}."
    changed = [
        key
        for key, value in content["machine"].items()
        if key != "busy" and value != first["machine"][key]
    ]
    if changed:
        text += f" **Not on the machine above or not with its packages: {', '.join(changed)}.**"
    return text + "\n"
