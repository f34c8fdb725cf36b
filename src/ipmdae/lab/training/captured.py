"""A whole step of training at once: loss, gradients, clipping and update of the weights.

On a GPU the step is recorded as a CUDA graph, which is replayed for all batches of the same shape:
small networks otherwise wait for the host to launch each of their operations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP = 3
"""Steps before the recording, in which libraries are loaded and algorithms chosen."""


class CapturedStep:
    """A step of training: (noisy, clean) -> loss, without gradient.

    The first steps, batches of another shape, and all steps on a CPU or where the recording fails
    (after one warning), are computed operation by operation, with the same result.

    Args:
        loss: computes the loss of a batch (noisy, clean).
        optimizer: on a GPU with ``capturable=True``. Its learning rates are read in each step.
        clip_norm: largest norm of the gradient.
        captured: False to compute all steps by operation.
    """

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        clip_norm: float | None,
        *,
        captured: bool = True,
    ) -> None:
        self._loss, self._optimizer, self._clip_norm = loss, optimizer, clip_norm
        optimizer._warned_capturable_if_run_uncaptured = True
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._before = _WARM_UP if captured else -1
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, noisy: Tensor, clean: Tensor) -> Tensor:
        if noisy.device.type != "cuda" or self._before < 0:
            return self._by_operation(noisy, clean)
        if self._before > 0:
            self._before -= 1
            return self._warm_up(noisy, clean)
        if self._graph is None:
            self._record(noisy, clean)
        if self._graph is None or noisy.shape != self._noisy.shape:
            return self._by_operation(noisy, clean)
        return self._replay(noisy, clean)

    def _by_operation(self, noisy: Tensor, clean: Tensor) -> Tensor:
        self._optimizer.zero_grad()
        loss = self._loss(noisy, clean)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self._optimizer.step()
        return loss.detach()

    def _warm_up(self, noisy: Tensor, clean: Tensor) -> Tensor:
        """A step on a stream of its own; the last one shows whether a recording can succeed."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        before = torch.cuda.get_sync_debug_mode()
        try:
            with torch.cuda.stream(stream):
                if self._before == 0:
                    torch.cuda.set_sync_debug_mode("error")
                loss = self._by_operation(noisy, clean)
        except RuntimeError as error:
            if self._before > 0:
                raise
            self._give_up(error)
            torch.cuda.set_sync_debug_mode(before)
            loss = self._by_operation(noisy, clean)
        finally:
            torch.cuda.set_sync_debug_mode(before)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self, noisy: Tensor, clean: Tensor) -> None:
        self._noisy, self._clean = noisy.clone(), clean.clone()
        groups, graph = self._optimizer.param_groups, torch.cuda.CUDAGraph()
        rates = [group["lr"] for group in groups]
        self._rates = [torch.full((), rate, device=noisy.device) for rate in rates]
        try:
            for group, rate in zip(groups, self._rates, strict=True):
                group["lr"] = rate
            # Other threads put batches into pinned memory meanwhile.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._result = self._by_operation(self._noisy, self._clean)
            self._graph = graph
        except RuntimeError as error:
            self._give_up(error)
        finally:
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate

    def _replay(self, noisy: Tensor, clean: Tensor) -> Tensor:
        assert self._graph is not None
        self._noisy.copy_(noisy, non_blocking=True)
        self._clean.copy_(clean, non_blocking=True)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            rate.fill_(group["lr"])
        self._graph.replay()
        return self._result.clone()

    def _give_up(self, error: RuntimeError) -> None:
        self._before = -1
        reason = str(error).strip().partition("\n")[0]
        warnings.warn(
            f"the training step cannot be a CUDA graph and runs operation by operation: {reason}",
            RuntimeWarning,
            stacklevel=2,
        )
