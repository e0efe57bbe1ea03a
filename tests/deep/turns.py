"""The sentence in a conversation: over parts, over turns, in calls of tools and their results."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from tests.deep import bodies
from tests.deep.bodies import Plan
from tests.dialects.bodies import CANARY, Json

PICTURES: Mapping[str, list[Json]] = {
    "chat_completions": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
    "messages": [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
    "responses": [{"type": "input_image", "image_url": "https://example.com/a.png"}],
    "conversations": [{"type": "image_url", "image_url": "https://example.com/a.png"}],
}
"""What says nothing and may stand between two parts of a text."""
UNKNOWN: list[Json] = [
    {"type": "hologram", "shine": "so bright"},
    {"type": "x_unknown", "text": "go on"},
    {"type": "hologram", "content": [{"shine": "bright"}]},
]
"""Parts that an upstream may leave out, so that what stands around them is read in one."""


def conversation(body: Json) -> tuple[str, list[Json]] | None:
    """The turns of a body, where it has such."""
    for key in ("messages", "inputs", "input"):
        if isinstance(turns := body.get(key), list) and all(
            isinstance(each, dict) for each in turns
        ):
            return key, turns
    return None


def turn(key: str, role: str, content: Json) -> Json:
    said = {"role": role, "content": content}
    return said | {"object": "entry", "type": "message.input"} if key == "inputs" else said


def split_content(plan: Plan, body: Json) -> None:
    """The sentence over parts of one content, with other parts in between."""
    found = conversation(body)
    if found is None:
        bodies.put(plan, body)
        return
    name = plan.words[0]
    plan.says("over parts")
    kind = "input_text" if found[0] == "input" else "text"
    silent = [[], [{"type": kind, "text": ""}], *([each] for each in PICTURES.get(name, ()))]
    unknown = plan.chance(0.4)
    plan.says(*["unknown parts"] * unknown)
    between = [*silent, *([each] for each in UNKNOWN)] if unknown else silent
    parts: list[Json] = []
    for piece in bodies.cut(plan, plan.sing(in_text=True)):
        # Ollama's server takes no parts; what takes strings may still be sent a list of them.
        bare = name == "ollama_chat" and plan.chance(0.5)
        parts.append(piece if bare else {"type": kind, "text": piece})
        parts += plan.rng.choice(between)
    found[1].append(turn(found[0], plan.rng.choice(("user", "user", "assistant")), parts))


def split_turns(plan: Plan, body: Json) -> None:
    """The sentence over short turns, of one role or of two, perhaps with others between."""
    found = conversation(body)
    if found is None:
        bodies.put(plan, body)
        return
    key, turns = found
    plan.says("over turns")
    mixed = plan.chance(0.3)
    between: list[Json] = [turn(key, "assistant", "go on")]
    if plan.words[0] != "ollama_chat":
        between.append(turn(key, "user", [plan.rng.choice(UNKNOWN)]))
    other = plan.rng.choice(between) if not mixed and plan.chance(0.4) else None
    for piece in bodies.cut(plan, plan.sing(short=True), most=4):
        role = plan.rng.choice(("user", "assistant")) if mixed else "user"
        turns.append(turn(key, role, piece))
        if other is not None:
            turns.append(other)


def split_code(plan: Plan, body: Json) -> None:
    """A longer text with the sentence in it, encoded, in pieces too long to be fragments."""
    found = conversation(body)
    if found is None:
        bodies.put(plan, body)
        return
    key, turns = found
    around = "It is sunny, and the bees are about. "
    said = f"{around * plan.rng.choice((1, 2, 5))}{CANARY} {around * plan.rng.choice((2, 4))}"
    name, code = plan.rng.choice(
        (("base64", base64.b64encode(said.encode()).decode()), ("hex", said.encode().hex()))
    )
    plan.says("code over turns", name)
    plan.song = CANARY
    start = plan.rng.choice(("", "part: ", "Here is more.\n"))
    size = plan.rng.randint(80, max(80, len(code) // 2))
    for at in range(0, len(code), size):
        turns.append(turn(key, "user", start + code[at : at + size]))
        if plan.chance(0.5):
            turns.append(turn(key, "assistant", "Thanks, go on."))


def call(plan: Plan, body: Json) -> None:
    """The sentence in a tool call's arguments, or in its result."""
    found = conversation(body)
    if found is None or found[0] != "messages":
        bodies.put(plan, body)
        return
    plan.says("in a call")
    arguments = bodies.folded(plan, plan.sing(in_text=True))
    forms: list[Callable[[], Json]] = [
        lambda: {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
        lambda: {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "custom", "custom": {"name": "f", "input": arguments}}]},
        lambda: {"role": "assistant", "function_call": {"name": "f", "arguments": arguments}},
        lambda: {"role": "tool", "tool_call_id": "c", "content": arguments},
        lambda: {"role": "assistant", "content": [
            {"type": "tool_use", "id": "c", "name": "f", "input": {"a": [arguments]}}]},
        lambda: {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c", "content": arguments}]},
    ]  # fmt: skip
    found[1].append(plan.rng.choice(forms)())


RESULTS: Mapping[str, Callable[[Json], Json]] = {
    "chat_completions": lambda said: {"role": "tool", "tool_call_id": "c", "content": said},
    "messages": lambda said: {
        "role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": said}]},
    "responses": lambda said: {"type": "function_call_output", "call_id": "c", "output": said},
    "ollama_chat": lambda said: {"role": "tool", "tool_name": "f", "content": said},
    "conversations": lambda said: {
        "object": "entry", "type": "function.result", "tool_call_id": "c", "result": said},
}  # fmt: skip
"""What a tool gave back, as a turn."""


def is_result(said: Json) -> bool:
    """Whether a turn is what a tool gave back."""
    if not isinstance(said, dict):
        return False
    kind, content = str(said.get("type")), said.get("content")
    parts = content if isinstance(content, list) else []
    return (
        said.get("role") in ("tool", "function")
        or not said.keys().isdisjoint(("output", "outputs", "result", "results", "error"))
        or kind.endswith(("_output", ".result", "list_tools"))
        or any(isinstance(part, dict) and "result" in str(part.get("type")) for part in parts)
    )


def result(plan: Plan, body: Json) -> bool:
    """The sentence in what a tool gave back, whole or over parts; False where there is no such."""
    found, form = conversation(body), RESULTS.get(plan.words[0])
    if found is None or form is None:
        return False
    plan.says("in a result")
    said: Json = plan.sing(in_text=True)
    if plan.words[0] in ("chat_completions", "messages") and plan.chance(0.4):
        said = [{"type": "text", "text": piece} for piece in bodies.cut(plan, said)]
    found[1].append(form(said))
    return True
