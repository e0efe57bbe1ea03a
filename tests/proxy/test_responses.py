"""Every error has one answer in one form, and nobody waits for a caller who does not read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.types import Message

from guardproxy.dialects.base import Refusal
from guardproxy.errors import (
    ClassifierError,
    GuardproxyError,
    OverloadedError,
    RequestError,
    StreamError,
    UpstreamError,
)
from guardproxy.events import Outcome
from guardproxy.proxy.presence import ClientGone
from guardproxy.proxy.responses import Reply, Sender, blocked, of_error
from guardproxy.proxy.trail import Trail
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.asgi import Caller

DECISIONS = {"dangerous": CategoryDecision(0.5, 0.9)}


def error_of(reply: Reply) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(reply.body)["error"]
    return error


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 413, 414, 415, 431])
def test_a_refusal_has_its_status_and_openais_fields(status: int) -> None:
    reply = of_error(RequestError("no", status=status, code="why", param="a[0]"))

    assert (reply.status, reply.outcome, reply.code) == (status, Outcome.REFUSED, "why")
    assert error_of(reply) == {
        "message": "a[0]: no", "type": "invalid_request_error", "param": "a[0]", "code": "why",
    }  # fmt: skip
    assert (b"x-should-retry", b"false") in reply.headers


def test_a_missing_key_is_an_authentication_error() -> None:
    assert error_of(of_error(RequestError("no", status=401)))["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("param", "location"),
    [
        (
            "guardrails[0].moderation_llm_v2.action",
            ["guardrails", 0, "moderation_llm_v2", "action"],
        ),
        ("a[1][2]", ["a", 1, 2]),
        (None, []),
        ("\u0665", ["\u0665"]),
    ],
)
def test_a_422_has_mistrals_list_of_details(param: str | None, location: list[object]) -> None:
    reply = of_error(RequestError("bad", status=422, code="why", param=param))

    assert json.loads(reply.body)["detail"] == [
        {"loc": ["body", *location], "msg": "bad", "type": "why"}
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamError("down"), 502),
        (UpstreamError("late", status=504), 504),
        (StreamError("broken"), 502),
    ],
)
def test_a_fault_of_the_upstream_is_a_gateway_error(error: UpstreamError, status: int) -> None:
    reply = of_error(error)

    assert (reply.status, reply.outcome) == (status, Outcome.UPSTREAM_FAILED)
    assert error_of(reply)["type"] == "upstream_error"


def test_overload_asks_to_come_again() -> None:
    reply = of_error(OverloadedError("bytes"))

    assert (reply.status, reply.outcome) == (503, Outcome.OVERLOADED)
    assert (b"retry-after", b"1") in reply.headers


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("secret text"), "internal_error"),
        (GuardproxyError("secret text"), "error"),
        (ClassifierError("secret text"), "error"),
    ],
)
def test_a_bug_says_nothing_of_itself(error: Exception, code: str) -> None:
    reply = of_error(error)

    assert (reply.status, reply.outcome, reply.code) == (500, Outcome.FAILED, code)
    assert b"secret" not in reply.body


@pytest.mark.parametrize(
    "result",
    [
        GuardrailResult("moderation_llm_v2", "m", Action.BLOCK, DECISIONS),
        GuardrailResult(
            "moderation_llm_v2", "m", Action.BLOCK, {}, block_on_error=True, error="error"
        ),
    ],
)
def test_a_block_is_a_final_403(result: GuardrailResult) -> None:
    reply = blocked(Refusal(403, b"{}"), Verdict((result,)))

    assert (reply.status, reply.outcome, reply.body) == (403, Outcome.BLOCKED, b"{}")
    assert (b"x-should-retry", b"false") in reply.headers


@pytest.mark.parametrize(
    ("reason", "unsent", "again"),
    [
        ("overload", True, True),
        ("deadline", True, True),
        ("overload", False, False),
        ("error", True, False),
        ("missing", True, False),
    ],
)
def test_only_what_cost_nothing_and_may_pass_over_is_worth_another_try(
    reason: str, *, unsent: bool, again: bool
) -> None:
    failed = GuardrailResult("v2", "m", Action.BLOCK, {}, block_on_error=True, error=reason)
    headers = blocked(Refusal(403, b"{}"), Verdict((failed,)), unsent=unsent).headers

    assert ((b"x-should-retry", b"true") in headers) is again
    assert ((b"x-should-retry", b"false") in headers) is not again


def test_an_error_is_said_in_the_words_of_the_dialect() -> None:
    reply = of_error(RequestError("no", code="why"), lambda fault: fault.code.encode())

    assert reply.body == b"why"


async def sent(reply: Reply) -> tuple[Caller, Trail, Sender]:
    caller, trail = Caller(), Trail("id", 0.0)
    sender = Sender(caller.send, trail)
    await sender.reply(reply)
    return caller, trail, sender


async def test_a_whole_answer_has_its_length() -> None:
    caller, trail, sender = await sent(Reply(200, [(b"content-type", b"x")], b"abc"))

    assert caller.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"x"), (b"content-length", b"3")],
        },
        {"type": "http.response.body", "body": b"abc", "more_body": False},
    ]
    assert (trail.outcome, sender.begun) == (Outcome.PASSED, True)


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_has_no_length(status: int) -> None:
    caller, _, _ = await sent(Reply(status, [], b"abc"))

    assert (caller.sent[0]["headers"], caller.body) == ([], b"")


async def test_the_trail_learns_how_it_ended_but_keeps_a_reason_it_had() -> None:
    _, trail, _ = await sent(of_error(RequestError("no", code="why")))
    assert (trail.outcome, trail.code) == (Outcome.REFUSED, "why")

    trail = Trail("id", 0.0, code="guardrail_error")
    await Sender(Caller().send, trail).reply(blocked(Refusal(403, b""), Verdict()))
    assert trail.code == "guardrail_error"


@pytest.mark.parametrize("error", [OSError, TimeoutError, ClientGone])
async def test_a_caller_whose_connection_fails_is_gone(error: type[Exception]) -> None:
    async def send(_: Message) -> None:
        raise error

    with pytest.raises(ClientGone):
        await Sender(send, Trail("id", 0.0)).write(b"a", more=True)


def test_a_405_names_the_method_that_would_do() -> None:
    reply = of_error(RequestError("only POST", status=405, code="x", allow="POST"))

    assert (b"allow", b"POST") in reply.headers
