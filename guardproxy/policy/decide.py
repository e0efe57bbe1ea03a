"""The rules: guardrail entries + scores -> what each entry says. Pure.

Violated means above, not at, the threshold (Mistral); so a higher score or a lower threshold can
only add blocks, and a threshold of 1 switches a category off.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import exp
from operator import itemgetter
from typing import Final, Literal, NoReturn

from guardproxy.errors import ClassifierError, ClassifierMissing, PolicyError
from guardproxy.policy.config import GuardrailConfig, ModerationV1Config, ModerationV2Config
from guardproxy.policy.taxonomy import V1_CATEGORIES, V1_SOURCES, V2_CATEGORIES
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Scores

DOUBT: Final = 0.5
_DOUBT = exp(DOUBT)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One guardrail entry, ready to decide: every category it evaluates has its threshold.

    `entry` is the place of its config in the list it came from: an entry with both versions makes
    two guardrails. `thresholds` is in the schema's order; a category that is not in it is not
    evaluated.
    """

    name: str
    model_name: str
    action: Action
    block_on_error: bool
    thresholds: Mapping[str, float]
    version: Literal[1, 2]
    entry: int = 0


def resolve(
    configs: Sequence[GuardrailConfig], defaults: Mapping[str, float]
) -> tuple[Guardrail, ...]:
    """Entries with every threshold filled in, in their order, v1 before v2 within an entry.

    Evaluated are all categories of the version, or with `ignore_other_categories` only those
    given; `null` is not given. A threshold that is not given is the classifier's default; v1's
    `dangerous_and_criminal_content` falls back to the higher default of its two sources.

    Args:
        configs: entries of a policy or of a request.
        defaults: the classifier's `default_thresholds`.

    Raises:
        PolicyError: a category has neither a threshold nor a default. Nothing is made up: 1 would
            be a guard that is silently off.
    """
    return tuple(
        guardrail
        for entry, config in enumerate(configs)
        for guardrail in _guardrails(entry, config, defaults)
    )


def _guardrails(
    entry: int, config: GuardrailConfig, defaults: Mapping[str, float]
) -> Iterable[Guardrail]:
    if (v1 := config.moderation_llm_v1) is not None:
        thresholds = _thresholds(v1, V1_CATEGORIES, defaults)
        yield Guardrail(
            "moderation_llm_v1",
            v1.model_name,
            v1.action,
            config.block_on_error,
            thresholds,
            1,
            entry,
        )
    if (v2 := config.moderation_llm_v2) is not None:
        thresholds = _thresholds(v2, V2_CATEGORIES, defaults)
        yield Guardrail(
            "moderation_llm_v2",
            v2.model_name,
            v2.action,
            config.block_on_error,
            thresholds,
            2,
            entry,
        )


def _thresholds(
    config: ModerationV1Config | ModerationV2Config,
    categories: Sequence[str],
    defaults: Mapping[str, float],
) -> dict[str, float]:
    custom = config.custom_category_thresholds or {}
    given = {category: value for category, value in custom.items() if value is not None}
    return {
        category: given[category] if category in given else _default(category, defaults)
        for category in categories
        if category in given or not config.ignore_other_categories
    }


def _default(category: str, defaults: Mapping[str, float]) -> float:
    if category in defaults:
        return defaults[category]
    sources = V1_SOURCES.get(category, ())
    if sources and all(source in defaults for source in sources):
        return max(defaults[source] for source in sources)
    raise PolicyError(
        "the classifier has no default threshold for this category; "
        "give one in custom_category_thresholds",
        key=category,
    )


def decide(
    guardrails: Sequence[Guardrail], judged: Sequence[tuple[str, Scores]]
) -> tuple[GuardrailResult, ...]:
    """What each guardrail says about the texts: per category the highest score and where it stood.

    Args:
        guardrails: from `resolve`.
        judged: path and scores of each text. None at all leaves every score at 0.

    Raises:
        ClassifierMissing: a category that is evaluated has no score.
        ClassifierError: a score is not a probability. (NaN is above nothing: it would pass.)
    """
    return tuple(
        _result(guardrail, decisions=_decisions(guardrail, judged)) for guardrail in guardrails
    )


def _sources(guardrail: Guardrail, category: str) -> tuple[str, ...]:
    return V1_SOURCES[category] if guardrail.version == 1 else (category,)


def _decisions(
    guardrail: Guardrail, judged: Sequence[tuple[str, Scores]]
) -> dict[str, CategoryDecision]:
    thresholds = guardrail.thresholds
    if guardrail.version == 2:
        scores, paths = _peaks(thresholds.keys(), judged)
    else:
        sources = dict.fromkeys(chain.from_iterable(map(V1_SOURCES.__getitem__, thresholds)))
        peaks = dict(zip(sources, zip(*_peaks(sources.keys(), judged), strict=True), strict=True))
        highest = [
            max((peaks[source] for source in V1_SOURCES[category]), key=itemgetter(0))
            for category in thresholds
        ]
        scores, paths = [score for score, _ in highest], [path for _, path in highest]
    decided = map(CategoryDecision._make, zip(thresholds.values(), scores, paths, strict=True))
    return dict(zip(thresholds, decided, strict=True))


