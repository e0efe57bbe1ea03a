from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from guardproxy.demo.upstream import ANSWERS, OTHERWISE, answer_to, example_upstream

PATH = "/v1/chat/completions"


def ask(content: object, **more: object) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


@pytest.fixture
def app() -> Starlette:
    return example_upstream(pause=0)


@pytest.fixture
def client(app: Starlette) -> TestClient:
    return TestClient(app)


@pytest.mark.parametrize("word", ANSWERS)
def test_each_question_has_its_answer(word: str) -> None:
    question = f"Please: {word.upper()}?"

    assert answer_to([{"role": "user", "content": question}]) == ANSWERS[word]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        None,
        ["text"],
        [{"role": "assistant", "content": "cactus"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [3, {"type": "image_url"}]}],
    ],
)
def test_what_it_does_not_know_gets_a_hint(messages: object) -> None:
    assert answer_to(messages) == OTHERWISE


def test_the_last_user_message_counts_and_may_have_parts() -> None:
    messages = [
        {"role": "user", "content": "baker"},
        {"role": "user", "content": [{"type": "text", "text": "a cactus"}]},
        {"role": "assistant", "content": "baker"},
    ]

    assert answer_to(messages) == ANSWERS["cactus"]


def test_an_answer_is_a_completion_with_every_choice_and_usage(
    app: Starlette, client: TestClient
) -> None:
    body = client.post(PATH, json=ask("hello", n=2)).json()

    assert body["object"] == "chat.completion"
    assert [c["message"]["content"] for c in body["choices"]] == [ANSWERS["hello"]] * 2
    assert body["usage"]["total_tokens"] == sum(
        body["usage"][part] for part in ("prompt_tokens", "completion_tokens")
    )
    assert app.state.questions == 1


def chunks_of(text: str) -> list[dict[str, Any]]:
    events = text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_says_the_same_word_by_word(client: TestClient, wants_usage: bool) -> None:
    options = {"stream": True, "stream_options": {"include_usage": wants_usage}}
    chunks = chunks_of(client.post(PATH, json=ask("cactus", **options)).text)
    said = [choice for chunk in chunks for choice in chunk["choices"]]

    assert "".join(choice["delta"].get("content", "") for choice in said) == ANSWERS["cactus"]
    assert said[-1]["finish_reason"] == "stop"
    assert ("usage" in chunks[-1]) is wants_usage


def test_models_are_listed(client: TestClient) -> None:
    listed = client.get("/v1/models").json()

    assert [model["id"] for model in listed["data"]] == ["example-1"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"messages": [], "n": "x"}'])
def test_what_is_no_request_is_refused(client: TestClient, body: bytes) -> None:
    response = client.post(PATH, content=body)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_another_route_is_refused_in_openai_form(client: TestClient) -> None:
    response = client.post("/v1/embeddings", json={})

    assert response.status_code == 404
    assert "message" in response.json()["error"]
