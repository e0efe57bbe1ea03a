"""A guarded route over real sockets: what is judged, by what, and what goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardproxy.policy.scope import digest
from guardproxy.verdict import Direction, Scores
from tests.classifiers.foreign import combination, injection
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import (
    DONE,
    PATIENCE,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    delta,
    event,
    eventually,
    policy_file,
    post,
    said,
)

POLICY = """
name: endpoint-test
input:
  - moderation_llm_v2: {action: block}
output:
  - moderation_llm_v2: {action: block}
"""
STRICT = [
    {
        "block_on_error": False,
        "moderation_llm_v2": {
            "action": "block",
            "custom_category_thresholds": {"hate_and_discrimination": 0.2},
        },
    }
]
WORDS = {"mild": {"hate_and_discrimination": 0.3}, "bomb": {"dangerous": 0.99}}


@pytest.fixture(scope="module")
def running(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    policy = policy_file(tmp_path_factory.mktemp("policy"), POLICY)
    with proxying(api, classifier=KeywordClassifier(WORDS), policy=policy) as proxy:
        yield proxy


@pytest.fixture
def proxy(running: Proxy, api: ScriptedUpstream) -> Proxy:
    """Its upstream says something harmless unless told otherwise."""
    api.says(said("It is sunny."))
    return running


def test_the_way_of_a_harmless_request(proxy: Proxy, api: ScriptedUpstream) -> None:
    answer = proxy.ask()

    assert answer.status == 200
    assert answer.json() == said("It is sunny.")
    assert api.last.body == ask()


def test_a_blocked_request_never_reaches_the_upstream(proxy: Proxy, api: ScriptedUpstream) -> None:
    answer = proxy.ask("build a bomb")

    assert answer.status == 403
    assert answer.json()["error"]["param"] == "messages[0].content"
    assert api.requests == []


def test_a_blocked_answer_does_not_reach_the_caller(proxy: Proxy, api: ScriptedUpstream) -> None:
    api.says(said("build a bomb"))

    answer = proxy.ask()

    assert answer.status == 403
    assert b"build" not in answer.body


def test_a_callers_guardrails_add_to_the_policy(proxy: Proxy, api: ScriptedUpstream) -> None:
    assert proxy.ask("a mild word").status == 200
    assert proxy.ask("a mild word", guardrails=STRICT).status == 403
    assert proxy.ask("build a bomb", guardrails=STRICT).status == 403
    assert proxy.ask("hello", guardrails=[{"moderation_llm_v2": {"action": "none"}}]).status == 200


SCAFFOLD = "You are an agent that may build a bomb in a game."
TOOLS_POLICY = f"""
name: tools-test
input:
  - moderation_llm_v2: {{action: block}}
tool_results:
  - moderation_llm_v2: {{action: none}}
output:
  - moderation_llm_v2: {{action: block}}
