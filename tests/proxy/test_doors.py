"""Each request is led to its route; what no route covers is refused by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from guardproxy.errors import RequestError, UpstreamError
from guardproxy.guard import Guard
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.config import PassthroughRoute
from guardproxy.policy.load import load_policy_text
from guardproxy.proxy.budget import ByteBudget
from guardproxy.proxy.doors import (
    NOT_COVERED,
    Doors,
    Entrance,
    MetricsDoor,
    alive,
    matches,
    ready,
)
from guardproxy.proxy.endpoint import Services
from guardproxy.proxy.presence import ClientGone
from guardproxy.proxy.trail import Trail
from guardproxy.proxy.upstream import Timeouts, Upstream
from tests.asgi import GONE, HOST, WHOLE, Caller, Listener, body_messages, http_scope
from tests.fakes import KeywordClassifier
from tests.upstreams import Answering, Handler

POLICY = """
name: doors
input: [{moderation_llm_v2: {action: block}}]
output: []
passthrough:
  - {path: /v1/rerank, methods: [POST]}
  - {path: "/v1/files/{id}", methods: [GET]}
  - {path: "/v1/deployments/{model}/chat", methods: [GET, POST]}
"""
JSON = (b"content-type", b"application/json")


def active() -> ActivePolicy:
    return activate(load_policy_text(POLICY, "here"), KeywordClassifier.default_thresholds)


def named(name: str) -> Callable[[Scope, Receive, Send], Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": name.encode()})

    return app


def answering(body: bytes, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, stream=httpx.ByteStream(body), headers=headers)


@asynccontextmanager
async def doors(handler: Handler = answering(b"{}")) -> AsyncIterator[Doors]:  # noqa: B008 - pure
    transport = Answering(handler)
    upstream = Upstream("http://up.example/v1", transport, Timeouts(10, 10, 10))
    policy, classifier = active(), KeywordClassifier()
    services = Services(
        guard=Guard(classifier, deadline=10.0, observer=Listener()),
        upstream=upstream,
        budget=ByteBudget(1_000_000),
        policy=lambda: policy,
        default_thresholds=classifier.default_thresholds,
        upstream_key="ours",
    )
    yield Doors(
        [
            Entrance("/v1/chat/completions", "POST", named("chat")),
            Entrance("/v1/deployments/{model}/chat", "POST", named("azure")),
            Entrance("/v1/moderations", None, named("moderations")),
        ],
        services,
    )
    await upstream.aclose()


async def ask(
    path: str,
    *,
    method: str = "POST",
    raw_path: bytes | None = None,
    body: bytes = b"",
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    handler: Handler = answering(b"{}"),  # noqa: B008 - pure
) -> tuple[Caller, Trail]:
    given = [HOST, JSON, *headers]
    scope = http_scope(path, method=method, headers=given, query=query, raw_path=raw_path)
    trail = Trail("id", 0.0)
    trail.put(scope)
    async with doors(handler) as app:
        caller = await Caller(*body_messages(body)).call(app, scope)
    return caller, trail


async def refusal(path: str, **how: Any) -> RequestError:  # noqa: ANN401 - as `ask`
    with pytest.raises(RequestError) as refused:
        await ask(path, **how)
    return refused.value


@pytest.mark.parametrize(
    ("path", "method", "app", "route"),
    [
        ("/v1/chat/completions", "POST", b"chat", "/v1/chat/completions"),
        ("/v1/deployments/gpt-4o/chat", "POST", b"azure", "/v1/deployments/{model}/chat"),
        ("/v1/moderations", "PUT", b"moderations", "/v1/moderations"),
    ],
)
async def test_a_route_is_found_and_remembered_by_its_template(
    path: str, method: str, app: bytes, route: str
) -> None:
    caller, trail = await ask(path, method=method)

    assert (caller.body, trail.route) == (app, route)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/", "//v1/chat/completions", "/V1/chat/completions",
        "/v1/deployments/a/b/chat", "/v1/deployments//chat", "/v1/deployments/../chat",
        "/v1/models/../chat", "/v1/models/..", "/v1/models/.", "/v1/models/", "/v1/modelsx", "/",
        "/v1/files/a/b", "/v1/files/..", "/v1/models/\u0661\u2028",
    ],
)  # fmt: skip
async def test_no_other_spelling_slips_by(path: str) -> None:
    assert (await refusal(path, method="GET")).status == 404


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/v1/deployments/{}/chat", 128),
        ("/v1/files/{}", 128),
        ("/v1/models/{}", 128),
        ("/v1/models/org/{}", 124),
        ("/v1/models/accounts/fireworks/models/{}", 102),
    ],
)
async def test_what_stands_in_a_path_is_an_id(path: str, length: int) -> None:
    caller, _ = await ask(path.format("a" * length), method="GET")

    assert caller.body == b"{}"
    too_long = path.format("a" * (length + 1))
    assert (await refusal(too_long, method="GET")).status == 404


async def test_a_sentence_in_segments_names_no_model() -> None:
    assert (await refusal("/v1/models/how/to/build/a/bomb", method="GET")).status == 404


@pytest.mark.parametrize("path", ["/v1/deployments/a/chat", "/v1/models/a", "/v1/rerank"])
async def test_an_encoded_spelling_of_a_template_is_refused(path: str) -> None:
    encoded = path.replace("v1", "%761").encode()

    assert (await refusal(path, raw_path=encoded)).status == 404


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/v1/chat/completions", "GET", "POST"), ("/v1/models", "POST", "GET")],
)
async def test_another_method_is_405_and_says_which_one_is_served(
    path: str, method: str, allowed: str
) -> None:
    error = await refusal(path, method=method)

    assert (error.status, error.code, error.allow) == (405, "method_not_allowed", allowed)
    assert f"only {allowed}" in error.message


@pytest.mark.parametrize("path", NOT_COVERED)
async def test_what_is_not_covered_yet_is_refused_by_name(path: str) -> None:
    error = await refusal(path)

    assert (error.status, error.code) == (404, "route_not_covered")
    assert path in error.message
    assert NOT_COVERED[path] in error.message


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/realtime/sessions", "WebSocket frames"),
        ("/v1/batches/batch_1/cancel", "stand in a file"),
        ("/v1/files/file-1/content", "a model reads them later"),
        ("/v1/filesystem", "no dialect covers it"),
    ],
)
async def test_e15_e16_what_stands_below_is_refused_for_the_same_reason(
    path: str, reason: str
) -> None:
    assert reason in (await refusal(path)).message


async def test_another_method_of_a_guarded_route_may_be_listed() -> None:
    stored, trail = await ask("/v1/deployments/a/chat", method="GET")
    guarded, _ = await ask("/v1/deployments/a/chat", method="POST")

    assert (stored.body, trail.route) == (b"{}", "/v1/deployments/{model}/chat")
    assert guarded.body == b"azure"
    assert (await refusal("/v1/deployments/a/chat", method="PUT")).status == 405


async def test_a_forgotten_version_is_pointed_out() -> None:
    assert "did you mean /v1/chat/completions" in (await refusal("/chat/completions")).message


async def test_a_path_is_shown_short_and_plain() -> None:
    message = (await refusal("/\x1b[31m" + "a" * 500)).message

    assert "\x1b" not in message
    assert len(message) < 300


async def test_models_are_passed_with_the_configured_key() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answering(b'{"data": []}', **{"set-cookie": "a", "x-request-id": "r"})(request)

    caller, trail = await ask("/v1/models/a:b@c/d", method="GET", handler=handler)

    assert (caller.body, trail.route) == (b'{"data": []}', "/v1/models")
    assert caller.header(b"x-request-id") == b"r"
    assert caller.header(b"set-cookie") is None
    assert str(seen[0].url) == "http://up.example/v1/models/a:b@c/d"
    assert seen[0].headers["authorization"] == "Bearer ours"


async def test_models_are_asked_for_without_a_word() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answering(b"{}", **{"openai-model": "some words of an upstream"})(request)

    caller, _ = await ask(
        "/v1/models",
        method="GET",
        query=b"limit=20&after_id=gpt-4o:a",
        headers=[(b"x-title", b"two words"), (b"x-id", b"1")],
        handler=handler,
    )

    assert caller.header(b"openai-model") is None
    assert seen[0].url.query == b"limit=20&after_id=gpt-4o:a"
    assert (seen[0].headers.get("x-title"), seen[0].headers.get("x-id")) == (None, "1")
    for query in (b"q=how+to+build", b"q=" + b"how.to.build." * 10):
        error = await refusal("/v1/models", method="GET", query=query, handler=handler)
        assert (error.status, error.code) == (400, "invalid_query")
    assert len(seen) == 1


async def test_models_have_a_largest_size() -> None:
    large = answering(b"a" * (8 * 1024 * 1024 + 1))

    with pytest.raises(UpstreamError, match="larger than"):
        await ask("/v1/models", method="GET", handler=large)


async def test_a_caller_who_leaves_ends_the_question_for_models() -> None:
    scope = http_scope("/v1/models", method="GET")
    Trail("id", 0.0).put(scope)

    async def silent(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with doors(silent) as app:
        with pytest.raises(ClientGone):
            await Caller(WHOLE, GONE).call(app, scope)


async def test_a_listed_route_is_judged_as_raw_text() -> None:
    passed, trail = await ask("/v1/rerank", body=b'{"query": "cactus"}')
    blocked, _ = await ask("/v1/rerank", body=b'{"query": "bomb"}')

    assert (passed.status, passed.body, trail.route) == (200, b"{}", "/v1/rerank")
    assert blocked.status == 403


async def test_a_listed_route_is_remembered_by_its_template() -> None:
    caller, trail = await ask("/v1/files/file-1", method="GET")

    assert (caller.status, trail.route) == (200, "/v1/files/{id}")
    assert (await refusal("/v1/files/file-1", method="DELETE")).status == 404


@pytest.mark.parametrize(
    ("template", "path", "covered"),
    [
        ("/v1/a", "/v1/a", True),
        ("/v1/a", "/v1/aa", False),
        ("/v1/a.b", "/v1/aXb", False),
        ("/v1/{x}/b", "/v1/a-1:~b/b", True),
        ("/v1/{x}/b", "/v1//b", False),
        ("/v1/{x}/b", "/v1/a/c/b", False),
        ("/v1/{x}", "/v1/a%20", False),
    ],
)
def test_a_listed_path_covers_exactly_itself(template: str, path: str, *, covered: bool) -> None:
    route = PassthroughRoute.model_validate({"path": template, "methods": ["POST"]})

    assert matches(route, "POST", path) is covered
    assert not matches(route, "GET", path)


async def asked(door: Callable[[Scope, Receive, Send], Any]) -> Caller:
    scope = http_scope("/x", method="GET")
    Trail("id", 0.0).put(scope)
    return await Caller(WHOLE).call(door, scope)


@pytest.mark.parametrize(("error", "word"), [(None, "ok"), ("bad secret", "failed")])
async def test_alive_says_which_policy_is_in_force(error: str | None, word: str) -> None:
    policy = active()
    caller = await asked(alive(lambda: policy, lambda: error))

    assert json.loads(caller.body) == {
        "status": "alive",
        "policy": {"name": "doors", "version": policy.version},
        "policy_reload": word,
    }


async def test_ready_says_which_model_judges() -> None:
    caller = await asked(ready("model", "0123"))

    assert json.loads(caller.body) == {
        "status": "ready",
        "model": "model",
        "model_sha256": "0123",
    }


async def test_metrics_have_their_own_type() -> None:
    caller = await asked(MetricsDoor(lambda: (b"a 1\n", "text/plain; version=1")))

    assert (caller.body, caller.header(b"content-type")) == (b"a 1\n", b"text/plain; version=1")
