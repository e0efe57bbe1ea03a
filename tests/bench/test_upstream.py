from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator

import pytest

from guardproxy.bench.processes import Server, free_port, running
from guardproxy.bench.upstream import ANSWER_WORDS, command
from guardproxy.sse import EventDecoder


@pytest.fixture(scope="module")
def upstream() -> Iterator[Server]:
    port = free_port()
    with running("upstream", command(port), port, ready="/") as server:
        yield server


def ask(upstream: Server, model: str, prompt: str = "hello") -> tuple[str, bytes]:
    connection = http.client.HTTPConnection(upstream.url.removeprefix("http://"), timeout=20)
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    answer = connection.getresponse()
    found = answer.headers["content-type"], answer.read()
    connection.close()
    return found


def said(body: bytes) -> str:
    content = json.loads(body)["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def test_a_fixed_answer_is_always_the_same(upstream: Server) -> None:
    assert ask(upstream, "fixed") == ask(upstream, "fixed")


def test_a_new_answer_is_never_the_same(upstream: Server) -> None:
    answers = {said(ask(upstream, "new")[1]) for _ in range(20)}

    assert len(answers) == 20
    assert {len(answer.split()) for answer in answers} == {ANSWER_WORDS}


def test_a_stream_has_as_many_words_as_were_asked_for_and_they_are_timed(
    upstream: Server,
) -> None:
    begun = time.monotonic()
    kind, body = ask(upstream, "stream-3-10", "how?")
    ended = time.monotonic()
    connection = http.client.HTTPConnection(upstream.url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/sent")
    sent = json.loads(connection.getresponse().read())["how?"]
    connection.request("GET", "/sent")
    forgotten = json.loads(connection.getresponse().read())
    connection.close()
    events = [event.data or "" for event in EventDecoder(1 << 20).feed(body)]
    contents = [json.loads(data)["choices"][0]["delta"].get("content", "") for data in events[:-1]]

    assert kind == "text/event-stream"
    assert events[-1] == "[DONE]"
    assert len("".join(contents).split()) == 3
    assert begun < sent[0] < sent[1] < sent[2] < ended
    assert forgotten == {}
