"""The selective scan on a GPU of NVIDIA, against others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import scan
from benchmarks.part import Goal, Results, Settings, UnavailableError
from benchmarks.tables import skipped, timings
from benchmarks.timing import interleaved, summary

if TYPE_CHECKING:
    from benchmarks.scan_peers import Scan

NAME = "scan-cuda"
TITLE = "The selective scan, CUDA"

_OURS = "ipmdae, triton"
_ROUNDS = 9
_LARGE = 64


def measure(settings: Settings) -> Results:
    import torch

    if not torch.cuda.is_available():
        raise UnavailableError("torch finds no CUDA device")
    candidates, reasons = _candidates()
    cases = []
    for batch in (1, 4 if settings.quick else _LARGE):
        length = 50 if settings.quick else scan.LENGTH
        tensors = scan.inputs(batch, length, "cuda")
        scan.check(candidates, tensors)
        for backward in (False, True):
            # Autograd through the usual loop is quadratic in the length.
            chosen = [name for name in candidates if not (backward and name == scan.LOOP)]
            calls = {
                name: _finished(scan.call(candidates[name], tensors, backward)) for name in chosen
            }
            samples = interleaved(calls, settings.rounds(_ROUNDS))
            cases.append(
                {"batch": batch, "length": length, "backward": backward, "samples": samples}
            )
    return {"device": torch.cuda.get_device_name(), "cases": cases, "skipped": reasons}


def _candidates() -> tuple[dict[str, Scan], dict[str, str]]:
    from benchmarks import scan_peers
    from ipmdae.lab.nn.scan import selective_scan

    found: dict[str, Scan] = {
        _OURS: partial(selective_scan, backend="triton"),
        scan.LOOP: scan_peers.loop,
        scan.UNBIND: scan_peers.unbind,
    }
    reasons = {}
    makers: dict[str, Callable[[], Scan]] = {
        scan.MAMBAPY: scan_peers.mambapy,
        "mamba-ssm": scan_peers.mamba_ssm,
    }
    for name, make in makers.items():
        try:
            found[name] = make()
        except UnavailableError as error:
            reasons[name] = str(error)
    return found, reasons


def _finished(call: Callable[[], object]) -> Callable[[], None]:
    """A call that ends when the device has."""
    import torch

    def wait() -> None:
        call()
        torch.cuda.synchronize()

    return wait


def section(results: Results) -> str:
    text = [f"On {results['device']}; sizes and candidates as above.\n"]
    for case in results["cases"]:
        direction = "forward and backward" if case["backward"] else "forward"
        text.append(f"Batch {case['batch']}, length {case['length']}, {direction}:\n")
        text.append(timings(case["samples"], _OURS))
    return "\n".join([*text, skipped(results["skipped"])])


def goals(results: Results) -> list[Goal]:
    found = []
    for case in results["cases"]:
        if (case["batch"], case["length"]) == (_LARGE, scan.LENGTH):
            direction = "forward + backward" if case["backward"] else "forward"
            found.append(
                Goal(
                    figure=f"scan {direction} on a GPU, batch {_LARGE}, ms",
                    bound=0.25 if case["backward"] else 0.05,
                    value=1000 * summary(case["samples"][_OURS]).median,
                )
            )
    return found
