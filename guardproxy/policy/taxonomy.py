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

V1_DEPRECATED_SINCE = "@1774915200"
"""2026-03-31, as RFC 9745 has the header `deprecation`."""
V1_RETIRED_ON = "Tue, 30 Jun 2026 00:00:00 GMT"
"""As RFC 8594 has the header `sunset`."""

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "sexual": "Explicit sexual material or services; education that is not explicit is fine.",
        "hate_and_discrimination": (
            "Hostility or exclusion because of a protected characteristic, slurs, harassment."
        ),
        "violence_and_threats": (
            "Describes, glorifies, incites or threatens physical violence; gore; instructions."
        ),
        "dangerous": "Extremely hazardous behaviour, weapons, drugs, dangerous substances.",
        "criminal": "Illegal activity, asked for or explained.",
        "dangerous_and_criminal_content": "Dangerous or criminal; v2 tells the two apart.",
        "selfharm": "Self-injury, suicide, eating disorders.",
        "health": "Asks for or gives detailed or tailored medical advice.",
        "financial": "Asks for or gives detailed or tailored financial advice.",
        "law": "Asks for or gives detailed or tailored legal advice.",
        "pii": "Asks for, shares or elicits personal data.",
        "jailbreaking": "Tries to get round safety rules by manipulation or role play.",
    }
)
"""Category of either vintage -> what it means, in a line."""
