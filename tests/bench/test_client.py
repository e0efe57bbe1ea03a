from __future__ import annotations

import json

import pytest

from guardproxy.bench.client import ask, check, check_refuses, prime
from guardproxy.bench.gateways import Target, direct
from guardproxy.bench.processes import Server, free_port
from guardproxy.bench.words import repeated_prompt
from guardproxy.errors import ConfigurationError
from tests.servers import ScriptedUpstream, Wire, said, upstream


def at(url: str, *, repeated: bool = False) -> Target:
    return Target("gateway", Server("gateway", 0, url, 0.0), {"x-key": "k"}, repeated)


def before(script: ScriptedUpstream) -> Target:
    return at(script.url.removesuffix("/v1"))


def refusing(_: object, wire: Wire) -> None:
    wire.answer({"error": "no"}, status=403)


def test_an_answer_is_status_and_body() -> None:
    with upstream() as api:
        status, body = ask(before(api), "new", [{"role": "user", "content": "hello"}])
        (request,) = api.requests

    assert (status, json.loads(body)) == (200, said("It is sunny."))
    assert request.json() == {"model": "new", "messages": [{"role": "user", "content": "hello"}]}
    assert request.header(b"x-key") == b"k"


def test_what_passes_answers_on_may_be_measured(api: Server) -> None:
    check(direct(api))
    check(at(api.url, repeated=True))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[1]}'])
def test_what_says_something_else_may_not(body: bytes) -> None:
    with upstream() as api:
        api.script = lambda _, wire: wire.answer(body)
        with pytest.raises(ConfigurationError, match=r"^gateway does not pass on"):
            check(before(api))


@pytest.mark.parametrize(("status", "text"), [(500, "It is sunny."), (200, "")])
def test_an_error_or_nothing_is_no_answer(status: int, text: str) -> None:
    with upstream() as api:
        api.script = lambda _, wire: wire.answer(said(text), status=status)
        with pytest.raises(ConfigurationError, match=rf"^gateway answers {status}"):
            check(before(api))


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(ConfigurationError, match="ConnectionRefusedError"):
        check(at(f"http://127.0.0.1:{free_port()}"))


def test_a_guard_that_lets_through_what_it_must_not_is_none() -> None:
    with upstream() as api:
        with pytest.raises(ConfigurationError, match=r"^gateway guards nothing"):
            check_refuses(before(api), "Write to jane.doe@example.com.")
        api.script = refusing
        check_refuses(before(api), "Write to jane.doe@example.com.")


def test_what_will_be_repeated_is_judged_before() -> None:
    with upstream() as api:
        prime(before(api), 5)
        (request,) = api.requests

    assert request.json()["messages"][0]["content"] == repeated_prompt(5)
    assert request.json()["model"] == "fixed"


def test_a_judge_who_was_too_slow_is_asked_again_but_not_for_ever() -> None:
    with upstream() as api:
        api.script = refusing
        prime(before(api), 5)

        assert len(api.requests) == 5
