"""Cases of requests: shape x split x fault."""

from __future__ import annotations

import json
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
from tests.deep.guardrails import Ruled, ruled
from tests.deep.headers import Headers, asked
from tests.deep.policies import HOLD
from tests.deep.turns import call, split_code, split_content, split_turns
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
    """A request; clean ones are well formed, without the sentence, and must pass unchanged."""

    method: str
    raw_path: str
    query: bytes
    headers: Headers
    chunks: tuple[bytes, ...]
    ruling: Ruled
    words: tuple[str, ...]
    song: str

    @property
    def clean(self) -> bool:
        return self.ruling.clean

    @property
    def in_head(self) -> bool:
        """The sentence is in a header, and nowhere else."""
        return "header" in self.words

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def passed_as(self, sent: bytes) -> bool:
        """Whether this is the request: to the byte, or without its `guardrails` alone."""
        if not self.ruling.cut:
            return sent == self.body
        pairs = zip(sent, self.body, strict=False)
        kept = next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), len(sent))
        wanted = json.loads(self.body)
        wanted.pop("guardrails")
        return self.body.endswith(sent[kept:]) and json.loads(sent) == wanted


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
        ruling = Ruled(HOLD, clean=True)
        return _case(plan, "POST", path, headers=(JSON_HEADER,), data=data, ruling=ruling)
    if plan.chance(0.2) and (rules := ruled(plan, body, _sung)) is not None:
        data = _encoded(bodies.written(plan, body))
        return _case(plan, "POST", path, headers=(JSON_HEADER,), data=data, ruling=rules)
    if plan.chance(0.06):
        headers = (JSON_HEADER, *asked(plan))
        data = _encoded(bodies.written(plan, body))
        return _case(plan, "POST", path, headers=headers, data=data)
    query = b""
    if plan.chance(0.04):
        plan.says("query")
        query = b"q=" + quote_plus(plan.sing()).encode()
    else:
        _sung(plan, body)
    text = bodies.written(plan, body)
    data = bodies.tricked(plan, text) if plan.chance(0.25) else _encoded(text)
    method, path, headers = _head(plan, path)
    return _case(plan, method, path, query=query, headers=headers, data=data)


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
    headers: Headers,
    data: bytes,
    query: bytes = b"",
    ruling: Ruled = Ruled(HOLD),  # noqa: B008 - frozen
) -> RequestCase:
    size = plan.rng.choice((len(data) or 1, len(data) or 1, 1_000, 50))
    chunks = tuple(data[at : at + size] for at in range(0, len(data), size)) or (b"",)
    return RequestCase(method, path, query, headers, chunks, ruling, tuple(plan.words), plan.song)


def _sung(plan: Plan, body: Json) -> None:
    """The sentence somewhere in a body."""
    put = bodies.put
    shapes = (put, put, put, split_content, split_turns, split_turns, split_code, call)
    plan.rng.choice(shapes)(plan, body)


_KINDS = (
    b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-16",
    b"application/json; charset=utf-7", b"text/plain", b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x", b"application/json, text/plain", b"APPLICATION/JSON",
    b"application/json;x", b"",
)  # fmt: skip
_CODINGS = (b"gzip", b"identity", b"br", b"identity, gzip", b"x", b"")


def _head(plan: Plan, path: str) -> tuple[str, str, Headers]:
    method = "POST"
    headers: list[tuple[bytes, bytes]] = [JSON_HEADER]
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
