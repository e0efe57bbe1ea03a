"""Cases of requests: shape x split x fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote_plus

from guardproxy.dialects.base import Dialect
from guardproxy.dialects.raw_json import RawJson
from guardproxy.dialects.routes import GUARDED
from tests.deep import bodies
from tests.deep.bodies import Plan
from tests.dialects.bodies import Json
from tests.dialects.recorded import recorded

JSON_HEADER = (b"content-type", b"application/json")
RAW = RawJson()
DOORS: dict[str, Dialect] = {**GUARDED, "/v1/rerank": RAW}
"""Every route that is guarded, and one that a policy lists."""
ROUTES = sorted(DOORS)
REQUESTS = {dialect.name: recorded(dialect).requests for dialect in DOORS.values()} | {
    RAW.name: {
        "rerank": {
            "model": "m", "query": "What is the weather?", "top_n": 2,
            "documents": [{"text": "It is sunny."}, {"text": "A page", "tags": ["a", "b c"]}],
        }
    }
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request; `clean` ones are well formed, without the sentence, and must pass unchanged."""

    method: str
    raw_path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: tuple[bytes, ...]
    clean: bool
    words: tuple[str, ...]
    song: str

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def path_of(rng: Random, route: str) -> str:
    return re.sub(r"\{[^}]*\}", lambda _: rng.choice(("one", "gpt-4o", "conv_1")), route)


def request_case(seed: str) -> RequestCase:
    """The case of a seed: nine in ten hold the sentence."""
    plan = Plan(Random(seed))  # noqa: S311 - must be repeatable, not secret
    route = plan.rng.choice(ROUTES)
    dialect = DOORS[route]
    plan.says(dialect.name)
    path, body = path_of(plan.rng, route), plain_body(plan.rng, dialect)
    if plan.chance(0.1):
        data = bodies.written(plan, body).encode()
        return _case(plan, "POST", path, query=b"", headers=(JSON_HEADER,), data=data, clean=True)
    query = b""
    if plan.chance(0.04):
        plan.says("query")
        query = b"q=" + quote_plus(plan.sing()).encode()
    else:
        plan.rng.choice((_put, _put, _put, _split_content, _split_turns, _call))(plan, body)
    text = bodies.written(plan, body)
    data = bodies.tricked(plan, text) if plan.chance(0.25) else _encoded(text)
    method, path, headers = _head(plan, path)
    return _case(plan, method, path, query=query, headers=headers, data=data, clean=False)


def plain_body(rng: Random, dialect: Dialect) -> Json:
    """A recorded request, streamed or not."""
    recordings = REQUESTS[dialect.name]
    body = bodies.copied(recordings[rng.choice(sorted(recordings))])
    # They would be cut out of what goes on, and judge by themselves.
    body.pop("guardrails", None)
    if "stream" in body:
        body["stream"] = rng.choice((True, False))
    return body


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _case(
    plan: Plan,
    method: str,
    path: str,
    *,
    query: bytes,
    headers: tuple[tuple[bytes, bytes], ...],
    data: bytes,
    clean: bool,
) -> RequestCase:
    size = plan.rng.choice((len(data) or 1, len(data) or 1, 1_000, 50))
    chunks = tuple(data[at : at + size] for at in range(0, len(data), size)) or (b"",)
    return RequestCase(
        method, path, query, headers, chunks, clean, tuple(plan.words), plan.song
    )  # fmt: skip


def _put(plan: Plan, body: Json) -> None:
    bodies.put(plan, body)


def _conversation(body: Json) -> tuple[str, list[Json]] | None:
    """The turns of a body, where it has such."""
    for key in ("messages", "inputs", "input"):
        if isinstance(turns := body.get(key), list) and all(
            isinstance(each, dict) for each in turns
        ):
            return key, turns
    return None


