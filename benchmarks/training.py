"""Training: pairs drawn by one core, and steps of the networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.part import Goal, Results, Settings, UnavailableError
from benchmarks.tables import number, plural, table
from benchmarks.timing import interleaved, summary

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ipmdae.lab.protocols import Pairs

NAME = "training"
TITLE = "Training"

NETWORKS = (
    "Ultralight_IPM_DAE",
    "ipmdae-beat",
    "ipmdae-base",
    "fcn-dae",
    "drnn",
    "deepfilter",
    "unet",
    "lunet",
    "acdae",
    "tcdae",
)
COSTLY = ("descod", "mecg-e")
"""Rivals of which a step takes seconds on a CPU: on the windows of their own protocol only."""
_WINDOWS = {"deepfilter": (512, 1), "clinic": (2500, 1), "reference": (1250, 2)}
"""Samples and leads of the windows of each protocol."""

_ROUNDS, _BATCH, _DRAWN = 5, 64, 64


def measure(settings: Settings) -> Results:
    import torch

    torch.set_num_threads(settings.threads)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return {
        "threads": settings.threads,
        "gpu": torch.cuda.get_device_name() if len(devices) > 1 else None,
        "draws": _draws(settings),
        "steps": [case for device in devices for case in _steps(settings, device)],
    }


def _draws(settings: Settings) -> Results:
    """Seconds for some pairs of each protocol, drawn one by one in this process."""
    count = 8 if settings.quick else _DRAWN
    calls = {
        name: lambda pairs=pairs: [pairs.draw(i, 1) for i in range(count)]
        for name, pairs in _pairs().items()
    }
    return {"count": count, "samples": interleaved(calls, settings.rounds(_ROUNDS))}


def _pairs() -> dict[str, Pairs]:
    from ipmdae.lab.data import nstdb, qtdb
    from ipmdae.lab.data.download import DatasetNotFoundError
    from ipmdae.lab.protocols.clinic import WIDE, rhythm_settings
    from ipmdae.lab.protocols.registry import open_protocol

    root = Path("datasets")
    both = {"qtdb_folder": root / qtdb.FOLDER, "nstdb_folder": root / nstdb.FOLDER}
    wide = WIDE | rhythm_settings(root) | {"time_win": 20}
    hearts = {k: v for k, v in wide.items() if not k.endswith("_folder") or Path(v).is_dir()}
    try:
        return {
            "deepfilter": open_protocol("deepfilter", **both).training(fresh=True),
            "clinic": open_protocol("clinic", **both).training(fresh=True),
            "clinic, 20 s, augmented, rhythms": open_protocol("clinic", **both, **hearts).training(
                fresh=True
            ),
            "reference": open_protocol("reference", **both).training(fresh=True),
        }
    except DatasetNotFoundError as error:
        raise UnavailableError(str(error)) from error


def _steps(settings: Settings, device: str) -> list[Results]:
    """A step of each network: loss, gradients, clipping and AdamW, as in training."""
    from ipmdae.lab.networks import registry

    cases = []
    for protocol, (length, leads) in _WINDOWS.items():
        batch = 2 if settings.quick else _BATCH
        length = 128 if settings.quick else length
        for name in (*NETWORKS, *(COSTLY if protocol == "deepfilter" else ())):
            if name == registry.BEAT and protocol != "deepfilter":
                continue
            calls = _candidates(registry.build(name, leads), (batch, length, leads), device)
            samples = interleaved(calls, settings.rounds(_ROUNDS))
            cases.append(
                {
                    "protocol": protocol,
                    "network": name,
                    "device": device,
                    "batch": batch,
                    "samples": samples,
                }
            )
    return cases


def _candidates(
    network: nn.Module, shape: tuple[int, ...], device: str
) -> dict[str, Callable[[], object]]:
    """Steps in two precisions; on a GPU with algorithms searched, in TF32, and as one graph."""
    import torch

    from ipmdae.lab.training.captured import CapturedStep

    network = network.to(device)
    noisy, clean = (torch.randn(shape, device=device) for _ in range(2))
    on_gpu = device == "cuda"

    loss = _loss_of(network)

    def loss_in_bfloat16(noisy: Tensor, clean: Tensor) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return loss(noisy, clean)

    def step(captured: bool, *, bfloat16: bool = False) -> CapturedStep:
        optimizer = torch.optim.AdamW(
            network.parameters(), fused=captured or None, capturable=captured
        )
        own = loss_in_bfloat16 if bfloat16 else loss
        return CapturedStep(own, optimizer, 1.0, captured=captured)

    by_operation = step(False)
    if not on_gpu:
        rounded = step(False, bfloat16=True)
        return {
            "float32": lambda: by_operation(noisy, clean),
            "bfloat16": lambda: rounded(noisy, clean),
        }
    graph = step(True)

    def timed(run: CapturedStep, *, search: bool = True, tf32: bool = True) -> Callable[[], object]:
        def call() -> None:
            torch.backends.cudnn.benchmark = search
            torch.set_float32_matmul_precision("high" if tf32 else "highest")
            run(noisy, clean)
            torch.cuda.synchronize()

        return call

    return {
        "by operation": timed(by_operation, search=False, tf32=False),
        "algorithms searched": timed(by_operation, tf32=False),
        "and TF32": timed(by_operation),
        "and one graph": timed(graph),
    }


def _loss_of(network: nn.Module) -> Callable[[Tensor, Tensor], torch.Tensor]:
    from ipmdae.lab.networks.base import LeadNetwork
    from ipmdae.lab.training import losses

    if isinstance(network, LeadNetwork):
        return network.loss
    return lambda noisy, clean: losses.mse(network(noisy), clean)


def section(results: Results) -> str:
    count = results["draws"]["count"]
    rows = [
        [name, number(summary(samples).median / count * 1e3), number(count / min(samples))]
        for name, samples in results["draws"]["samples"].items()
    ]
    text = [
        "Pairs drawn anew by one process:\n",
        table(["protocol", "median (ms a window)", "windows a second, at best"], rows),
    ]
    for device in dict.fromkeys(case["device"] for case in results["steps"]):
        cases = [case for case in results["steps"] if case["device"] == device]
        where = results["gpu"] if device == "cuda" else plural(results["threads"], "thread")
        text.append(
            f"Steps of {cases[0]['batch']} windows on {where}, windows a second (median; every "
            "step is waited for):\n"
        )
        candidates = list(cases[0]["samples"])
        text.append(
            table(
                ["network, protocol", *candidates],
                [
                    [
                        f"{case['network']}, {case['protocol']}",
                        *(
                            number(case["batch"] / summary(case["samples"][name]).median)
                            for name in candidates
                        ),
                    ]
                    for case in cases
                ],
            )
        )
    return "\n".join(text)


def goals(results: Results) -> list[Goal]:
    samples = results["draws"]["samples"]["clinic, 20 s, augmented, rhythms"]
    value = summary(samples).median / results["draws"]["count"] * 1e3
    return [Goal(figure="draw of an augmented window of 20 s (ms)", bound=1.0, value=value)]
