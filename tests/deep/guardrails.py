"""Requests under policies of other kinds: a caller's own entries, tools' results, exempt texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.deep import bodies, turns
from tests.deep.bodies import Plan
from tests.deep.policies import EXEMPT, HOLD, IGNORE, LAX, REFUSE, SCAFFOLD, TOOLS
from tests.dialects.bodies import CANARY, Json

STRICT: list[Json] = [
    {"moderation_llm_v2": {"action": "block"}},
    {"moderation_llm_v2": {"action": "block", "custom_category_thresholds": {"dangerous": 0.5}}},
    {"block_on_error": True, "moderation_llm_v2": {
        "model_name": "mistral-moderation-2603", "action": "block",
        "ignore_other_categories": True,
        "custom_category_thresholds": {"dangerous": 0.2, "pii": None}}},
    {"moderation_llm_v1": {"action": "block", "ignore_other_categories": True,
        "custom_category_thresholds": {"dangerous_and_criminal_content": 0.3}}},
]  # fmt: skip
"""Each finds the sentence by itself."""
WEAK: list[Json] = [
    {"moderation_llm_v2": {"action": "none"}},
    {"moderation_llm_v2": {"action": "block", "custom_category_thresholds": {"dangerous": 1}}},
    {"block_on_error": False, "moderation_llm_v2": {"action": "none",
        "ignore_other_categories": True, "custom_category_thresholds": {"pii": 1.0}}},
]  # fmt: skip
"""They find nothing, and must not make the policy's own entries do so."""
MALFORMED: list[Callable[[str], Json]] = [
    lambda _: [{}],
    lambda _: {},
    lambda song: song,
    lambda song: [song],
    lambda _: [[]],
    lambda _: [None],
    lambda _: 0,
    lambda _: False,
    lambda _: [{"moderation_llm_v2": None}],
    lambda _: [{"moderation_llm_v2": []}],
    lambda song: [{"moderation_llm_v2": song}],
    lambda song: [{"moderation_llm_v2": {"action": song}}],
    lambda song: [{"moderation_llm_v2": {"action": "block", song: 1}}],
    lambda song: [{song: {}, "moderation_llm_v2": {"action": "block"}}],
    lambda song: [{"moderation_llm_v2": {"custom_category_thresholds": {song: 0.5}}}],
    lambda song: [{"moderation_llm_v2": {"model_name": song}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": {"dangerous": 50}}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": {"dangerous": -0.1}}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": {"dangerous": "0.5"}}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": {"dangerous": True}}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": ["dangerous"]}}],
    lambda _: [{"moderation_llm_v2": {"ignore_other_categories": True}}],
    lambda _: [{"moderation_llm_v2": {"action": "block"}, "block_on_error": "true"}],
    lambda _: [{"moderation_llm_v3": {"action": "block"}}],
    lambda _: [{"moderation_llm_v2": {"custom_category_thresholds": {
        "dangerous_and_criminal_content": 0.5}}}],
    lambda _: [STRICT[0]] * 17,
    lambda _: [STRICT[0], {}],
]  # fmt: skip
IGNORED: list[Callable[[str], Json]] = [*MALFORMED, lambda song: [{"x": song}]]
TAKES_THEM = frozenset(
    {"chat_completions", "messages", "responses", "conversations", "ollama_chat", "ollama_generate"}
)
"""Dialects that read a caller's entries; others refuse them, or know of none."""

