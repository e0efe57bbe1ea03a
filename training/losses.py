"""The loss of labels of which some are unknown."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from training.config import CATEGORIES

_DANGEROUS: Final = CATEGORIES.index("dangerous")
_CRIMINAL: Final = CATEGORIES.index("criminal")
_LEAST: Final = 1e-6


def masked_loss(
    logits: Tensor, labels: Tensor, positive_weight: Tensor, weight: Tensor, smoothing: float
) -> Tensor:
    """Mean of the known labels' cross entropies.

    Args:
        logits: [texts, categories].
        labels: [texts, categories + 1], -1 where unknown; the last says that the text is dangerous
            or criminal, and counts where neither of the two is known.
        positive_weight: [categories + 1], of positives against negatives.
        weight: [categories + 1], of each category.
        smoothing: how far targets stay from 0 and 1.
    """
    known = (labels >= 0).float()
    parts_known = known[:, [_DANGEROUS, _CRIMINAL]].amax(dim=1)
    known[:, -1] = known[:, -1] * (1 - parts_known)
    targets = labels.clamp(min=0).float() * (1 - 2 * smoothing) + smoothing
    losses = functional.binary_cross_entropy_with_logits(
        with_union(logits), targets, reduction="none", pos_weight=positive_weight
    )
    weights = known * weight
    total: Tensor = (losses * weights).sum() / weights.sum().clamp(min=_LEAST)
    return total


def with_union(logits: Tensor) -> Tensor:
    """[texts, categories] -> one column more: the logit of "dangerous, criminal or both".

    1 - (1 - p)(1 - q) has the odds e^a + e^b + e^(a + b).
    """
    one, other = logits[:, _DANGEROUS], logits[:, _CRIMINAL]
    union = torch.stack([one, other, one + other]).logsumexp(dim=0)
    return torch.cat([logits, union.unsqueeze(1)], dim=1)