exempt_sha256: [{digest(SCAFFOLD)}, {digest("om")}]
"""


@pytest.fixture(scope="module")
def agent(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    policy = policy_file(tmp_path_factory.mktemp("tools"), TOOLS_POLICY)
    with proxying(api, classifier=KeywordClassifier(WORDS), policy=policy) as proxy:
        yield proxy


def test_tool_results_and_scaffolding_have_rules_of_their_own(
    agent: Proxy, api: ScriptedUpstream
) -> None:
    api.says(said("It is sunny."))
    result = {"role": "tool", "tool_call_id": "c", "content": "how they build a bomb"}

    assert agent.ask(messages=[{"role": "user", "content": "Read it."}, result]).status == 200
    # The caller's own entries judge all texts.
    assert agent.ask(messages=[result], guardrails=STRICT).status == 403
    assert agent.ask(messages=[result | {"role": "user"}]).status == 403
    assert agent.ask(messages=[{"role": "user", "content": SCAFFOLD}]).status == 200
    assert agent.ask(messages=[{"role": "user", "content": SCAFFOLD + " Now."}]).status == 403


def test_an_answer_may_repeat_what_is_exempt_and_nothing_else(
    agent: Proxy, api: ScriptedUpstream
) -> None:
    body = {"model": "m", "instructions": SCAFFOLD, "input": "hello"}
    answer = {"id": "r", "object": "response", "output": [], "instructions": SCAFFOLD}
    created = {"type": "response.created", "sequence_number": 0, "response": answer}
    done = {**created, "type": "response.completed", "sequence_number": 1}

    for said_back, status in ((SCAFFOLD, 200), (SCAFFOLD + " Go.", 403)):
        answer["instructions"] = said_back
        api.says(answer)
        assert post(agent.url, json.dumps(body).encode(), target="/v1/responses").status == status
        api.streams(event(created), event(done))
        streamed = json.dumps(body | {"stream": True}).encode()
        assert post(agent.url, streamed, target="/v1/responses").status == status


def test_what_a_model_says_is_judged_even_if_it_is_exempt_in_the_request(
    agent: Proxy, api: ScriptedUpstream
) -> None:
    exempt = [{"role": "user", "content": SCAFFOLD}]

    api.says(said(SCAFFOLD))
    assert agent.ask(messages=exempt).status == 403
    # A piece of it, too: without it nothing would be found in the rest.
    api.streams(delta("a b"), delta("om"), delta("b"), DONE)
    assert agent.ask(messages=[{"role": "user", "content": "om"}]).status == 403


def test_what_a_tool_returned_unjudged_is_judged_in_the_answer(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    policy = policy_file(tmp_path, POLICY + "tool_results: []\n")
    returned = {"type": "function_call_output", "call_id": "c", "output": "build a bomb"}
    answer = {"id": "r", "object": "response", "output": [], "tools": ["build a bomb"]}
    api.says(answer)
    with proxying(api, classifier=KeywordClassifier(WORDS), policy=policy) as proxy:
        body = json.dumps({"model": "m", "input": [returned]}).encode()
        assert post(proxy.url, body, target="/v1/responses").status == 403

    assert api.last.body == body


def test_a_callers_guardrails_speak_about_the_input_alone(
    proxy: Proxy, api: ScriptedUpstream
) -> None:
    api.says(said("a mild word"))

    answer = proxy.ask("hello", guardrails=STRICT)

    assert answer.status == 200
    assert answer.json()["guardrails"][0]["moderation_llm_v2"]["action"] == "none"
    assert json.loads(api.last.body).keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [(said("hi", guardrails=["theirs"]), 200), (said("hi"), 201), ([said("hi")], 200)],
)
def test_scores_are_added_only_where_nothing_else_stands(
    proxy: Proxy, api: ScriptedUpstream, answer: object, status: int
) -> None:
    api.says(lambda _, wire: wire.answer(answer, status))

    assert proxy.ask(guardrails=STRICT).json() == answer


def test_scores_take_the_place_of_a_null(proxy: Proxy, api: ScriptedUpstream) -> None:
    api.says(lambda _, wire: wire.answer(said("hi", guardrails=None)))

    answer = proxy.ask(guardrails=STRICT)

    assert answer.body.count(b'"guardrails"') == 1
    assert answer.json()["guardrails"][0]["moderation_llm_v2"]["action"] == "none"


@pytest.mark.parametrize("body", [b"", b"OK"])
def test_an_answer_that_is_no_json_stays_as_it_came_with_guardrails_too(
    proxy: Proxy, api: ScriptedUpstream, body: bytes
) -> None:
    api.says(lambda _, wire: wire.answer(body))

    answer = proxy.ask(guardrails=[{"moderation_llm_v2": {"action": "none"}}])

    assert (answer.status, answer.body) == (200, body)


def test_guardrails_of_null_are_cut_out_and_none(proxy: Proxy, api: ScriptedUpstream) -> None:
    answer = proxy.ask(guardrails=None)

    assert answer.json() == said("It is sunny.")
    assert b"guardrails" not in api.last.body


@pytest.mark.parametrize(
    ("handling", "forward", "goes_on"),
    [("add", False, False), ("add", True, True), ("ignore", False, False), ("ignore", True, False)],
)
def test_guardrails_go_on_only_where_they_were_read(
    api: ScriptedUpstream, tmp_path: Path, handling: str, forward: bool, goes_on: bool
) -> None:
    api.says(said("It is sunny."))
    policy = policy_file(tmp_path, f"{POLICY}inline: {handling}\n")
    judge = KeywordClassifier(WORDS)
    with proxying(api, classifier=judge, policy=policy, forward_guardrails=forward) as proxy:
        proxy.ask(guardrails=STRICT)

    assert (b"guardrails" in api.last.body) is goes_on


def test_a_policy_may_take_no_guardrails_from_callers(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    api.says(said("It is sunny."))
    policy = policy_file(tmp_path, f"{POLICY}inline: refuse\n")
    with proxying(api, classifier=KeywordClassifier(WORDS), policy=policy) as proxy:
        refused, passed = proxy.ask(guardrails=STRICT), proxy.ask(guardrails=None)

    assert (refused.status, refused.json()["error"]["code"]) == (422, "guardrails_refused")
    assert passed.status == 200
    assert len(api.requests) == 1


def test_sound_in_an_answer_is_blocked_unless_the_policy_lets_it_pass(
    proxy: Proxy, api: ScriptedUpstream
) -> None:
    answer = said("")
    answer["choices"][0]["message"]["audio"] = {"id": "a", "data": "UklGRg==", "transcript": "hi"}
    api.says(answer)

    blocked = proxy.ask()

    assert blocked.status == 403
    assert blocked.json()["error"]["code"] == "unscannable"


def test_a_listed_route_is_judged_by_its_query_and_takes_no_body_on_get(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    api.says({"found": "nothing"})
    policy = policy_file(
        tmp_path, f"{POLICY}passthrough:\n  - path: /v1/search\n    methods: [GET]\n"
    )
    with proxying(api, classifier=KeywordClassifier(WORDS), policy=policy) as proxy:
        passed = proxy.get("/v1/search?q=the+weather")
        blocked = proxy.get("/v1/search?q=a%20b%6Fmb")
        refused = post(
            proxy.url, b"{}", method="GET", target="/v1/search", content_type="application/json"
        )

    assert passed.json() == {"found": "nothing"}
    assert blocked.status == 403
    assert (refused.status, refused.json()["error"]["code"]) == (400, "unexpected_body")


class Reconsiders(KeywordClassifier):
    """Finds a text harmless once it says so."""

    def score(self, text: str) -> Scores:
        return super().score("" if "no harm" in text else text)

    def has_heard(self, words: str) -> None:
        """Waits until it was asked about them."""
        eventually(lambda: any(words in each.text for batch in self.asked for each in batch))


EARLY = "streaming: {partial_thresholds: {dangerous: 0.9}}\n"
BEGINNINGS = {"mild": {"dangerous": 0.7}, "bomb": {"dangerous": 0.99}}


@pytest.mark.parametrize(
    ("ending", "status"), [("and more.", 403), ("and no harm.", 200), ("to build a bomb", 403)]
)
@pytest.mark.parametrize("choices", [1, 2])
def test_a_beginning_waits_for_what_follows_and_the_whole_is_judged_by_the_policy(
    api: ScriptedUpstream, tmp_path: Path, ending: str, status: int, choices: int
) -> None:
    classifier = Reconsiders(BEGINNINGS)

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        for index in range(choices):
            wire.chunk(delta("a mild word ", index))
        classifier.has_heard("mild")
        for index in range(choices):
            wire.chunk(delta(ending, index))
        wire.chunk(delta(None, finish="stop") + DONE)
        wire.chunk(b"")

    policy = policy_file(tmp_path, POLICY + EARLY)
    with proxying(api, classifier=classifier, policy=policy) as judging:
        api.says(script)
        answer = judging.ask(stream=True)

    assert answer.status == status
    assert (b"a mild word " in answer.body) is (status == 200)
    assert answer.body.count(b"[DONE]") == (status == 200)


@pytest.mark.parametrize(
    ("other", "status"), [("no harm, " * 200, 200), ("word " * 300 + "mild ", 403)]
)
def test_a_beginning_waits_beside_a_text_that_is_none(
    api: ScriptedUpstream, tmp_path: Path, other: str, status: int
) -> None:
    """What another choice has said fills a window: the policy's own thresholds judge it."""
    classifier = Reconsiders(BEGINNINGS)

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("a mild word ") + delta(other, index=1))
        classifier.has_heard("mild")
        wire.chunk(delta("and no harm.") + DONE)
        wire.chunk(b"")

    policy = policy_file(tmp_path, POLICY + EARLY)
    with proxying(api, classifier=classifier, policy=policy) as judging:
        api.says(script)
        answer = judging.ask(stream=True)

    assert answer.status == status


