"""The selective scan on the CPU, against others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.instruction_sets import available, using
from benchmarks.part import Goal, Results, Settings, UnavailableError
from benchmarks.tables import plural, skipped, timings
from benchmarks.timing import interleaved, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from benchmarks.scan_peers import Scan

NAME = "scan"
TITLE = "The selective scan, CPU"

CHANNELS, STATES, LENGTH = 64, 16, 625
LOOP, UNBIND, MAMBAPY = "torch loop", "torch loop on unbind slices", "mambapy"
TRANSFORMERS, NUMBA = "transformers", "numba"

_ROUNDS = 5
_TOLERANCE = 1e-3  # of the standard deviation of y; they differ in rounding alone
_LARGE = 64
# Indexing [:, t] in a loop lets autograd write a gradient of the whole array at each step.
_QUADRATIC = (LOOP, TRANSFORMERS)


def measure(settings: Settings) -> Results:
    import torch

    from ipmdae import native

    torch.set_num_threads(settings.threads)
    native.set_threads(settings.threads)
    peers, reasons = find_peers(settings.threads)
    ours = {f"ipmdae, {name}": using(name, _ours()) for name in available()}
    if not ours:
        raise UnavailableError("the native library is not built")
    cases = []
    for batch in (1, 4 if settings.quick else _LARGE):
        length = 50 if settings.quick else LENGTH
        tensors = inputs(batch, length)
        candidates = ours | peers
        check(candidates, tensors)
        for backward in (False, True):
            chosen = candidates
            if backward:
                chosen = {name: scan for name, scan in candidates.items() if name != NUMBA}
                if batch > 1:
                    chosen = {n: scan for n, scan in chosen.items() if n not in _QUADRATIC}
            calls = {name: call(scan, tensors, backward) for name, scan in chosen.items()}
            samples = interleaved(calls, settings.rounds(_ROUNDS))
            cases.append(
                {"batch": batch, "length": length, "backward": backward, "samples": samples}
            )
    return {
        "threads": settings.threads,
        "cases": cases,
        "skipped": reasons,
        "ours": next(iter(ours)),
    }


def _ours() -> Scan:
    from ipmdae.lab.nn.scan import selective_scan

    return partial(selective_scan, backend="native")


def find_peers(threads: int) -> tuple[dict[str, Scan], dict[str, str]]:
    """Those that are installed, and why the others are not run."""
    from benchmarks import scan_peers

    peers: dict[str, Scan] = {LOOP: scan_peers.loop, UNBIND: scan_peers.unbind}
    reasons = {}
    makers: dict[str, Callable[[], Scan]] = {
        TRANSFORMERS: scan_peers.transformers,
        MAMBAPY: scan_peers.mambapy,
        NUMBA: partial(scan_peers.numba, threads),
    }
    for name, make in makers.items():
        try:
            peers[name] = make()
        except UnavailableError as error:
            reasons[name] = str(error)
    return peers, reasons


def inputs(batch: int, length: int, device: str = "cpu") -> tuple[Tensor, ...]:
    """u, delta, A, B, C, D as in a Mamba block, for which float32 has no trouble."""
    import torch

    generator = torch.Generator().manual_seed(0)
    wide, narrow = (batch, length, CHANNELS), (batch, length, STATES)
    u, B, C = (torch.randn(size, generator=generator) for size in (wide, narrow, narrow))
    delta = 0.1 * torch.rand(wide, generator=generator)
    A = -torch.arange(1.0, STATES + 1).repeat(CHANNELS, 1)
    return tuple(tensor.to(device) for tensor in (u, delta, A, B, C, torch.ones(CHANNELS)))


def check(scans: dict[str, Scan], tensors: tuple[Tensor, ...]) -> None:
    """Raise unless all compute the same, as far as float32 goes."""
    from benchmarks.scan_peers import unbind

    exact = unbind(*(tensor.double() for tensor in tensors))
    for name, scan in scans.items():
        difference = float((scan(*tensors) - exact).abs().max() / exact.std())
        if not difference <= _TOLERANCE:
            raise ArithmeticError(f"{name} is off by {difference:.1e} standard deviations")


def call(scan: Scan, tensors: tuple[Tensor, ...], backward: bool) -> Callable[[], object]:
    """Computation to time: forward alone without autograd, or forward and all gradients."""
    import torch

    def forward_only() -> object:
        with torch.no_grad():
            return scan(*tensors)

    if not backward:
        return forward_only
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    dy = torch.randn(tensors[0].shape).to(tensors[0].device)
    return lambda: torch.autograd.grad(scan(*leaves), leaves, dy)


def section(results: Results) -> str:
    text = [
        f"d_inner {CHANNELS}, d_state {STATES}, {plural(results['threads'], 'thread')}. "
        "All take torch tensors, and all results were compared before. `torch loop` is the one "
        "usually written, with the discretisation computed for all times at once; autograd through "
        "it, and through the loop of transformers, is quadratic in the length and was run for a "
        "batch of 1 alone. numba has no gradient. The scan of transformers is the one that it "
        "falls back to without compiled kernels.\n"
    ]
    for case in results["cases"]:
        direction = "forward and backward" if case["backward"] else "forward"
        text.append(f"Batch {case['batch']}, length {case['length']}, {direction}:\n")
        text.append(timings(case["samples"], results["ours"]))
    return "\n".join([*text, skipped(results["skipped"])])


def goals(results: Results) -> list[Goal]:
    wanted = ((LOOP, False, 45.0), (MAMBAPY, False, 110.0), (MAMBAPY, True, 80.0))
    found = []
    for peer, backward, bound in wanted:
        direction = "forward + backward" if backward else "forward"
        for case in results["cases"]:
            samples = case["samples"]
            if case["batch"] > 1 and case["backward"] == backward and peer in samples:
                times = ratio(samples, peer, results["ours"])
                figure = f"scan {direction}, batch {case['batch']}, times as fast as {peer}"
                found.append(Goal(figure=figure, bound=bound, value=times, at_most=False))
    return found
