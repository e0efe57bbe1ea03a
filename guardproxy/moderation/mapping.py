"""How our eleven categories read as each vendor's keys: the one table.

A vendor's key is a conjunction of alternatives over our categories. Its score is the lowest, over
the conjunction, of the highest among the alternatives; it is flagged when every part of the
conjunction has an alternative that is violated at the classifier's default threshold. Both are
monotone: a higher score of ours never lowers or clears a key. A key that narrows another
(`hate/threatening`) scores at most what that one scores, and is never flagged without it.

Nothing here is invented where our model cannot tell two keys apart; then one of two rules holds.
Where another of our categories carries what narrows the key, both must be high. Where none does,
the key takes the score of the wider one, which reads as "at most this".

Mistral's keys are ours (2603) or their fold (2411); these follow `policy.decide`, so that an answer
here says the same as a guardrail in the proxy. Sources: api-contracts 1.4, 3.1, 3.3, 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guardproxy.policy.config import GuardrailConfig, ModerationV1Config, ModerationV2Config
from guardproxy.policy.decide import Guardrail, decide, resolve
from guardproxy.verdict import CategoryDecision, Scores


@dataclass(frozen=True, slots=True)
class VendorKey:
    """One key of a vendor, in terms of ours.

    `all_of` is a conjunction of alternatives: `(("a", "b"), ("c",))` is "(a or b) and c".
    `why` is the reason in the documentation.
    """

    key: str
    all_of: tuple[tuple[str, ...], ...]
    why: str

    @property
    def rule(self) -> str:
        """The score as a formula over our categories."""
        parts = [
            alternatives[0] if len(alternatives) == 1 else f"max({', '.join(alternatives)})"
            for alternatives in self.all_of
        ]
        return parts[0] if len(parts) == 1 else f"min({', '.join(parts)})"


_HATE = ("hate_and_discrimination",)
_VIOLENCE = ("violence_and_threats",)
_ILLICIT = ("criminal", "dangerous")

OPENAI_OMNI: tuple[VendorKey, ...] = (
    VendorKey(
        "harassment",
        (_HATE,),
        "our category covers hostility, slurs and harassment; it does not ask who is attacked",
    ),
    VendorKey("harassment/threatening", (_HATE, _VIOLENCE), "harassment that is also a threat"),
    VendorKey("hate", (_HATE,), "the same score as harassment: see there"),
    VendorKey("hate/threatening", (_HATE, _VIOLENCE), "hate that is also a threat"),
    VendorKey("illicit", (_ILLICIT,), "advice for crime, or for what is extremely hazardous"),
    VendorKey("illicit/violent", (_ILLICIT, _VIOLENCE), "illicit that is also violent"),
    VendorKey("self-harm", (("selfharm",),), "the same meaning"),
    VendorKey(
        "self-harm/intent",
        (("selfharm",),),
        "at most this: we cannot tell whose intent it is, and would rather not miss a person",
    ),
    VendorKey(
        "self-harm/instructions",
        (("selfharm",),),
        "at most this: we cannot tell instructions from other talk of self-harm",
    ),
    VendorKey("sexual", (("sexual",),), "the same meaning"),
    VendorKey(
        "sexual/minors",
        (("sexual",), ("criminal",)),
        "sexual that is also criminal: we cannot tell an age, so this is also raised by other "
        "sexual crimes, and is no evidence that a minor is involved",
    ),
    VendorKey("violence", (_VIOLENCE,), "the same meaning"),
    VendorKey(
        "violence/graphic",
        (_VIOLENCE,),
        "at most this: gore is part of our category, we cannot tell how graphic it is",
    ),
)
"""OpenAI `omni-moderation-*`, 13 keys, in the order of the vendor's schema."""

OPENAI_TEXT: tuple[VendorKey, ...] = tuple(
    row for row in OPENAI_OMNI if row.key not in ("illicit", "illicit/violent")
)
"""OpenAI `text-moderation-*`, Meridian and Assisters, 11 keys."""

OPENAI_UNMAPPED: tuple[str, ...] = ("health", "financial", "law", "pii", "jailbreaking")
"""Ours that no OpenAI-style key means. They never flag an OpenAI-style answer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One input with its decisions, by category, in both of Mistral's vintages."""

    v1: Mapping[str, CategoryDecision]
    v2: Mapping[str, CategoryDecision]


@dataclass(frozen=True, slots=True)
class KeyScore:
    """What one vendor key says about one input."""

    score: float
    flagged: bool


def default_guardrails(defaults: Mapping[str, float]) -> tuple[Guardrail, ...]:
    """Every category of both vintages at the classifier's default thresholds, v1 first.

    Raises:
        PolicyError: a category has no default threshold.
    """
    both = GuardrailConfig(
        moderation_llm_v1=ModerationV1Config(), moderation_llm_v2=ModerationV2Config()
    )
    return resolve((both,), defaults)


def judge(guardrails: Sequence[Guardrail], *readings: Scores) -> Judged:
    """Scores of one input, decided; of several readings the highest.

    Args:
        guardrails: from `default_guardrails`.
        readings: by v2 category.

    Raises:
        ClassifierError: a score is missing or is no probability.
    """
    v1, v2 = decide(guardrails, [("", scores) for scores in readings])
    return Judged(v1.decisions, v2.decisions)


def read_as(keys: Sequence[VendorKey], judged: Judged) -> dict[str, KeyScore]:
    """A judged input in a vendor's keys, in their order."""
    return {row.key: _key_score(row, judged.v2) for row in keys}


def _key_score(row: VendorKey, decisions: Mapping[str, CategoryDecision]) -> KeyScore:
    return KeyScore(
        score=min(max(decisions[ours].score for ours in group) for group in row.all_of),
        flagged=all(any(decisions[ours].violated for ours in group) for group in row.all_of),
    )
