"""Fakes of seams. Each says what it can be told to do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from guardproxy.content import Passage
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Scores

KEYWORDS: Mapping[str, Mapping[str, float]] = {
    "bomb": {"dangerous": 0.9, "violence_and_threats": 0.8},
    "burgle": {"criminal": 0.9},
    "despise": {"hate_and_discrimination": 0.8},
    "despair": {"selfharm": 0.95},
    "naked": {"sexual": 0.9},
    "passport": {"pii": 0.9},
    "pretend": {"jailbreaking": 0.9},
}
"""Word -> what a `KeywordClassifier` scores for a text that holds it, unless told otherwise."""


class KeywordClassifier:
    """A `Classifier` that scores a text by the words in it; `NOTHING` where there are none.

    It can be told its words, an error to raise for every call, and to wait for `gate` (an event)
    before it answers. It remembers what it was asked in `asked`.
    """

    NOTHING = 0.01
    name = "keywords 1.0"
    default_thresholds: Mapping[str, float] = dict.fromkeys(V2_CATEGORIES, 0.5)

    def __init__(
        self,
        keywords: Mapping[str, Mapping[str, float]] = KEYWORDS,
        *,
        error: Exception | None = None,
        gate: asyncio.Event | None = None,
        context_characters: int = 1_000,
    ) -> None:
        self.keywords = keywords
        self.error = error
        self.gate = gate
        self.context_characters = context_characters
        self.asked: list[list[Passage]] = []

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        self.asked.append(list(passages))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [self.score(passage.text) for passage in passages]

    def score(self, text: str) -> Scores:
        found = [scores for word, scores in self.keywords.items() if word in text.casefold()]
        return {
            category: max(
                (scores.get(category, self.NOTHING) for scores in found), default=self.NOTHING
            )
            for category in V2_CATEGORIES
        }


class WordCounter:
    """A `TokenCounter` for which every word is a token."""

    def count_tokens(self, text: str) -> int:
        return len(text.split())
