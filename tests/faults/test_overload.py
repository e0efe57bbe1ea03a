"""More than a process can do: whoever is inside is served, others are told so before they are read.

`make faults` measures how many of each; here it is what they are told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from guardproxy.classifiers.ensemble import Ensemble
from guardproxy.events import Outcome
from tests.e2e.conftest import proxying
from tests.servers import (
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    connect,
    eventually,
    policy_file,
    post,
    read_answer,
    request_bytes,
    said,
)

POLICY = """
name: overloaded
input: [{{block_on_error: {closed}, moderation_llm_v2: {{action: block}}}}]
output: [{{block_on_error: {closed}, moderation_llm_v2: {{action: block}}}}]
"""


class Held:
    """An upstream's answers, held back until they are let go."""

    def __init__(self, api: ScriptedUpstream) -> None:
        self._go = threading.Event()
        self.arrived = 0
        api.says(self._script)

    def _script(self, _: RawRequest, wire: Wire) -> None:
        self.arrived += 1
        assert self._go.wait(20)
        wire.answer(said("It is sunny."))

    def let_go(self) -> None:
        self._go.set()


@contextmanager
def asking(url: str, times: int) -> Iterator[list[int]]:
    """Asks that often at once; gives the statuses, complete at the block's end."""
    statuses: list[int] = []
    with ThreadPoolExecutor(times) as pool:
        answers = [pool.submit(post, url, ask()) for _ in range(times)]
        yield statuses
        statuses += [answer.result().status for answer in answers]


def test_one_more_than_the_requests_in_progress_is_a_503_and_those_inside_are_served(
    api: ScriptedUpstream,
) -> None:
    held = Held(api)
    with proxying(api, concurrent_requests=3) as proxy:
        with asking(proxy.url, 3) as statuses:
            eventually(lambda: held.arrived == 3, "three are inside")
            refused = proxy.ask()
            held.let_go()
        eventually(lambda: proxy.metric("guardproxy_requests_in_progress") == 0)

        assert statuses == [200] * 3
        assert proxy.ask().status == 200
        refusal = next(e for e in proxy.listener.exchanges if e.status == 503)
    assert refused.status == 503
    assert refused.header(b"retry-after") == b"1"
    assert refused.json()["error"]["code"] == "overloaded"
    assert (refusal.outcome, refusal.route) == (Outcome.OVERLOADED, "/v1/chat/completions")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/chat/completions", {"error"}),
        ("/v1/messages", {"type", "error"}),
        ("/v1/moderations", {"error"}),
        ("/api/chat", {"error"}),
    ],
)
def test_a_refusal_is_in_the_words_of_the_api_that_was_asked(
    api: ScriptedUpstream, target: str, expected: set[str]
) -> None:
    held = Held(api)
    with proxying(api, concurrent_requests=1) as proxy, asking(proxy.url, 1):
        eventually(lambda: held.arrived == 1, "one is inside")
        refused = post(proxy.url, b"{}", target=target)
        alive = [proxy.get(path).status for path in ("/healthz", "/readyz", "/metrics")]
        held.let_go()

    assert refused.status == 503
    assert refused.header(b"retry-after") == b"1"
    assert set(refused.json()) >= expected
    assert alive == [200] * 3


def test_a_body_that_is_not_wanted_is_not_waited_for_and_the_connection_goes_on(
    api: ScriptedUpstream,
) -> None:
    held = Held(api)
    body = ask()
    with proxying(api, concurrent_requests=1) as proxy, connect(proxy.url) as connection:
        with asking(proxy.url, 1):
            eventually(lambda: held.arrived == 1, "one is inside")
            connection.sendall(request_bytes(body).removesuffix(body))
            assert read_answer(connection).status == 503
            held.let_go()
        eventually(lambda: proxy.metric("guardproxy_requests_in_progress") == 0)
        connection.sendall(body + request_bytes(body))

        assert read_answer(connection).status == 200


def test_bodies_that_come_slowly_take_no_place_x15(api: ScriptedUpstream) -> None:
    api.says(said("It is sunny."))
    body = ask()
    half = request_bytes(body)[: -len(body) // 2]
    with proxying(api, concurrent_requests=2) as proxy:
        slow = [connect(proxy.url) for _ in range(50)]
        for connection in slow:
            connection.sendall(half)
        answered = [proxy.ask().status for _ in range(5)]
        for connection in slow:
            connection.close()

    assert answered == [200] * 5


class Behind(Ensemble):
    """The embedded classifier, with a line before it that is as long as it is told to be."""

    wait = 0.0

    @property
    def _expected_wait(self) -> float:
        return self.wait


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_newcomers_wait_outside_while_the_judge_is_behind_unless_the_policy_is_open_x9(
    api: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, closed: bool
) -> None:
    monkeypatch.setattr("guardproxy.classifiers.embedded.Ensemble", Behind)
    monkeypatch.setattr("guardproxy.app.Ensemble", Behind)
    policy = policy_file(tmp_path, POLICY.format(closed=str(closed).lower()))
    with proxying(api, embedded=True, policy=policy, classifier_timeout=2) as proxy:
        answers = {}
        api.says(said("It is sunny."))
        for wait in (0.0, 0.6, 2.0):
            Behind.wait = wait
            answers[wait] = proxy.ask(f"How long is {wait} s?")
            Behind.wait = 0.0
            assert proxy.ask(f"And after {wait} s?").status == 200

    unjudged = {wait: answer.header(b"x-guardproxy-unjudged") for wait, answer in answers.items()}
    if closed:
        assert [answer.status for answer in answers.values()] == [200, 503, 503]
    else:
        assert [answer.status for answer in answers.values()] == [200, 200, 200]
        assert unjudged == {0.0: None, 0.6: None, 2.0: b"overload"}
