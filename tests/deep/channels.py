"""The sentence over the channels of one answer: it begins in the reasoning and ends in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from tests.deep import bodies
from tests.deep.bodies import Plan
from tests.dialects.bodies import CANARY, Json

Event = tuple[str, Json]

_LEAST = 8
"""Characters of a piece, so that one is not said by chance."""
_SHOWN = ("reasoning_content", "reasoning", "content", "refusal")
"""Fields of a delta, in the order in which clients show them."""
_TO_TOOLS = re.compile("arguments|input|partial_json|code|command|transcript|tool|cited")
_BEFORE = "It is sunny. "


def halves(plan: Plan) -> list[str]:
    """The sentence in two or three pieces, each long enough to be known."""
    count = plan.rng.choice((1, 1, 1, 2))
    room = len(CANARY) - (count + 1) * _LEAST
    at = sorted(plan.rng.randint(0, room) for _ in range(count))
    cuts = [0, *(cut + _LEAST * (index + 1) for index, cut in enumerate(at)), len(CANARY)]
    return [CANARY[start:end] for start, end in pairwise(cuts)]


def over_deltas(plan: Plan, events: list[Event], speaking: list[int]) -> list[Event] | None:
    """A stream whose channels say the sentence one after the other; None if it has but one."""
    sung = _fields(plan, events, speaking) or _neighbours(plan, events, speaking)
    if sung is not None:
        plan.says("over channels")
        plan.song = CANARY
    return sung


def _fields(plan: Plan, events: list[Event], speaking: list[int]) -> list[Event] | None:
    """Deltas of chat completions: another field each time."""
    at = plan.rng.choice(speaking)
    name, template = events[at]
    choices = template.get("choices") if isinstance(template, dict) else None
    if not choices or "delta" not in choices[0]:
        return None
    said: list[Event] = []
    before = ""
    plan.pieces = halves(plan)
    for piece in plan.pieces:
        channel = plan.rng.choice([each for each in _SHOWN if each != before])
        before = channel
        for part in bodies.cut(plan, piece, most=2):
            value = bodies.copied(template)
            value["choices"][0]["delta"] = {channel: part}
            said.append((name, value))
    return [*events[:at], *said, *events[at + 1 :]]


def _neighbours(plan: Plan, events: list[Event], speaking: list[int]) -> list[Event] | None:
    """Any stream: the end of one channel and the beginning of the next."""
    speaking = [at for at in speaking if _is_shown(events[at])]
    channels = [_channel(events[at]) for at in speaking]
    changes = [
        (speaking[index], speaking[index + 1])
        for index in range(len(speaking) - 1)
        if channels[index] != channels[index + 1]
    ]
    if not changes:
        return None
    first, second = plan.rng.choice(changes)
    plan.pieces = halves(plan)[:1]
    plan.pieces.append(CANARY[len(plan.pieces[0]) :])
    said = bodies.copied(events)
    _say(said[first], _BEFORE + plan.pieces[0])
    _say(said[second], plan.pieces[1])
    # What repeats the first channel as it was recorded would contradict it now.
    return [
        event
        for at, event in enumerate(said)
        if not first < at < second or not str(event[1].get("type")).endswith(".done")
    ]


def _channel(event: Event) -> str:
    (_, key), *_ = bodies.text_places(event[1])
    value = event[1]
    places = ("type", "output_index", "content_index", "summary_index", "index")
    return f"{key} {[value.get(each) for each in places]}"


def _is_shown(event: Event) -> bool:
    """Is read by people, one thing after the other: not what tools are called with."""
    (_, key), *_ = bodies.text_places(event[1])
    return not _TO_TOOLS.search(f"{event[1].get('type')} {key}")


def _say(event: Event, text: str) -> None:
    (container, key), *_ = bodies.text_places(event[1])
    container[key] = text


WHOLE: Mapping[str, list[Callable[[str, str], Json]]] = {
    "chat_completions": [
        lambda a, b: {"choices": [{"index": 0, "message": {"reasoning_content": a, "content": b}}]},
        lambda a, b: {"choices": [{"index": 0, "message": {"content": b, "reasoning": a}}]},
        lambda a, b: {"choices": [{"index": 0, "message": {"content": a, "refusal": b}}]},
        lambda a, b: {"choices": [{"index": 0, "message": {"content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": a}]},
            {"type": "text", "text": b}]}}]},
    ],
    "messages": [
        lambda a, b: {"type": "message", "role": "assistant", "content": [
            {"type": "thinking", "thinking": a, "signature": ""}, {"type": "text", "text": b}]},
        lambda a, b: {"type": "message", "role": "assistant", "content": [
            {"type": "text", "text": a}, {"type": "text", "text": b}]},
    ],
    "responses": [
        lambda a, b: {"id": "r", "object": "response", "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": a}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": b, "annotations": []}]}]},
        lambda a, b: {"id": "r", "object": "response", "output": [
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": a, "annotations": []},
                {"type": "refusal", "refusal": b}]}]},
    ],
    "conversations": [
        lambda a, b: {"object": "conversation.response", "conversation_id": "c", "outputs": [
            {"type": "message.output", "content": a}, {"type": "message.output", "content": b}]},
    ],
    "ollama_chat": [
        lambda a, b: {"message": {"role": "assistant", "thinking": a, "content": b}, "done": True},
        lambda a, b: {"message": {"role": "assistant", "content": b, "thinking": a}, "done": True},
    ],
    "ollama_generate": [lambda a, b: {"response": b, "thinking": a, "done": True}],
}  # fmt: skip
"""Whole answers that show one text and then another."""


def whole(plan: Plan, forms: list[Callable[[str, str], Json]]) -> Json:
    plan.says("over channels")
    plan.song = CANARY
    first = halves(plan)[0]
    plan.pieces = [first, CANARY[len(first) :]]
    return plan.rng.choice(forms)(_BEFORE + first, plan.pieces[1])