PICTURES: dict[str, list[Json]] = {
    "chat_completions": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
    "messages": [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
    "responses": [{"type": "input_image", "image_url": "https://example.com/a.png"}],
    "conversations": [{"type": "image_url", "image_url": "https://example.com/a.png"}],
}
"""What says nothing and may stand between two parts of a text."""
STRINGS_ONLY = frozenset({"ollama_chat"})
"""Dialects whose contents have no parts."""


def _split_content(plan: Plan, body: Json) -> None:
    """The sentence over parts of one content, with other parts in between."""
    found = _conversation(body)
    if found is None or plan.words[0] in STRINGS_ONLY:
        _put(plan, body)
        return
    name = plan.words[0]
    plan.says("over parts")
    kind = "input_text" if found[0] == "input" else "text"
    between = [[], [{"type": kind, "text": ""}], *([each] for each in PICTURES.get(name, ()))]
    parts: list[Json] = []
    for piece in bodies.cut(plan, plan.sing(in_text=True)):
        parts.append({"type": kind, "text": piece})
        parts += plan.rng.choice(between)
    found[1].append(_turn(found[0], plan.rng.choice(("user", "user", "assistant")), parts))


def _split_turns(plan: Plan, body: Json) -> None:
    """The sentence over short turns, of one role or of two, perhaps with others between."""
    found = _conversation(body)
    if found is None:
        _put(plan, body)
        return
    plan.says("over turns")
    mixed = plan.chance(0.3)
    other = not mixed and plan.chance(0.3)
    for piece in bodies.cut(plan, plan.sing(short=True), most=4):
        role = plan.rng.choice(("user", "assistant")) if mixed else "user"
        found[1].append(_turn(found[0], role, piece))
        if other:
            found[1].append(_turn(found[0], "assistant", "go on"))


def _turn(key: str, role: str, content: Json) -> Json:
    turn = {"role": role, "content": content}
    return turn | {"object": "entry", "type": "message.input"} if key == "inputs" else turn


def _call(plan: Plan, body: Json) -> None:
    """The sentence in a tool call's arguments, or in its result."""
    found = _conversation(body)
    if found is None or found[0] != "messages":
        _put(plan, body)
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


_KINDS = (
    b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-16",
    b"application/json; charset=utf-7", b"text/plain", b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x", b"application/json, text/plain", b"APPLICATION/JSON",
    b"application/json;x", b"",
)  # fmt: skip
_CODINGS = (b"gzip", b"identity", b"br", b"identity, gzip", b"x", b"")


def _head(plan: Plan, path: str) -> tuple[str, str, tuple[tuple[bytes, bytes], ...]]:
    method, headers = "POST", [JSON_HEADER]
    if plan.chance(0.06):
        headers = [
            (b"content-type", plan.rng.choice(_KINDS)) for _ in range(plan.rng.choice((1, 2)))
        ]
        plan.says("content type")
    if plan.chance(0.04):
        headers.append((b"content-encoding", plan.rng.choice(_CODINGS)))
        plan.says("coding")
    if plan.chance(0.03):
        method = plan.rng.choice(("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "FROB"))
        plan.says(method)
    if plan.chance(0.08):
        path = plan.rng.choice(PATHS)(path)
        plan.says("path")
    return method, path, tuple(headers)


PATHS: list[Callable[[str], str]] = [
    lambda path: path + "/",
    lambda path: "/" + path,
    lambda path: path.replace("/", "//", 2),
    lambda path: path.upper(),
    lambda path: path + ";a=b",
    lambda path: path.replace("c", "%63", 1),
    lambda path: path.replace("e", "%2565", 1),
    lambda path: path[:4] + path[4:].replace("/", "%2f", 1),
    lambda path: "/v1/models/.." + path.removeprefix("/v1"),
    lambda path: "/v1/models/%2e%2e" + path.removeprefix("/v1"),
    lambda path: path + "%00",
    lambda path: path + "#a",
    lambda path: path.removeprefix("/v1"),
    lambda path: "/v1/models",
]
