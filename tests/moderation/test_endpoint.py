from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.types import Message, Scope

from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
    OverloadedError,
    PolicyError,
)
from guardproxy.events import Outcome
from guardproxy.moderation.dispatch import PATHS
from guardproxy.moderation.endpoint import JUDGED_AT_ONCE, Heard, Surroundings, routes
from guardproxy.policy.config import Limits
from tests.fakes import KeywordClassifier, WordCounter
from tests.moderation.support import golden

FIRST_WORDS = {
    "/v1/moderations": {"input": "good morning"},
    "/v1/chat/moderations": {
        "model": "mistral-moderation-2603",
        "input": [{"role": "user", "content": "good morning"}],
    },
    "/v1/moderate": {"input": "good morning"},
}
"""Path -> a body that is answered."""


class Heap:
    """What `Surroundings.note` was told."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def __call__(self, scope: Scope, heard: Heard) -> None:
        self.heard.append(heard)


def client(classifier: KeywordClassifier, around: Surroundings | None = None) -> httpx.AsyncClient:
    app = Starlette(routes=routes(classifier, WordCounter(), around))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://moderation")


def test_every_path_is_tried_here() -> None:
    assert set(FIRST_WORDS) == set(PATHS)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/v1/moderations", {"input": "how to build a bomb"}, "openai_omni"),
        (
            "/v1/moderations",
            {"model": "text-moderation-latest", "input": ["how to build a bomb", "good morning"]},
            "openai_text",
        ),
        ("/v1/moderate", {"input": ["how to build a bomb", "good morning"]}, "assisters"),
        (
            "/v1/moderations",
            {"model": "llama-guard-3", "input": ["how to build a bomb", "good morning"]},
            "assisters",
        ),
        (
            "/v1/moderations",
            {"model": "mistral-moderation-2603", "input": ["how to build a bomb", "good morning"]},
            "mistral_moderation_2603",
        ),
        (
            "/v1/chat/moderations",
            {
                "model": "mistral-moderation-2603",
                "input": [
                    {"role": "user", "content": "hello"},
                    {"role": "assistant", "content": "build a bomb"},
                ],
            },
            "mistral_chat",
        ),
    ],
)
def test_the_wire_says_what_is_documented(
    keyword_url: str, path: str, body: dict[str, object], name: str
) -> None:
    response = httpx.post(keyword_url + path, json=body)

    assert response.status_code == 200
    assert response.json() == golden(name)
    assert list(response.json()) == list(golden(name))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "0" * 32
    assert int(response.headers["x-processing-time-ms"]) >= 0


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/v1/moderations", b"{", "error_openai_json"),
        ("/v1/moderations", b'{"model": "gpt-5", "input": "a"}', "error_openai_model"),
        ("/v1/moderate", b'{"input": []}', "error_assisters_empty"),
        ("/v1/moderate", b'{"content": {"type": "text"}}', "error_moderation_api"),
        ("/v1/chat/moderations", b'{"model": "mistral-moderation-2603"}', "error_mistral_422"),
        ("/v1/chat/moderations", b"[]", "error_mistral_array"),
    ],
)
def test_errors_are_in_the_vendors_words(
    keyword_url: str, path: str, body: bytes, name: str
) -> None:
    headers = {"content-type": "application/json"}
    response = httpx.post(keyword_url + path, content=body, headers=headers)

    expected = golden(name)
    assert response.status_code == expected["status"]
    assert response.json() == expected["body"]


async def test_many_inputs_are_several_questions_and_one_answer() -> None:
    classifier = KeywordClassifier()
    texts = ["good morning"] * JUDGED_AT_ONCE + ["how to build a bomb"]
    async with client(classifier) as http:
        response = await http.post("/v1/moderations", json={"input": texts})

    assert [len(passages) for passages in classifier.asked] == [JUDGED_AT_ONCE, 1]
    assert [result["flagged"] for result in response.json()["results"]] == [
        text == "how to build a bomb" for text in texts
    ]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_m3_a_sentence_cut_over_parts_is_flagged_once(keyword_url: str, size: int) -> None:
    sentence = "how to build a bomb"
    cuts = range(0, len(sentence), size)
    parts = [{"type": "text", "text": sentence[at : at + size]} for at in cuts]
    conversation = [{"role": "user", "content": parts}]
    asked = {"model": "mistral-moderation-2603", "input": [conversation, conversation]}
    openai = httpx.post(f"{keyword_url}/v1/moderations", json={"input": parts}).json()
    mistral = httpx.post(f"{keyword_url}/v1/chat/moderations", json=asked).json()

    assert [result["flagged"] for result in openai["results"]] == [True]
    assert [result["categories"]["dangerous"] for result in mistral["results"]] == [True, True]


async def test_context_goes_to_the_classifier_as_far_as_it_wants() -> None:
    turns = [{"role": "user", "content": "first"}, {"role": "user", "content": "second"}]
    body = {"model": "mistral-moderation-2603", "input": [*turns, *turns]}
    asked = {}
    for wanted in (0, 6, 1_000):
        classifier = KeywordClassifier(context_characters=wanted)
        async with client(classifier) as http:
            await http.post("/v1/chat/moderations", json=body)
        ((passage,),) = classifier.asked
        asked[wanted] = passage.context

    assert asked == {
        0: "",
        6: "first\n",
        1_000: "user: first\nuser: second\nuser: first\n",
    }


async def test_what_was_not_judged_is_marked() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    async with client(KeywordClassifier()) as http:
        marked = await http.post("/v1/moderations", json={"input": parts})
        plain = await http.post("/v1/moderations", json={"input": "look"})

    assert marked.headers["x-guardproxy-unjudged-parts"] == "1"
    assert "x-guardproxy-unjudged-parts" not in plain.headers


async def test_old_keys_are_marked_as_deprecated() -> None:
    async with client(KeywordClassifier()) as http:
        old = await http.post(
            "/v1/moderations", json={"model": "mistral-moderation-2411", "input": "a"}
        )
        new = await http.post(
            "/v1/moderations", json={"model": "mistral-moderation-2603", "input": "a"}
        )

    assert old.headers["deprecation"] == "@1774915200"
    assert old.headers["sunset"] == "Tue, 30 Jun 2026 00:00:00 GMT"
    assert "mistral-moderation-2603" in old.headers["x-guardproxy-warning"]
    assert not {"deprecation", "sunset", "x-guardproxy-warning"} & set(new.headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_post_is_answered(path: str, method: str) -> None:
    async with client(KeywordClassifier()) as http:
        response = await http.request(method, path)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_at_its_cap_is_read_and_not_one_byte_more(path: str) -> None:
    body = json.dumps(FIRST_WORDS[path]).encode()
    headers = {"content-type": "application/json"}
    around = Surroundings(limits=lambda: Limits(body_bytes=len(body)))
    async with client(KeywordClassifier(), around) as http:
        whole = await http.post(path, content=body, headers=headers)
        larger = await http.post(path, content=body + b" ", headers=headers)

    assert (whole.status_code, larger.status_code) == (200, 413)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("error", "reason", "retry", "outcome"),
    [
        (ClassifierError("x"), "error", "false", Outcome.FAILED),
        (ClassifierDeadline("x"), "deadline", "false", Outcome.FAILED),
        (ClassifierMissing("x"), "missing", "false", Outcome.FAILED),
        (ClassifierOverloaded("x"), "overload", "true", Outcome.OVERLOADED),
    ],
)
async def test_without_a_judgement_there_is_no_answer(
    path: str, error: ClassifierError, reason: str, retry: str, outcome: Outcome
) -> None:
    heap = Heap()
    async with client(KeywordClassifier(error=error), Surroundings(note=heap)) as http:
        response = await http.post(path, json=FIRST_WORDS[path])

    assert response.status_code == 503
    assert response.headers["x-should-retry"] == retry
    assert ("retry-after" in response.headers) == (retry == "true")
    assert f"classifier_{reason}" in response.text
    assert "score" not in response.text
    assert [(h.outcome, h.code) for h in heap.heard] == [(outcome, f"classifier_{reason}")]


async def test_a_score_that_is_no_probability_is_no_answer() -> None:
    nonsense = KeywordClassifier({"a": {"pii": float("nan")}})
    async with client(nonsense) as http:
        response = await http.post("/v1/moderations", json={"input": "a"})

    assert response.status_code == 503


async def test_a_full_process_says_so() -> None:
    class Full:
        def add(self, more: int) -> None:
            raise OverloadedError

    @contextmanager
    def hold() -> Iterator[Full]:
        yield Full()

    async with client(KeywordClassifier(), Surroundings(hold=hold)) as http:
        response = await http.post("/v1/moderations", json={"input": "a"})

    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "true"


async def test_every_exchange_is_noted_without_its_text() -> None:
    heap = Heap()
    body = b'{"input": "s3cret"}'
    headers = {"content-type": "application/json"}
    async with client(KeywordClassifier(), Surroundings(note=heap)) as http:
        await http.post("/v1/moderations", content=body, headers=headers)
        await http.post("/v1/moderate", content=b"{", headers=headers)

    assert heap.heard == [
        Heard("/v1/moderations", Outcome.PASSED, "", len(body)),
        Heard("/v1/moderate", Outcome.REFUSED, "invalid_json", 1),
    ]


@pytest.mark.parametrize("at", ["reading", "judging"])
async def test_a_caller_who_leaves_gets_no_judgement_finished(at: str) -> None:
    heap, gate = Heap(), asyncio.Event()
    classifier = KeywordClassifier(gate=gate)
    (route,) = [
        route
        for route in routes(classifier, WordCounter(), Surroundings(note=heap))
        if route.path == "/v1/moderations"
    ]
    body = b'{"input": "a"}'
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": at == "reading"},
        {"type": "http.request"},
        {"type": "http.disconnect"},
    ]
    if at == "reading":
        del messages[1]
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/moderations",
        "headers": [(b"content-type", b"application/json")],
    }
    await route.app(scope, receive, send)

    assert [h.outcome for h in heap.heard] == [Outcome.CLIENT_GONE]
    assert len(classifier.asked) == (at == "judging")


def test_a_classifier_without_thresholds_is_refused_at_start() -> None:
    classifier = KeywordClassifier()
    classifier.default_thresholds = {}

    with pytest.raises(PolicyError):
        routes(classifier, WordCounter())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
models = st.sampled_from(
    [
        "omni-moderation-latest",
        "text-moderation-stable",
        "llama-guard-3",
        "mistral-moderation-2411",
        "mistral-moderation-2603",
        "mistral-moderation-9",
    ]
)
messages_alike = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "developer"])},
        optional={
            "content": json_values
            | st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(
                            ["text", "image_url", "thinking", "resource", "reference", "file"]
                        )
                    },
                    optional={"text": json_values, "thinking": json_values, "content": json_values},
                )
            ),
            "tool_calls": json_values,
        },
    ),
    max_size=3,
)
bodies = json_values | st.fixed_dictionaries(
    {},
    optional={
        "model": models | json_values,
        "input": json_values | messages_alike | st.lists(messages_alike, max_size=2),
        "content": json_values,
        "metadata": json_values,
    },
)


@given(path=st.sampled_from(sorted(PATHS)), body=bodies)
async def test_no_body_is_answered_with_a_bug(path: str, body: object) -> None:
    try:
        content = json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        content = json.dumps(body).encode()
    await _ask(path, content)


@given(path=st.sampled_from(sorted(PATHS)), content=st.binary(max_size=64))
async def test_no_bytes_are_answered_with_a_bug(path: str, content: bytes) -> None:
    await _ask(path, content)


async def _ask(path: str, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    async with client(KeywordClassifier()) as http:
        response = await http.post(path, content=content, headers=headers)

    assert response.status_code in (200, 400, 422)
    if response.status_code == 422:
        assert isinstance(response.json()["detail"], list)
    else:
        assert isinstance(response.json(), dict)
