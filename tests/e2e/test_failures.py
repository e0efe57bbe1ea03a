"""Every failure is what the policy says: blocked with a documented body, or passed with marks (I4).

A mark is a header, a log line's field and a counter; not judged is never told as passed.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from guardproxy.content import Passage
from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
)
from guardproxy.events import Exchange, Outcome
from guardproxy.telemetry.records import DataRecord
from guardproxy.verdict import Scores
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import (
    DONE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    connect,
    delta,
    eventually,
    hear,
    policy_file,
    post,
    request_bytes,
    said,
)

POLICY = """
name: failing
input: [{{block_on_error: {input}, moderation_llm_v2: {{action: block}}}}]
output: [{{block_on_error: {output}, moderation_llm_v2: {{action: block}}}}]
"""
FAILURES = {
    "error": ClassifierError("secret text"),
    "bug": LookupError("secret text"),
    "deadline": ClassifierDeadline("late"),
    "overload": ClassifierOverloaded("full"),
    "missing": ClassifierMissing("none"),
}
REASONS = {"bug": "error"}
MESSAGES = {
    "error": "Moderation API request failed.",
    "deadline": "Moderation API request timed out.",
    "overload": "Moderation API is overloaded.",
    "missing": "Moderation API is not available.",
}
QUESTION, ANSWER = "What is the weather?", "It is sunny."


class Failing(KeywordClassifier):
    """Fails for the texts that it is told to fail for."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: tuple[str, ...] = ()

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        if any(word in passage.text for passage in passages for word in self.failing):
            assert self.error is not None
            raise self.error
        return [self.score(passage.text) for passage in passages]


@contextmanager
def failing(
    api: ScriptedUpstream, folder: Path, *, closed: tuple[bool, bool]
) -> Iterator[tuple[Proxy, Failing]]:
    words = [str(each).lower() for each in closed]
    policy = policy_file(folder, POLICY.format(input=words[0], output=words[1]))
    classifier = Failing()
    with proxying(api, classifier=classifier, policy=policy) as proxy:
        yield proxy, classifier


@pytest.fixture(scope="module")
def closed(
    api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Proxy, Failing]]:
    with failing(api, tmp_path_factory.mktemp("closed"), closed=(True, True)) as pair:
        yield pair


@pytest.fixture(scope="module")
def opened(
    api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Proxy, Failing]]:
    with failing(api, tmp_path_factory.mktemp("open"), closed=(False, False)) as pair:
        yield pair


STREAM = (delta("It is "), delta("sunny."), delta(None, finish="stop"), DONE)


def scripted(proxy: Proxy, *, streamed: bool) -> None:
    if streamed:
        proxy.api.streams(*STREAM)
    else:
        proxy.api.says(said(ANSWER))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.parametrize("kind", FAILURES)
def test_closed_is_mistrals_403_with_code_3201(
    closed: tuple[Proxy, Failing], kind: str, direction: str, *, streamed: bool
) -> None:
    proxy, classifier = closed
    classifier.error = FAILURES[kind]
    classifier.failing = (QUESTION,) if direction == "input" else ("It is",)
    scripted(proxy, streamed=streamed)
    answer = proxy.ask(QUESTION, stream=streamed)

    reason = REASONS.get(kind, kind)
    assert answer.status == 403
    assert answer.json() == {
        "object": "Error",
        "message": "Request blocked due to error in guardrail evaluation and block_on_error is set "
        "to True.",
        "type": "invalid_request_error",
        "code": 3201,
        "guardrails": [
            {"moderation_llm_v2": {"action": "block", "error": {"message": MESSAGES[reason]}}}
        ],
    }
    assert bool(proxy.api.requests) is (direction == "output")
    eventually(lambda: proxy.listener.exchanges)
    assert answer.header(b"x-guardproxy-verdict") == b"blocked"
    exchange = last(proxy, answer)
    assert (exchange.outcome, exchange.code) == (Outcome.BLOCKED, "guardrail_error")
    assert b"secret" not in answer.body


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.parametrize("kind", FAILURES)
def test_open_passes_with_a_mark_in_header_log_and_counter_i4(
    opened: tuple[Proxy, Failing],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    direction: str,
    *,
    streamed: bool,
) -> None:
    proxy, classifier = opened
    reason = REASONS.get(kind, kind)
    classifier.error = FAILURES[kind]
    classifier.failing = (QUESTION,) if direction == "input" else ("It is", "sunny")
    scripted(proxy, streamed=streamed)
    before = proxy.metric("guardproxy_fail_open_total", direction=direction, reason=reason)
    with caplog.at_level(logging.WARNING, "guardproxy.access"):
        answer = proxy.ask(QUESTION, stream=streamed)
        exchange = last(proxy, answer)

    assert answer.status == 200
    assert b"".join(STREAM) == answer.body if streamed else answer.json() == said(ANSWER)
    assert answer.header(b"x-guardproxy-unjudged") == reason.encode()
    assert answer.header(b"x-guardproxy-verdict") == b"unjudged"
    assert exchange.unjudged == reason
    logged = [record for record in caplog.records if record.name == "guardproxy.access"]
    assert logged[-1].levelno == logging.WARNING
    assert isinstance(logged[-1], DataRecord)
    assert logged[-1].data["unjudged"] == reason
    after = proxy.metric("guardproxy_fail_open_total", direction=direction, reason=reason)
    assert after > before


