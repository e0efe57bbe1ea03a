"""The categories, in Mistral's two vintages, and how one is read as the other.

Source: api-contracts 1.4, Mistral `moderation_llm_v1` / `moderation_llm_v2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

V2_CATEGORIES: tuple[str, ...] = (
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous",
    "criminal",
    "selfharm",
    "health",
    "financial",
    "law",
    "pii",
    "jailbreaking",
)
"""Ours: the keys of `Scores`, and of a model folder's output, in the schema's order."""

V1_SOURCES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sexual": ("sexual",),
        "hate_and_discrimination": ("hate_and_discrimination",),
        "violence_and_threats": ("violence_and_threats",),
        "dangerous_and_criminal_content": ("dangerous", "criminal"),
        "selfharm": ("selfharm",),
        "health": ("health",),
        "financial": ("financial",),
        "law": ("law",),
        "pii": ("pii",),
    }
)
"""v1 category -> the v2 categories whose highest score it takes."""

V1_CATEGORIES: tuple[str, ...] = tuple(V1_SOURCES)


def as_v1(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores (or thresholds) by v2 category, read as v1: the highest of the sources.

    Categories without a v1 counterpart (`jailbreaking`) are left out.
    """
    return {
        category: max(scores[source] for source in sources)
        for category, sources in V1_SOURCES.items()
    }
