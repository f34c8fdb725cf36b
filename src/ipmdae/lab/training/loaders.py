"""Batches of a protocol's pairs, independent of the number of workers and of restarts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ipmdae.lab.protocols import Pairs

Item = tuple[int, int]  # (epoch, index)


class PairDataset(Dataset[tuple[Tensor, Tensor]]):
    """Pairs addressed by (epoch, index), so that workers need no state."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor]:
        epoch, index = item
        noisy, clean = self.pairs.draw(index, epoch)
        return torch.from_numpy(noisy), torch.from_numpy(clean)


class EpochSampler(Sampler[Item]):
    """Order of an epoch, shuffled by (seed, epoch); each of ``replicas`` takes its share.

    All replicas take the same number: the first items are repeated if they do not divide.
    """

    def __init__(
        self, count: int, *, seed: int, shuffle: bool, rank: int = 0, replicas: int = 1
    ) -> None:
        self.count, self.seed, self.shuffle = count, seed, shuffle
        self.rank, self.replicas = rank, replicas
        self.epoch = 0

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
        for position in range(self.rank, len(self) * self.replicas, self.replicas):
            yield epoch, int(order[position % self.count])


def loader(
    pairs: Pairs,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int = 0,
    workers: int = 0,
    rank: int = 0,
    replicas: int = 1,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of (noisy, clean), each (batch, time, leads); the last may be smaller."""
    sampler = EpochSampler(len(pairs), seed=seed, shuffle=shuffle, rank=rank, replicas=replicas)
    return DataLoader(
        PairDataset(pairs),
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
