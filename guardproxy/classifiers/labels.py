"""What a foreign classifier says, in our categories: its labels, its logits, softmax or not. Pure.

A graph that was trained elsewhere has labels of its own (`toxic`, `INJECTION`, `SAFE`). Each stands
for some of our categories, or for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from guardproxy.errors import ClassifierError

Row: TypeAlias = tuple[float, ...]
"""Scores of one window, in the manifest's order of categories."""


class Label(BaseModel):
    """One label of a graph's output, and the categories it stands for; none for `SAFE`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    name: str = Field(min_length=1)
    categories: list[str] = Field(default_factory=list)


def categories_named(labels: object, order: Iterable[str]) -> list[str]:
    """The categories that labels stand for: ours in our order, then what is strange.

    Args:
        labels: `labels` of a manifest, not checked yet.
        order: our categories.
    """
    items = labels if isinstance(labels, list) else []
    lists = [item.get("categories") for item in items if isinstance(item, dict)]
    named = {str(name) for each in lists if isinstance(each, list) for name in each}
    return [name for name in order if name in named] + sorted(named.difference(order))


def places_of(labels: Sequence[Label], categories: Iterable[str]) -> tuple[tuple[int, ...], ...]:
    """For each category, at which places of the output its labels stand."""
    return tuple(
        tuple(place for place, label in enumerate(labels) if category in label.categories)
        for category in categories
    )


def probabilities(
    output: npt.NDArray[np.floating[Any]], *, logits: bool, exclusive: bool
) -> npt.NDArray[np.float64]:
    """An output [labels] as probabilities.

    Args:
        output: probabilities, or logits.
        logits: they are logits: the sigmoid of each, or the softmax of all.
        exclusive: exactly one label holds for a text, so their probabilities make up 1.
    """
    values = np.asarray(output, dtype=np.float64)
    if not logits:
        return values
    if exclusive:
        # Less the highest: the same quotients, and no overflow.
        powers = np.exp(values - values.max())
        return np.asarray(powers / powers.sum())
    return np.asarray((1 + np.tanh(values / 2)) / 2)  # the sigmoid, without overflow


def scores(
    values: npt.NDArray[np.float64], places: Iterable[Sequence[int]], *, exclusive: bool
) -> Row:
    """The score of each category: of labels that exclude each other their sum, else the highest."""
    picked = (values[list(each)] for each in places)
    # A sum of parts of 1 may be a hair more than 1.
    return tuple(float(min(1.0, each.sum())) if exclusive else float(each.max()) for each in picked)


def read_labels(
    output: object,
    labels: int,
    places: Iterable[Sequence[int]],
    *,
    logits: bool,
    exclusive: bool,
) -> Row:
    """Scores out of the output of a foreign graph.

    Raises:
        ClassifierError: not [1, labels], or a value that is no number or no probability.
    """
    values = np.asarray(output)
    if values.shape != (1, labels):
        raise ClassifierError(f"the model's output has the shape {list(values.shape)}")
    found = probabilities(values[0], logits=logits, exclusive=exclusive)
    if not bool(((found >= 0) & (found <= 1)).all()):
        raise ClassifierError("the model's output is no probability; are these logits?")
    return scores(found, places, exclusive=exclusive)
