"""Texts + guardrails -> Verdict. Deadlines and failures become verdicts here and only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from guardproxy.content import Passage
from guardproxy.verdict import Scores


class Classifier(Protocol):
    """The seam to whatever judges text: the embedded model, a remote API, an LLM."""

    @property
    def name(self) -> str:
        """Name and version, for headers, logs and `/healthz`."""
        ...

    @property
    def default_thresholds(self) -> Mapping[str, float]:
        """v2 category -> threshold at which this classifier's score counts, unless a policy
        says otherwise. May also hold the v1 key `dangerous_and_criminal_content`."""
        ...

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        """Scores of each passage, in order; every v2 category is a key.

        Raises:
            ClassifierError: nothing can be said (deadline, overload, error, missing).
        """
        ...
