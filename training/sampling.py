"""Which rows are drawn how often, so that no source, language or category drowns the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from training.config import RunConfig
from training.rows import LABELS, Row

_LANGUAGE_POWER: Final = 0.6
_RARE_POWER: Final = 0.3
_MOST_FOR_RARE: Final = 3.0


def source_weight(source: str, config: RunConfig) -> float:
    """What the longest name in `source_weights` that the source begins with says, or 1."""
    names = [name for name in config.source_weights if source.startswith(name)]
    return config.source_weights[max(names, key=len)] if names else 1.0


def weights(rows: Sequence[Row], config: RunConfig) -> npt.NDArray[np.float64]:
    """[rows], summing to 1: how likely each is drawn."""
    sizes = Counter(row.source for row in rows)
    positives = _positives(rows)
    drawn = np.array(
        [
            sizes[row.source] ** (config.source_power - 1)
            * source_weight(row.source, config)
            * _rarity(row, positives)
            for row in rows
        ]
    )
    languages: dict[str, float] = {}
    for row, weight in zip(rows, drawn, strict=True):
        languages[row.lang] = languages.get(row.lang, 0.0) + float(weight)
    drawn *= [languages[row.lang] ** (_LANGUAGE_POWER - 1) for row in rows]
    return drawn / drawn.sum()


def _positives(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    labels = np.array([row.labels for row in rows])
    return np.maximum((labels == 1).sum(axis=0), 1).astype(np.float64)


def _rarity(row: Row, positives: npt.NDArray[np.float64]) -> float:
    shares = [
        (float(np.median(positives)) / positives[i]) ** _RARE_POWER
        for i in range(len(LABELS))
        if row.labels[i] == 1
    ]
    return min(_MOST_FOR_RARE, max([1.0, *shares]))
