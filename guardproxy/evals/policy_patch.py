"""New thresholds written into the text of a policy; comments and layout stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Final

import yaml

from guardproxy.errors import PolicyError
from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.decide import Guardrail
from guardproxy.policy.load import load_policy_text
from guardproxy.verdict import Action, Direction

_V2: Final = "moderation_llm_v2"
_THRESHOLDS: Final = "custom_category_thresholds"

Edit = tuple[int, int, str]
"""Start, end, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """An entry whose thresholds are tuned: `input[0]`."""

    direction: Direction
    entry: int


def places(policy: ActivePolicy, directions: Iterable[Direction]) -> dict[Place, Guardrail]:
    """The v2 entries that block, in these directions; those that report, where none blocks.

    Raises:
        PolicyError: there is none.
    """
    found: dict[Place, Guardrail] = {}
    asked = list(directions)
    has_v1 = False
    for direction in asked:
        guardrails = policy.input if direction is Direction.INPUT else policy.output
        has_v1 |= any(each.version == 1 for each in guardrails)
        own = [each for each in guardrails if each.version == 2]
        blocking = [each for each in own if each.action is Action.BLOCK]
        found |= {Place(direction, each.entry): each for each in blocking or own}
    if not found:
        message = f"has no {_V2} entry in {' or '.join(asked)} to tune"
        if has_v1:
            message += "; `guardproxy policy migrate` makes them of v1's"
        raise PolicyError(message, file=policy.source)
    return found


def thresholds_now(guardrails: Iterable[Guardrail]) -> dict[str, float]:
    """Category -> the lowest threshold of some entries; without what is switched off."""
    lowest: dict[str, float] = {}
    for guardrail in guardrails:
        for category, threshold in guardrail.thresholds.items():
            if threshold < 1:
                lowest[category] = min(threshold, lowest.get(category, 1.0))
    return lowest


def with_thresholds(
    text: str, source: str, found: Mapping[Place, Guardrail], thresholds: Mapping[str, float]
) -> str:
    """The policy with new thresholds, in each entry for what it has not switched off.

    Args:
        text: of the policy, YAML.
        source: the file's name, for errors.
        found: entries to change, from `places`.
        thresholds: v2 category -> threshold.

    Raises:
        PolicyError: the text cannot be used, or is written so that it cannot be edited.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: list[Edit] = []
    for place, guardrail in found.items():
        entry = _value(root, place.direction.value)
        assert isinstance(entry, yaml.SequenceNode)  # noqa: S101 - it was loaded as one
        wanted = _wanted(guardrail, thresholds)
        edits += _edits(_value(entry.value[place.entry], _V2), wanted, text) if wanted else []
    edited = _edited(text, edits)
    _check(edited, source, found, thresholds)
    return edited


def patch(before: str, after: str, source: str) -> str:
    """What changes, as a unified diff; empty if nothing does."""
    lines = unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"{source} (before)",
        f"{source} (after)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _wanted(guardrail: Guardrail, thresholds: Mapping[str, float]) -> dict[str, float]:
    return {
        category: thresholds[category]
        for category, now in guardrail.thresholds.items()
        if now < 1 and category in thresholds
    }


def _edits(config: yaml.Node | None, wanted: Mapping[str, float], text: str) -> list[Edit]:
    assert isinstance(config, yaml.MappingNode)  # noqa: S101 - as above
    given = _value(config, _THRESHOLDS)
    if isinstance(given, yaml.MappingNode) and given.value:
        values = {key.value: value for key, value in given.value}
        edits = [
            _replaced(values[name], f"{wanted[name]:g}", text) for name in wanted if name in values
        ]
        fresh = [f"{name}: {value:g}" for name, value in wanted.items() if name not in values]
        return [*edits, *([_before_first(given, fresh)] if fresh else [])]
    pairs = ", ".join(f"{name}: {value:g}" for name, value in wanted.items())
    if given is not None:
        return [_replaced(given, f"{{{pairs}}}", text)]
    pair = f"{_THRESHOLDS}: {{{pairs}}}"
    if config.value:
        return [_before_first(config, [pair])]
    return [_replaced(config, f"{{{pair}}}", text)]


def _before_first(mapping: yaml.MappingNode, pairs: Sequence[str]) -> Edit:
    """Further pairs at the head of a mapping that is not empty, in its own style."""
    start = mapping.value[0][0].start_mark
    after = ", " if mapping.flow_style else "\n" + " " * start.column
    return (start.index, start.index, "".join(pair + after for pair in pairs))


def _replaced(node: yaml.Node, new: str, text: str) -> Edit:
    """A value in place of another one, which may be nothing at all (`pii:`)."""
    start = node.start_mark.index
    space = "" if text[start - 1].isspace() else " "
    return (start, node.end_mark.index, space + new)


def _edited(text: str, edits: Iterable[Edit]) -> str:
    pieces, done = [], 0
    for start, end, new in sorted(edits):
        pieces += [text[done:start], new]
        done = end
    return "".join([*pieces, text[done:]])


def _check(
    text: str, source: str, found: Mapping[Place, Guardrail], thresholds: Mapping[str, float]
) -> None:
    """The edited text says what it was edited to say."""
    config = load_policy_text(text, source).config
    for place, guardrail in found.items():
        entries: Sequence[GuardrailConfig] = getattr(config, place.direction.value)
        entry = entries[place.entry].moderation_llm_v2
        given = (entry.custom_category_thresholds if entry else None) or {}
        if any(given.get(name) != value for name, value in _wanted(guardrail, thresholds).items()):
            message = "cannot be edited as it is written; copy the thresholds by hand"
            raise PolicyError(message, file=source, key=f"{place.direction.value}[{place.entry}]")


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key of a mapping, if it stands there."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)
