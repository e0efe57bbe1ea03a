"""Several models that judge as one: each category by its owner, or by whoever scores it highest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardproxy.classifiers.ensemble import Model
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError
from guardproxy.verdict import Scores


@dataclass(frozen=True, slots=True)
class Judge:
    """A model, and the categories that it is asked about."""

    model: Model
    categories: frozenset[str]


class CombinedModel:
    """Fits `ensemble.Model`. It does not open its models."""

    def __init__(
        self, judges: Sequence[Judge], *, name: str, default_thresholds: Mapping[str, float]
    ) -> None:
        """Models in their order; the first one counts tokens.

        Args:
            judges: at least one.
            name: name and version of all of them together.
            default_thresholds: v2 category -> threshold.
        """
        self._judges = tuple(judges)
        self._name = name
        self._thresholds = default_thresholds

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_thresholds(self) -> Mapping[str, float]:
        return self._thresholds

    @property
    def reads_context(self) -> bool:
        """Whether the conversation before a text can change some score."""
        return any(judge.model.reads_context for judge in self._judges)

    @property
    def expected_wait(self) -> float:
        """Seconds until it is the turn of a short text that comes now, with the busiest of them."""
        return max(judge.model.expected_wait for judge in self._judges)

    def count_tokens(self, text: str) -> int:
        """Tokens of the text alone, as the first model counts them."""
        return self._judges[0].model.count_tokens(text)

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        """Scores of each passage, in order; all models work at the same time.

        Raises:
            ClassifierError: one of the models could not judge.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    tasks.create_task(judge.model.classify(passages)) for judge in self._judges
                ]
        except* ClassifierError as group:
            # One of them is enough to say why, and callers know no groups.
            raise group.exceptions[0] from None
        answers = [task.result() for task in asked]
        return [self._together(each) for each in zip(*answers, strict=True)]

    def _together(self, answers: Sequence[Scores]) -> Scores:
        together: dict[str, float] = {}
        for judge, scores in zip(self._judges, answers, strict=True):
            for category in judge.categories:
                together[category] = max(scores[category], together.get(category, 0.0))
        return together
