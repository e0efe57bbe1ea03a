"""The head: a small perceptron on pooled features, fitted anew on cached features of many rows.

Several are fitted from different seeds; side by side they are one wider perceptron that gives the
mean of their logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from training.arrays import Floats, Labels
from training.config import CATEGORIES
from training.losses import masked_loss

_BATCH: Final = 512
_MOST_POSITIVE_WEIGHT: Final = 4.0


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """Settings of the fit; `members` perceptrons of `hidden` units each."""

    hidden: int = 192
    members: int = 3
    epochs: int = 20
    rate: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float = 0.3
    smoothing: float = 0.02
    seed: int = 0
    offsets: bool = False
    offset_decay: float = 1e-3


@dataclass(frozen=True, slots=True)
class Head:
    """logits = output_weight @ relu(hidden_weight @ features + hidden_bias) + output_bias."""

    hidden_weight: Floats
    hidden_bias: Floats
    output_weight: Floats
    output_bias: Floats

    def logits(self, features: Floats) -> Floats:
        """[texts, features] -> [texts, categories]."""
        hidden = np.maximum(features @ self.hidden_weight.T + self.hidden_bias, 0)
        result: Floats = hidden @ self.output_weight.T + self.output_bias
        return result

    def calibrated(self, slopes: Floats, offsets: Floats) -> Head:
        """The same with logits turned into slope * logit + offset, category by category."""
        return replace(
            self,
            output_weight=(self.output_weight * slopes[:, None]).astype(np.float32),
            output_bias=(self.output_bias * slopes + offsets).astype(np.float32),
        )

    @classmethod
    def mean_of(cls, heads: Sequence[Head]) -> Head:
        """One head whose logits are the mean of theirs."""
        count = len(heads)
        return cls(
            np.concatenate([head.hidden_weight for head in heads]),
            np.concatenate([head.hidden_bias for head in heads]),
            np.concatenate([head.output_weight for head in heads], axis=1) / count,
            np.stack([head.output_bias for head in heads]).mean(axis=0),
        )


@dataclass(frozen=True, slots=True)
class Examples:
    """features [rows, width], labels int8 [rows, LABELS], weight of each row, its source."""

    features: Floats
    labels: Labels
    weights: Floats
    sources: Sequence[str]


def fit(examples: Examples, config: HeadConfig) -> Head:
    """The mean of `config.members` perceptrons."""
    return Head.mean_of(
        [_fit_one(examples, config, config.seed + number) for number in range(config.members)]
    )


def _fit_one(examples: Examples, config: HeadConfig, seed: int) -> Head:
    torch.manual_seed(seed)
    mean = examples.features.mean(axis=0)
    spread = examples.features.std(axis=0) + 1e-6
    features = torch.from_numpy((examples.features - mean) / spread)
    labels = torch.from_numpy(examples.labels)
    first = nn.Linear(features.shape[1], config.hidden)
    last = nn.Linear(config.hidden, len(CATEGORIES))
    net = nn.Sequential(first, nn.ReLU(), nn.Dropout(config.dropout), last)
    offsets = _SourceOffsets(examples) if config.offsets else None
    parameters = [{"params": list(net.parameters()), "weight_decay": config.weight_decay}]
    if offsets is not None:
        parameters.append({"params": list(offsets.parameters()), "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(parameters, config.rate)
    steps = config.epochs * (len(features) // _BATCH + 1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    shares = torch.from_numpy(examples.weights / examples.weights.sum())
    positive_weight, weight = _category_weights(examples)
    for _ in range(steps):
        drawn = torch.multinomial(shares, min(_BATCH, len(shares)), replacement=True)
        logits = net(features[drawn])
        penalty = torch.zeros(())
        if offsets is not None:
            logits = logits + offsets(drawn)
            penalty = config.offset_decay * offsets.table.square().sum()
        loss = masked_loss(logits, labels[drawn], positive_weight, weight, config.smoothing)
        (loss + penalty).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        schedule.step()
    return _folded(first, last, mean, spread)


class _SourceOffsets(nn.Module):
    """What a source adds to a logit because it draws the line elsewhere; dropped after the fit.

    Only where a source has both answers: elsewhere it would swallow what is to be learnt.
    """

    def __init__(self, examples: Examples) -> None:
        super().__init__()
        names = sorted(set(examples.sources))
        place = {name: number for number, name in enumerate(names)}
        source = torch.tensor([place[name] for name in examples.sources])
        self.table = nn.Parameter(torch.zeros(len(names), len(CATEGORIES)))
        allowed = np.zeros((len(names), len(CATEGORIES)), np.float32)
        labels, sources = examples.labels[:, : len(CATEGORIES)], source.numpy()
        for number in range(len(names)):
            here = labels[sources == number]
            positives, negatives = (here == 1).sum(axis=0), (here == 0).sum(axis=0)
            allowed[number] = np.minimum(positives, negatives) >= 0.05 * (positives + negatives + 1)
        self._source, self._allowed = source, torch.from_numpy(allowed)

    def forward(self, rows: Tensor) -> Tensor:
        """Offsets of some rows, [rows, categories]."""
        sources = self._source[rows]
        result: Tensor = self.table[sources] * self._allowed[sources]
        return result


def _category_weights(examples: Examples) -> tuple[Tensor, Tensor]:
    share = examples.weights / examples.weights.sum()
    positives = ((examples.labels == 1) * share[:, None]).sum(axis=0) + 1e-4
    negatives = ((examples.labels == 0) * share[:, None]).sum(axis=0) + 1e-4
    ratio = np.sqrt(negatives / positives).clip(1, _MOST_POSITIVE_WEIGHT)
    known = 1 / np.sqrt(positives + negatives)
    return (
        torch.tensor(ratio, dtype=torch.float32),
        torch.tensor(known, dtype=torch.float32),
    )


def _folded(first: nn.Linear, last: nn.Linear, mean: Floats, spread: Floats) -> Head:
    """The perceptron with the features' mean and spread moved into its first matrix."""
    weight = first.weight.detach().numpy() / spread
    return Head(
        weight.astype(np.float32),
        (first.bias.detach().numpy() - weight @ mean).astype(np.float32),
        last.weight.detach().numpy().copy(),
        last.bias.detach().numpy().copy(),
    )