def _peaks(
    categories: KeysView[str], judged: Sequence[tuple[str, Scores]]
) -> tuple[list[float], list[str]]:
    """Of each category the highest score, and where the first text that has it stood.

    Column by column, because a conversation has many texts and this runs for each of its turns.
    """
    if not (judged and categories):
        return [0.0] * len(categories), [""] * len(categories)
    rows = [_row(categories, scores) for _, scores in judged]
    everything = list(chain.from_iterable(rows))
    # One NaN makes the sum one; it could hide from the other two.
    if not (min(everything) >= 0.0 and max(everything) <= 1.0 and sum(everything) >= 0.0):
        _refuse_odd(categories, rows)
    if len(rows) == 1:
        return rows[0], [judged[0][0]] * len(categories)
    columns = list(zip(*rows, strict=True))
    highest = list(map(max, columns))
    firsts = map(tuple.index, columns, highest)
    return highest, [judged[first][0] for first in firsts]


def _row(categories: KeysView[str], scores: Scores) -> list[float]:
    # By its keys: a mapping that makes up values for missing ones must not pass for a judge.
    if not categories <= scores.keys():
        missing = next(category for category in categories if category not in scores)
        raise ClassifierMissing(f"the classifier gave no score for {missing}")
    return list(map(float, map(scores.__getitem__, categories)))


def _refuse_odd(categories: Iterable[str], rows: Iterable[Sequence[float]]) -> NoReturn:
    odd = next(
        category
        for category, column in zip(categories, zip(*rows, strict=True), strict=True)
        if not all(0.0 <= score <= 1.0 for score in column)
    )
    raise ClassifierError(f"the classifier's score for {odd} is outside 0..1")


def _result(
    guardrail: Guardrail,
    *,
    decisions: Mapping[str, CategoryDecision] | None = None,
    error: str | None = None,
) -> GuardrailResult:
    return GuardrailResult(
        name=guardrail.name,
        model_name=guardrail.model_name,
        action=guardrail.action,
        decisions=decisions or {},
        block_on_error=guardrail.block_on_error,
        error=error,
        entry=guardrail.entry,
    )


def decide_without_scores(
    guardrails: Sequence[Guardrail], reason: str
) -> tuple[GuardrailResult, ...]:
    """What each guardrail says when the classifier did not answer.

    Args:
        guardrails: from `resolve`.
        reason: `ClassifierError.reason`.
    """
    return tuple(_result(guardrail, error=reason) for guardrail in guardrails)


def raise_thresholds(
    guardrails: Sequence[Guardrail], partial: Mapping[str, float]
) -> tuple[Guardrail, ...]:
    """The same guardrails for text that is unfinished: each threshold the higher of the two.

    Those that do not block stay as they are: nothing waits for what only they find.

    Args:
        guardrails: from `resolve`.
        partial: v2 category -> threshold; v1's `dangerous_and_criminal_content` takes the higher
            one of its sources. Never lowers a threshold, never adds a category.
    """
    return tuple(
        replace(
            guardrail,
            thresholds={
                category: max(
                    threshold,
                    *(partial.get(source, threshold) for source in _sources(guardrail, category)),
                )
                for category, threshold in guardrail.thresholds.items()
            },
        )
        if guardrail.action is Action.BLOCK
        else guardrail
        for guardrail in guardrails
    )


def at_thresholds(
    results: Sequence[GuardrailResult], guardrails: Sequence[Guardrail]
) -> tuple[GuardrailResult, ...]:
    """The same scores beside other thresholds; see `would_block`."""
    return tuple(
        result._replace(
            decisions={
                name: each._replace(threshold=guardrail.thresholds[name])
                for name, each in result.decisions.items()
            }
        )
        for result, guardrail in zip(results, guardrails, strict=False)
    )


def would_block(results: Sequence[GuardrailResult], guardrails: Sequence[Guardrail]) -> bool:
    """Whether guardrails with other thresholds would block what was judged.

    Args:
        results: what `decide` made of the same guardrails at their own thresholds, or at raised
            ones; none if nothing is evaluated at all. What failed says nothing.
        guardrails: with the thresholds that count.
    """
    # Looked at in place, without `at_thresholds`: every judgement of a stream asks.
    return any(
        guardrail.action is Action.BLOCK
        and True
        in [score > guardrail.thresholds[c] for c, (_, score, _) in result.decisions.items()]
        for result, guardrail in zip(results, guardrails, strict=False)
    )


def doubted(scores: Scores) -> Scores:
    """Scores of messages that were joined, in log odds `DOUBT` lower: a false alarm is likelier.

    Each was judged by itself, behind what was said before, and as words of one text they say what
    nobody said: "I'm no use to anyone." and "how to cancel".
    """
    return {category: score / (score + (1 - score) * _DOUBT) for category, score in scores.items()}


def unique_names(results: Iterable[GuardrailResult]) -> tuple[str, ...]:
    """A name for each result: the config's, and from the second of a name on `#2`, `#3`, ..."""
    seen: dict[str, int] = {}
    names = []
    for result in results:
        count = seen[result.name] = seen.get(result.name, 0) + 1
        names.append(result.name if count == 1 else f"{result.name}#{count}")
    return tuple(names)