@pytest.mark.parametrize(("streaming", "status"), [("", 200), ("partial_thresholds: {}", 403)])
def test_a_model_says_itself_from_where_on_its_beginnings_are_blocked(
    api: ScriptedUpstream, tmp_path: Path, streaming: str, status: int
) -> None:
    injection(tmp_path / "injection", partial_thresholds={"jailbreaking": 0.99})
    members: list[dict[str, object]] = [
        {"model": "../injection", "owns": ["jailbreaking"]},
        {"model": "embedded"},
    ]
    model = combination(tmp_path / "model", members)
    only = "{action: block, ignore_other_categories: true, custom_category_thresholds: {%s}}"
    output = f"output: [{{moderation_llm_v2: {only % 'jailbreaking: 0.9'}}}]"
    file = policy_file(tmp_path, f"name: x\ninput: []\n{output}\nstreaming: {{{streaming}}}\n")
    with proxying(api, embedded=True, model=str(model), policy=file) as judging:

        def script(_: RawRequest, wire: Wire) -> None:
            wire.begin_stream()
            wire.chunk(delta("ignore "))
            eventually(
                lambda: Direction.OUTPUT in {j.direction for j in judging.listener.judgements}
            )
            wire.chunk(delta("flowers flowers flowers") + DONE)
            wire.chunk(b"")

        api.says(script)
        answer = judging.ask(stream=True)

    assert answer.status == status


def test_a_beginning_that_is_bad_enough_is_blocked_at_once(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    over = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("build a bomb "))
        over.wait(PATIENCE)

    policy = policy_file(tmp_path, POLICY + EARLY)
    with proxying(api, classifier=KeywordClassifier(BEGINNINGS), policy=policy) as judging:
        api.says(script)
        try:
            blocked = judging.ask(stream=True)
        finally:
            over.set()

    assert blocked.status == 403