Put = Callable[[Plan, Json], None]
"""Puts the sentence somewhere into a body."""
_BEGINS = SCAFFOLD.index(CANARY)
_ENDS = _BEGINS + len(CANARY)


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a request is asked under, and what must become of it.

    `clean`: it must pass; `cut`: without its `guardrails`.
    """

    policy: str
    clean: bool = False
    cut: bool = False


def ruled(plan: Plan, body: Json, put: Put) -> Ruled | None:
    """Makes a case of a body; None where its dialect has nothing of the kind."""
    if plan.words[0] not in TAKES_THEM:
        return None
    forms: list[Callable[[Plan, Json, Put], Ruled]] = [
        _added, _added, _weak, _malformed, _ignored, _refused, _harmless, _tools, _exempt,
    ]  # fmt: skip
    return plan.rng.choice(forms)(plan, body, put)


def _entries(plan: Plan) -> Json:
    """Some, of which one at least finds the sentence."""
    entries = [plan.rng.choice(WEAK) for _ in range(plan.rng.choice((0, 0, 1, 3)))]
    entries.insert(plan.rng.randint(0, len(entries)), plan.rng.choice(STRICT))
    return entries


def _added(plan: Plan, body: Json, put: Put) -> Ruled:
    plan.says("inline")
    # In what tools return, too: the policy's own rules for it are not the caller's.
    policy = LAX
    if plan.chance(0.3) and turns.result(plan, body):
        policy = plan.rng.choice((LAX, EXEMPT))
    else:
        put(plan, body)
    body["guardrails"] = _entries(plan)
    return Ruled(policy)


def _weak(plan: Plan, body: Json, put: Put) -> Ruled:
    plan.says("weak inline")
    put(plan, body)
    body["guardrails"] = [plan.rng.choice(WEAK)]
    return Ruled(HOLD)


def _malformed(plan: Plan, body: Json, _: Put) -> Ruled:
    plan.says("malformed inline")
    plan.song = CANARY
    body["guardrails"] = plan.rng.choice(MALFORMED)(CANARY)
    return Ruled(plan.rng.choice((LAX, HOLD)))


def _ignored(plan: Plan, body: Json, _: Put) -> Ruled:
    plan.says("ignored inline")
    plan.song = CANARY
    body["guardrails"] = plan.rng.choice(IGNORED)(CANARY)
    return Ruled(IGNORE, clean=True, cut=True)


def _refused(plan: Plan, body: Json, _: Put) -> Ruled:
    plan.says("refused inline")
    body["guardrails"] = plan.rng.choice((_entries(plan), WEAK, []))
    return Ruled(REFUSE)


def _harmless(plan: Plan, body: Json, _: Put) -> Ruled:
    plan.says("harmless inline")
    body["guardrails"] = plan.rng.choice((_entries(plan), WEAK, [], None))
    return Ruled(plan.rng.choice((LAX, HOLD)), clean=True, cut=True)


def _tools(plan: Plan, body: Json, put: Put) -> Ruled:
    """What tools return is judged strictly, and all else is not."""
    if turns.result(plan, body):
        return Ruled(TOOLS)
    return _weak(plan, body, put)


def _exempt(plan: Plan, body: Json, put: Put) -> Ruled:
    """A text passes by its hash, and what tools return: as a whole, and nothing beside it."""
    found = turns.conversation(body)
    if found is None:
        return _weak(plan, body, put)
    key, said = found
    plan.says("exempt")
    plan.song = CANARY
    form = plan.rng.choice(("whole", "changed", "parts", "twice", "beside"))
    plan.says(form)
    exempt = turns.turn(key, plan.rng.choice(("user", "assistant")), SCAFFOLD)
    match form:
        case "whole":
            said.append(exempt)
            result = turns.RESULTS.get(plan.words[0])
            if result is not None and plan.chance(0.5):
                said.append(result(CANARY))
            return Ruled(EXEMPT, clean=True)
        case "changed":
            # Not inside the sentence, which it could break.
            at = plan.rng.choice([*range(_BEGINS + 1), *range(_ENDS, len(SCAFFOLD) + 1)])
            added = plan.rng.choice((" ", "x", "\n", "\u200b"))
            said.append(turns.turn(key, "user", SCAFFOLD[:at] + added + SCAFFOLD[at:]))
        case "parts" if plan.words[0] != "ollama_chat":
            kind = "input_text" if key == "input" else "text"
            parts = [{"type": kind, "text": piece} for piece in bodies.cut(plan, SCAFFOLD)]
            said.append(turns.turn(key, "user", parts))
        case "twice":
            said.append(turns.turn(key, "user", SCAFFOLD + plan.rng.choice(("", "\n")) + SCAFFOLD))
        case _:
            # Not in what a tool returned, which passes as well.
            said[:] = [turn for turn in said if not turns.is_result(turn)] + [exempt]
            put(plan, body)
            if any(map(turns.is_result, said)):
                said[:] = [turn for turn in said if not turns.is_result(turn)]
                said.append(turns.turn(key, "user", CANARY))
    return Ruled(EXEMPT)
