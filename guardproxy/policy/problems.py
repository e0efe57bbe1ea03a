"""What is wrong with a policy or an inline entry, in our words and with its place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guardproxy.policy.config import (
    NOTHING_GIVEN,
    SCOPES,
    GuardrailConfig,
    Limits,
    ModerationV1Config,
    ModerationV2Config,
    PassthroughRoute,
    PolicyConfig,
    StreamingConfig,
    UnscannableConfig,
)
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from guardproxy.policy.yaml_tree import Loc
from guardproxy.verdict import Action

MISSING = "is missing"
_TOP_LEVEL = "the top level"
_ENTRY = "an entry"
# Of a key that two sections have, the last one counts.
_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("passthrough", PassthroughRoute), ("limits", Limits), ("unscannable", UnscannableConfig),
    ("streaming", StreamingConfig), ("moderation_llm_v1", ModerationV1Config),
    ("moderation_llm_v2", ModerationV2Config), (_ENTRY, GuardrailConfig),
    (_TOP_LEVEL, PolicyConfig),
)  # fmt: skip
_THRESHOLDS = "custom_category_thresholds"
_HOMES = dict.fromkeys((*V1_CATEGORIES, *V2_CATEGORIES), _THRESHOLDS) | {
    key: name for name, section in _SECTIONS for key in section.model_fields
}
"""Key -> where it belongs."""
_KNOWN_KEYS = sorted(_HOMES)
_MESSAGES = {
    "missing": MISSING,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "extra_forbidden": "unknown key",
    "finite_number": "must be a finite number",
    "too_short": "must not be empty",
}
# What a pattern asks for: key -> in words.
_FORMS = {
    "name": "lower-case letters, digits, '.', '_' and '-', 64 at most, no sign first",
    "model_name": "one word of letters, digits and ._:/-, 128 at most, no sign first",
    "exempt_sha256": "64 hexadecimal digits, as `guardproxy policy hash` prints them",
    "path": "a / first, then letters, digits, ._~-/ and {name}",
}
_QUOTED_VALUE = re.compile(r"-?[0-9]+(\.[0-9]+)?|true|false")
_DECIMAL_COMMA = re.compile(r"-?[0-9]*,[0-9]+")
# pydantic's last step where a key itself is wrong; it does not stand in the file.
_KEY_STEP = "[key]"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, from the root, and what."""

    loc: Loc
    message: str


def problems_in(error: ValidationError, *, sent_by_client: bool = False) -> Iterator[Problem]:
    """Each problem once, in pydantic's order. No message repeats a value that was given.

    Args:
        error: of a policy, or of entries.
        sent_by_client: entries that came in a request, through a library that may drop things.
    """
    for details in error.errors(include_url=False):
        loc = tuple(step for step in details["loc"] if step != _KEY_STEP)
        dropped = sent_by_client and details["type"] == NOTHING_GIVEN
        hint = "; a client library may have dropped an invalid one" if dropped else ""
        yield Problem(loc, _message(details, loc) + hint)


def _message(details: ErrorDetails, loc: Loc) -> str:
    kind = details["type"]
    if kind == "extra_forbidden":
        return _unknown_key(str(loc[-1]), loc[:-1])
    if kind == "string_pattern_mismatch":
        key = next(step for step in reversed(loc) if isinstance(step, str))
        return f"{plain_message(details)}: {_FORMS[key]}"
    return plain_message(details) + _hint(kind, details["input"])


def plain_message(details: ErrorDetails) -> str:
    """What pydantic found, in our words, whatever was validated."""
    kind = details["type"]
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    message = details["msg"].removeprefix("Value error, ")
    return message.replace("Input should", "must").replace("String should", "must")


def _hint(kind: str, given: object) -> str:
    if kind in {"float_type", "int_type", "bool_type"} and isinstance(given, str):
        if _DECIMAL_COMMA.fullmatch(given):
            return ": write a point, not a comma"
        quoted = _QUOTED_VALUE.fullmatch(given) is not None
        return ", not text" + (": take the quotes away" if quoted else "")
    if kind == "string_type" and isinstance(given, bool | int | float):
        return ": put it in quotes"
    return ""


def _unknown_key(key: str, above: Loc) -> str:
    if key in _HOMES:
        return f"unknown key here: belongs {_where(_HOMES[key], above)}"
    close = get_close_matches(key, _KNOWN_KEYS, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else "unknown key"


def _where(home: str, above: Loc) -> str:
    """How to get from a place to where a key belongs."""
    section = next((step for step in reversed(above) if isinstance(step, str)), "")
    if home == _TOP_LEVEL:
        return "at the top level"
    if home == _ENTRY:
        return f"one level higher, beside {section}" if above else "in an entry of input or output"
    if isinstance(above[-1] if above else None, int) or home == _THRESHOLDS:
        return f"one level deeper, below {home}"
    return f"below {home}"


def warnings_about(config: PolicyConfig) -> Iterator[Problem]:
    """What is allowed, but seldom meant."""
    for loc, entry in _versions(config):
        if isinstance(entry, ModerationV1Config):
            yield Problem(loc, "is deprecated; `guardproxy policy migrate FILE` rewrites it to v2")
        given = _given(entry)
        every = entry.ignore_other_categories or len(given) == _categories(entry)
        if every and all(value == 1 for value in given) and entry.action is Action.BLOCK:
            yield Problem(loc, "never blocks: every threshold is 1, which switches a category off")


def _entries(config: PolicyConfig) -> Iterator[tuple[Loc, GuardrailConfig]]:
    for name in SCOPES:
        for index, entry in enumerate(getattr(config, name) or ()):
            yield (name, index), entry


def _versions(
    config: PolicyConfig,
) -> Iterator[tuple[Loc, ModerationV1Config | ModerationV2Config]]:
    for loc, entry in _entries(config):
        if entry.moderation_llm_v1 is not None:
            yield (*loc, "moderation_llm_v1"), entry.moderation_llm_v1
        if entry.moderation_llm_v2 is not None:
            yield (*loc, "moderation_llm_v2"), entry.moderation_llm_v2


def _categories(entry: ModerationV1Config | ModerationV2Config) -> int:
    return len(V1_CATEGORIES if isinstance(entry, ModerationV1Config) else V2_CATEGORIES)


def _given(entry: ModerationV1Config | ModerationV2Config) -> list[float]:
    custom = entry.custom_category_thresholds or {}
    return [threshold for threshold in custom.values() if threshold is not None]
