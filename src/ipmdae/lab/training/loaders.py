"""Batches of a protocol's pairs, independent of the number of workers and of restarts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ipmdae.lab.protocols import Pairs, stack

Item = tuple[int, int]  # (epoch, index)
Batch = tuple[Tensor, Tensor]  # noisy and clean

MOST_HELD = 2**30
"""Bytes of pairs that are kept in memory at most."""


class PairDataset(Dataset[Batch]):
    """Pairs addressed by (epoch, index), so that workers need no state."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __getitem__(self, item: Item) -> Batch:
        return self.__getitems__([item])

    def __getitems__(self, items: list[Item]) -> Batch:
        """A whole batch at once: stacked before it becomes tensors, which is quicker."""
        drawn = [self.pairs.draw(index, epoch) for epoch, index in items]
        noisy, clean = (torch.from_numpy(np.stack(side)) for side in zip(*drawn, strict=True))
        return noisy, clean


class EpochSampler(Sampler[Item]):
    """Order of an epoch, shuffled by (seed, epoch); each of ``replicas`` takes its share.

    All replicas take the same number: the first items are repeated if they do not divide. A
    resumed run sets ``epoch``, and ``skip`` to the number of items that it has had of it.
    """

    def __init__(
        self, count: int, *, seed: int, shuffle: bool, rank: int = 0, replicas: int = 1
    ) -> None:
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self.rank, self.replicas = rank, replicas
        self.epoch = self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (self.count + self.replicas - 1) // self.replicas

    def __iter__(self) -> Iterator[Item]:
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.count)
        epoch = self.epoch if self.shuffle else 0
        positions = range(self.rank, len(self) * self.replicas, self.replicas)[self.skip :]
        self.skip = 0
        for position in positions:
            yield epoch, int(order[position % self.count])


class Batches(DataLoader[Batch]):
    """Batches drawn as they are needed, by worker processes if there are any."""

    sampler: EpochSampler

    def __init__(self, pairs: Pairs, sampler: EpochSampler, batch_size: int, workers: int) -> None:
        super().__init__(
            PairDataset(pairs),
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=_as_it_is,  # the data set makes batches
            pin_memory=torch.cuda.is_available(),
        )

    def state_dict(self) -> dict[str, int]:
        """Empty: the sampler's place follows from the number of steps."""
        return {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Nothing to load; with it, Lightning knows that the batches can be resumed."""


class HeldBatches:
    """Batches of pairs that are the same in each epoch: drawn once, kept on the device."""

    batch_sampler = None  # Lightning asks for it

    def __init__(
        self, pairs: Pairs, sampler: EpochSampler, batch_size: int, device: torch.device
    ) -> None:
        self.sampler, self.batch_size = sampler, batch_size
        self._pairs, self._device = pairs, device
        self._drawn: Batch | None = None

    def __len__(self) -> int:
        return (len(self.sampler) + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        if self._drawn is None:
            noisy, clean = (torch.from_numpy(side).to(self._device) for side in stack(self._pairs))
            self._drawn = noisy, clean
        order = torch.tensor([index for _, index in self.sampler]).to(self._device)
        for start in range(0, len(order), self.batch_size):
            numbers = order[start : start + self.batch_size]
            yield self._drawn[0][numbers], self._drawn[1][numbers]

    state_dict, load_state_dict = Batches.state_dict, Batches.load_state_dict


Loader = Batches | HeldBatches


def _as_it_is(batch: Any) -> Any:
    return batch


def loader(
    pairs: Pairs,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int = 0,
    workers: int = 0,
    rank: int = 0,
    replicas: int = 1,
    held: bool = False,
    device: torch.device | str = "cpu",
) -> Loader:
    """Batches of (noisy, clean), each (batch, time, leads); the last may be smaller.

    Args:
        held: the pairs are the same in each epoch, and may be kept on ``device`` (if they take
            :data:`MOST_HELD` bytes at most).
    """
    sampler = EpochSampler(len(pairs), seed=seed, shuffle=shuffle, rank=rank, replicas=replicas)
    if held and len(pairs) * sum(side.nbytes for side in pairs.draw(0)) <= MOST_HELD:
        return HeldBatches(pairs, sampler, batch_size, torch.device(device))
    return Batches(pairs, sampler, batch_size, workers)