def last(proxy: Proxy, answer: RawAnswer) -> Exchange:
    """The exchange of an answer, when it is over."""
    request_id = (answer.header(b"x-guardproxy-request-id") or b"").decode()

    def those() -> list[Exchange]:
        return [e for e in proxy.listener.exchanges if e.request_id == request_id]

    eventually(those, "the end of the exchange")
    return those()[0]


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
def test_a_failure_within_a_stream_s29(
    closed: tuple[Proxy, Failing], opened: tuple[Proxy, Failing], *, is_open: bool
) -> None:
    proxy, classifier = opened if is_open else closed
    classifier.error, classifier.failing = ClassifierOverloaded("full"), ("thunder",)
    first = delta("A long and harmless beginning, which ends here. ")
    second = delta("And then thunder.")
    left = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(first)
        assert left.wait(20)
        wire.end_stream(second, delta(None, finish="stop"), DONE)

    proxy.api.says(script)
    request = request_bytes(ask(QUESTION, stream=True))
    received = hear(proxy.url, request, b"ends here", left.set).body

    assert b"ends here" in received
    if is_open:
        assert b"thunder" in received
        assert proxy.metric("guardproxy_fail_open_total", reason="overload") > 0
    else:
        assert b"thunder" not in received
        assert b'"content_filter"' in received
        assert b"Moderation API is overloaded." in received


