"""Which rows are drawn how often, so that no source, language or category drowns the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from training.arrays import Floats
from training.config import RunConfig
from training.rows import LABELS, Row

_LANGUAGE_POWER: Final = 0.6
_RARE_POWER: Final = 0.3
_MOST_FOR_RARE: Final = 3.0


def source_weight(source: str, config: RunConfig) -> float:
    """What the longest name in `source_weights` that the source begins with says, or 1."""
    names = [name for name in config.source_weights if source.startswith(name)]
    return config.source_weights[max(names, key=len)] if names else 1.0


def weights(rows: Sequence[Row], config: RunConfig) -> Floats:
    """[rows], summing to 1: how likely each is drawn."""
    sizes = Counter(row.source for row in rows)
    rarities = _rarities(rows)
    drawn = np.array(
        [
            sizes[row.source] ** (config.source_power - 1)
            * source_weight(row.source, config)
            * _rarity(row, rarities)
            for row in rows
        ]
    )
    languages: dict[str, float] = {}
    for row, weight in zip(rows, drawn, strict=True):
        languages[row.lang] = languages.get(row.lang, 0.0) + float(weight)
    drawn *= [languages[row.lang] ** (_LANGUAGE_POWER - 1) for row in rows]
    shares: Floats = drawn / drawn.sum()
    return shares


def _rarities(rows: Sequence[Row]) -> list[float]:
    """For each label what its positives are worth: more the fewer there are, 1 at least."""
    labels = np.array([row.labels for row in rows])
    counts = np.maximum((labels == 1).sum(axis=0), 1)
    worth = (np.median(counts) / counts) ** _RARE_POWER
    return [float(each) for each in worth.clip(1, _MOST_FOR_RARE)]


def _rarity(row: Row, rarities: Sequence[float]) -> float:
    return max((rarities[i] for i in range(len(LABELS)) if row.labels[i] == 1), default=1.0)
