"""What is true of every request: bounds on its head, the caller's key, one line, an answer."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from guardproxy.errors import OverloadedError, RequestError, UpstreamError
from guardproxy.events import Outcome
from guardproxy.proxy.admission import Admission
from guardproxy.proxy.gate import Gate, HeadLimits
from guardproxy.proxy.presence import ClientGone
from guardproxy.proxy.trail import trail_of
from tests.asgi import HOST, WHOLE, Caller, Listener, http_scope

LIMITS = HeadLimits(header_bytes=1_000, header_count=10, target_bytes=100)


async def fine(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def failing(error: Exception) -> ASGIApp:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise error

    return app


def gate(
    app: ASGIApp = fine,
    listener: Listener | None = None,
    *,
    keys: tuple[str, ...] = (),
    limits: HeadLimits = LIMITS,
    crowded: bool = False,
) -> Gate:
    return Gate(
        app,
        limits=limits,
        observer=listener or Listener(),
        admission=Admission(5, crowded=lambda: crowded, on_change=lambda _: None),
        client_keys=keys,
        error_words={"/plain": lambda fault: fault.code.encode()},
    )


async def ask(
    scope: Scope | None = None, app: ASGIApp = fine, keys: tuple[str, ...] = ()
) -> Caller:
    return await Caller(WHOLE).call(gate(app, keys=keys), scope or http_scope())


def code(caller: Caller) -> str:
    found: str = json.loads(caller.body)["error"]["code"]
    return found


async def test_every_answer_and_every_log_line_have_the_same_id() -> None:
    listener = Listener()
    caller = await Caller(WHOLE).call(gate(fine, listener), http_scope())

    (exchange,) = listener.exchanges
    assert caller.header(b"x-guardproxy-request-id") == exchange.request_id.encode()
    assert (exchange.status, exchange.outcome, exchange.response_bytes) == (200, Outcome.PASSED, 2)
    assert caller.header(b"x-guardproxy-verdict") is None


@pytest.mark.parametrize(
    ("target", "query", "status"),
    [
        ("/" + "a" * 99, b"", 200),
        ("/" + "a" * 100, b"", 414),
        ("/" + "a" * 49, b"q" * 49, 200),
        ("/" + "a" * 49, b"q" * 50, 414),
    ],
)
async def test_the_target_has_a_longest_length(target: str, query: bytes, status: int) -> None:
    assert (await ask(http_scope(target, query=query))).status == status


def headers_of(size: int) -> list[tuple[bytes, bytes]]:
    rest = size - sum(len(part) for part in HOST) - 4
    return [HOST, (b"a", b"x" * (rest - 5))]


@pytest.mark.parametrize(("size", "status"), [(1_000, 200), (1_001, 431)])
async def test_headers_have_a_largest_size(size: int, status: int) -> None:
    assert (await ask(http_scope(headers=headers_of(size)))).status == status


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 431)])
async def test_headers_have_a_largest_number(count: int, status: int) -> None:
    headers = [HOST] + [(b"a", b"")] * (count - 1)

    assert (await ask(http_scope(headers=headers))).status == status


@pytest.mark.parametrize(
    "raw_path",
    [
        b"/v1/chat%2fcompletions", b"/v1/chat%2Fcompletions", b"/v1%5cchat", b"/v1/%00",
        b"/v1\\chat", b"/v1#x", b"/a b", b"/a\x00", b"/\xff", b"/\x7f",
    ],
)  # fmt: skip
async def test_a_path_that_servers_read_differently_is_refused_e10_e11(raw_path: bytes) -> None:
    caller = await ask(http_scope("/v1/chat/completions", raw_path=raw_path))

    assert (caller.status, code(caller)) == (400, "invalid_path")


@pytest.mark.parametrize(
    ("row", "headers", "why"),
    [
        ("H16", [], "invalid_host"),
        ("H16", [HOST, HOST], "invalid_host"),
        ("H16", [(b"host", b"a/b?")], "invalid_host"),
        ("H16", [(b"host", b"a#b")], "invalid_host"),
        ("H16", [(b"host", b"x@y")], "invalid_host"),
        ("H15", [HOST, (b"a", b"\x00")], "invalid_header"),
        ("H15", [HOST, (b"a", b"b\rc")], "invalid_header"),
        ("H28", [HOST, (b"a", b"\xc3\xa9")], "invalid_header"),
        ("H5", [HOST, (b"transfer-encoding", b"gzip, chunked")], "invalid_framing"),
        ("H6", [HOST, (b"transfer-encoding", b"xchunked")], "invalid_framing"),
        (
            "H1",
            [HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"5")],
            "invalid_framing",
        ),
        ("H20", [HOST, (b"upgrade", b"websocket")], "upgrade_refused"),
    ],
)
async def test_a_head_that_parsers_read_differently_is_refused(
    row: str, headers: list[tuple[bytes, bytes]], why: str
) -> None:
    caller = await ask(http_scope(headers=headers))

    assert (caller.status, code(caller)) == (400, why)


@pytest.mark.parametrize("host", [b"a.b:8080", b"[::1]:80", b"127.0.0.1", b""])
async def test_a_plain_host_is_fine(host: bytes) -> None:
    assert (await ask(http_scope(headers=[(b"host", host)]))).status == 200


KEYS = ("first-key", "second-key")


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer first-key"),
        (b"authorization", b"bearer  second-key "),
        (b"x-api-key", b"first-key"),
        (b"api-key", b"second-key"),
    ],
)
async def test_a_caller_with_a_key_is_let_in(header: tuple[bytes, bytes]) -> None:
    assert (await ask(http_scope(headers=[HOST, header]), keys=KEYS)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer wrong")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic first-key")],
        [(b"authorization", b"first-key")],
        [(b"x-api-key", b"First-Key")],
        [(b"x-api-key", b"first-key,second-key")],
        [(b"x-other", b"first-key")],
    ],
)
async def test_a_caller_without_a_key_is_401(headers: list[tuple[bytes, bytes]]) -> None:
    caller = await ask(http_scope(headers=[HOST, *headers]), keys=KEYS)

    assert (caller.status, code(caller)) == (401, "invalid_api_key")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_how_we_are_is_told_to_everybody(path: str) -> None:
    assert (await ask(http_scope(path, method="GET"), keys=KEYS)).status == 200


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (RequestError("no", status=404, code="c"), 404, Outcome.REFUSED),
        (UpstreamError("down"), 502, Outcome.UPSTREAM_FAILED),
        (OverloadedError("full"), 503, Outcome.OVERLOADED),
        (LookupError("secret text"), 500, Outcome.FAILED),
    ],
)
async def test_every_error_is_an_answer_and_an_outcome(
    error: Exception, status: int, outcome: Outcome
) -> None:
    listener = Listener()
    caller = await Caller(WHOLE).call(gate(failing(error), listener), http_scope())

    assert (caller.status, listener.exchanges[0].outcome) == (status, outcome)
    assert b"secret" not in caller.body


async def test_an_error_before_any_dialect_is_in_the_words_of_its_path() -> None:
    caller = await ask(http_scope("/plain/speech"), keys=("k",))

    assert (caller.status, caller.body) == (401, b"invalid_api_key")


async def test_a_bug_is_logged_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await ask(app=failing(LookupError()))

    assert [record.message for record in caplog.records] == ["request failed"]


async def test_an_error_after_the_beginning_sends_no_second_head() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise UpstreamError("broke")

    listener = Listener()
    caller = await Caller(WHOLE).call(gate(app, listener), http_scope())

    assert len(caller.sent) == 1
    assert listener.exchanges[0].outcome is Outcome.UPSTREAM_FAILED


@pytest.mark.parametrize("app", [failing(ClientGone()), failing(RequestError("no"))])
async def test_a_caller_who_leaves_is_told_apart(app: ASGIApp) -> None:
    async def send(_: object) -> None:
        raise OSError

    listener = Listener()
    await gate(app, listener)(http_scope(), Caller(WHOLE).receive, send)

    assert listener.exchanges[0].outcome is Outcome.CLIENT_GONE


async def test_what_a_shutdown_cuts_is_not_passed() -> None:
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await asyncio.Event().wait()

    listener, caller = Listener(), Caller(WHOLE)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(caller.call(gate(app, listener), http_scope()))
        await begun.wait()
        task.cancel()

    assert [(e.outcome, e.code) for e in listener.exchanges] == [(Outcome.FAILED, "shutdown")]


@pytest.mark.parametrize(
    ("known", "word"),
    [
        ({}, b"passed"),
        ({"unjudged": "overload"}, b"unjudged"),
        ({"categories": {"pii"}}, b"flagged"),
        ({"flagged": True}, b"flagged"),
        ({"unscanned_bytes": 5}, b"passed"),
        ({"outcome": Outcome.BLOCKED}, b"blocked"),
    ],
)
async def test_the_verdict_is_a_header_and_not_run_is_not_passed_i4(
    known: dict[str, object], word: bytes
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        trail = trail_of(scope)
        trail.policy = "p@1"
        for name, value in known.items():
            setattr(trail, name, value)
        await fine(scope, receive, send)

    caller = await ask(app=app)

    assert caller.header(b"x-guardproxy-verdict") == word
    assert caller.header(b"x-guardproxy-policy") == b"p@1"
    assert caller.header(b"x-guardproxy-unjudged") == (b"overload" if "unjudged" in known else None)


async def test_v1_warns_and_says_what_to_do() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        trail_of(scope).deprecated = True
        await fine(scope, receive, send)

    caller = await ask(app=app)

    assert caller.header(b"deprecation") == b"@1774915200"
    assert caller.header(b"sunset") == b"Tue, 30 Jun 2026 00:00:00 GMT"
    assert b"policy migrate" in (caller.header(b"x-guardproxy-warning") or b"")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.PASSED),
        (404, Outcome.REFUSED),
        (500, Outcome.FAILED),
        (503, Outcome.OVERLOADED),
    ],
)
async def test_an_answer_of_others_has_only_its_status_to_tell(
    status: int, outcome: Outcome
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    listener = Listener()
    await Caller(WHOLE).call(gate(app, listener), http_scope())

    assert listener.exchanges[0].outcome is outcome


async def reading(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await fine({}, receive, send)


async def test_where_it_is_crowded_no_body_is_read_and_the_caller_may_come_again_x15() -> None:
    listener = Listener()
    caller = Caller(WHOLE)
    await caller.call(gate(reading, listener, crowded=True), http_scope())

    assert (caller.status, code(caller)) == (503, "overloaded")
    assert caller.header(b"retry-after") == b"1"
    assert caller.waiting == [WHOLE]
    assert listener.exchanges[0].outcome is Outcome.OVERLOADED


async def test_who_asks_for_no_body_is_served_in_any_crowd() -> None:
    caller = await Caller(WHOLE).call(gate(fine, crowded=True), http_scope())

    assert caller.status == 200