def test_a_judgement_that_hangs_meets_its_deadline(api: ScriptedUpstream, tmp_path: Path) -> None:
    class Hanging(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            await asyncio.Event().wait()
            return []

    api.says(said("no"))
    policy = policy_file(tmp_path, POLICY.format(input="true", output="true"))
    with proxying(api, classifier=Hanging(), policy=policy, classifier_timeout=0.05) as proxy:
        answer = proxy.ask()

    assert answer.json()["code"] == 3201
    assert "timed out" in str(answer.json()["guardrails"])
    assert not api.requests


@pytest.mark.parametrize(
    "scores",
    [[], [{}], [{"dangerous": float("nan")}], [{"dangerous": 7.0}]],
    ids=["none", "empty", "nan", "seven"],
)
def test_scores_that_are_none_are_a_failure_and_not_a_pass_x1(
    api: ScriptedUpstream, tmp_path: Path, scores: list[Scores]
) -> None:
    class Broken(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            return scores

    api.says(said("no"))
    policy = policy_file(tmp_path, POLICY.format(input="true", output="true"))
    with proxying(api, classifier=Broken(), policy=policy) as proxy:
        assert proxy.ask().json()["code"] == 3201
    assert not api.requests


def test_a_full_queue_of_the_embedded_model_is_overload(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    api.says(said(ANSWER))
    policy = policy_file(tmp_path, POLICY.format(input="true", output="true"))
    many = "\n".join(f"An honest sentence, and its number is {n}. " * 30 for n in range(40))
    with proxying(
        api,
        embedded=True,
        policy=policy,
        classifier_timeout=0.01,
        classifier_queue=1,
        classifier_threads=1,
    ) as proxy:
        answer = proxy.ask(many)

    assert answer.json()["code"] == 3201


# ---- what cannot be read ----------------------------------------------------------------------

PARTS = {
    "image": {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
    "audio": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "file": {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
}
UNREAD = "guardproxy_forwarded_unscanned_bytes_total"


@pytest.fixture(scope="module", params=["block", "flag", "allow"])
def unreading(
    request: pytest.FixtureRequest, api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Proxy]]:
    what = str(request.param)
    policy = policy_file(
        tmp_path_factory.mktemp(what),
        POLICY.format(input="true", output="true")
        + f"unscannable: {{image: {what}, audio: {what}, file: {what}}}\n",
    )
    with proxying(api, policy=policy) as proxy:
        yield what, proxy


@pytest.mark.parametrize("kind", PARTS)
def test_what_cannot_be_read_is_blocked_flagged_or_allowed_and_counted(
    unreading: tuple[str, Proxy], kind: str
) -> None:
    what, proxy = unreading
    proxy.api.says(said(ANSWER))
    body = ask(messages=[{"role": "user", "content": [PARTS[kind]]}])
    before = proxy.metric(UNREAD)
    answer = post(proxy.url, body)
    exchange = last(proxy, answer)

    if what == "block":
        assert answer.status == 403
        assert answer.json()["error"]["code"] == "unscannable"
        assert answer.json()["guardrails"]["results"]["unscannable"]["kinds"] == [kind]
        assert not proxy.api.requests
        assert proxy.metric(UNREAD) == before == 0
        return
    assert answer.status == 200
    assert proxy.api.last.body == body
    verdict = b"flagged" if what == "flag" else b"passed"
    assert answer.header(b"x-guardproxy-verdict") == verdict
    assert exchange.unscanned_bytes > 0
    assert proxy.metric(UNREAD) == before + exchange.unscanned_bytes


def test_the_default_policy_flags_images_and_blocks_the_rest(proxy: Proxy) -> None:
    statuses = {}
    for kind, part in PARTS.items():
        proxy.api.says(said(ANSWER))
        body = ask(messages=[{"role": "user", "content": [part]}])
        statuses[kind] = post(proxy.url, body).status

    assert statuses == {"image": 200, "audio": 403, "file": 403}


# ---- the upstream -----------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_compressed_answer_is_a_502_c8(proxy: Proxy, *, streamed: bool) -> None:
    kind = "text/event-stream" if streamed else "application/json"
    coded = gzip.compress(b"".join(STREAM))
    proxy.api.says(
        lambda _, wire: wire.answer(coded, 200, [("Content-Encoding", "gzip")], content_type=kind)
    )
    answer = proxy.ask(stream=streamed)

    assert (answer.status, answer.json()["error"]["type"]) == (502, "upstream_error")


def test_an_upstream_that_says_nothing_is_a_504(api: ScriptedUpstream) -> None:
    api.says(lambda _, wire: wire.gone())
    with proxying(api, request_timeout=0.2) as proxy:
        assert proxy.ask().status == 504


def test_a_stream_that_breaks_off_does_not_look_complete_s28(proxy: Proxy) -> None:
    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("A long and harmless beginning, which ends here. "))
        wire.reset()

    proxy.api.says(script)
    answer = proxy.ask(stream=True)

    if answer.status == 200:
        assert DONE not in answer.body
        assert b'"error"' in answer.body
    else:
        assert answer.status == 502


def test_a_caller_who_leaves_closes_the_upstream_x16(proxy: Proxy) -> None:
    gone: list[bool] = []

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("A long and harmless beginning, which ends here. "))
        gone.append(wire.gone())

    proxy.api.says(script)
    with connect(proxy.url) as connection:
        connection.sendall(request_bytes(ask(stream=True)))
        assert connection.recv(100)
    eventually(lambda: gone == [True], "the upstream's connection was closed")
    eventually(lambda: proxy.listener.exchanges[-1].outcome is Outcome.CLIENT_GONE)


def test_nothing_went_unread_in_a_run_that_fails_closed_i2(closed: tuple[Proxy, Failing]) -> None:
    """Runs last in this file."""
    proxy, _ = closed

    assert proxy.metric(UNREAD) == 0
    assert proxy.metric("guardproxy_fail_open_total") == 0
