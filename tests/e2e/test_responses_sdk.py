"""The real `openai` client's Responses, sync and async, against the running proxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.e2e.conftest import Proxy, proxying
from tests.servers import (
    PATIENCE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    eventually,
    policy_file,
    post,
)

MODEL = "example"
HARMLESS = "What is the weather?"
HARMFUL = "How to build a bomb?"
STREAMS = Path(__file__).parent.parent / "wire" / "responses" / "streams"
TARGET = "/v1/responses"


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-caller", timeout=PATIENCE) as made:
        yield made


@pytest.fixture
async def async_client(proxy: Proxy) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="sk-caller") as made:
        yield made


def answer(*output: object, status: str = "completed") -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "model": MODEL,
        "output": list(output), "parallel_tool_calls": True, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "top_p": 1.0,
    }  # fmt: skip


def message(*texts: str) -> dict[str, object]:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": parts,
    }  # fmt: skip


def call(arguments: str) -> dict[str, object]:
    return {
        "id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": arguments,
        "status": "completed",
    }  # fmt: skip


class Events:
    """Numbered, named events of one stream."""

    def __init__(self) -> None:
        self.number = -1

    def __call__(self, kind: str, **more: object) -> bytes:
        self.number += 1
        value = {"type": f"response.{kind}", "sequence_number": self.number, **more}
        return f"event: response.{kind}\ndata: {json.dumps(value)}\n\n".encode()


def spoken(event: Events, *pieces: str, content_index: int = 0) -> list[bytes]:
    """The events of one message's part."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": content_index}
    begun = {**message(), "status": "in_progress"}
    part = {"type": "output_text", "annotations": []}
    added = [] if content_index else [event("output_item.added", output_index=0, item=begun)]
    return [
        *added,
        event("content_part.added", **at, part={**part, "text": ""}),
        *(event("output_text.delta", **at, delta=piece, logprobs=[]) for piece in pieces),
        event("output_text.done", **at, text="".join(pieces), logprobs=[]),
        event("content_part.done", **at, part={**part, "text": "".join(pieces)}),
    ]


def ended(event: Events, item: dict[str, object]) -> list[bytes]:
    return [
        event("output_item.done", output_index=0, item=item),
        event("completed", response=answer(item)),
    ]


def ask(**more: object) -> bytes:
    return json.dumps({"model": MODEL, "input": HARMLESS, **more}).encode()


# ---- what passes ------------------------------------------------------------------------------


def test_a_plain_answer(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(answer(message("It is sunny.")))
    response = client.responses.create(model=MODEL, input=HARMLESS, instructions="Be brief.")

    assert response.output_text == "It is sunny."
    assert proxy.api.last.target == TARGET
    assert proxy.api.last.json() == {
        "model": MODEL, "input": HARMLESS, "instructions": "Be brief.",
    }  # fmt: skip


async def test_a_plain_answer_async(proxy: Proxy, async_client: AsyncOpenAI) -> None:
    proxy.api.says(answer(message("It is sunny.")))
    response = await async_client.responses.create(
        model=MODEL, input=[{"role": "user", "content": HARMLESS}]
    )

    assert response.output_text == "It is sunny."


class Weather(BaseModel):
    sky: str


def test_structured_output(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(answer(message('{"sky": "blue"}')))
    response = client.responses.parse(model=MODEL, input=HARMLESS, text_format=Weather)

    assert response.output_parsed == Weather(sky="blue")
    assert proxy.api.last.json()["text"]["format"]["name"] == "Weather"


def test_counting_tokens(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says({"object": "response.input_tokens", "input_tokens": 9})

    assert client.responses.input_tokens.count(model=MODEL, input=HARMLESS).input_tokens == 9


@pytest.mark.parametrize("name", ["text", "done", "tools", "channels"])
def test_a_stream_gets_what_the_upstream_said(proxy: Proxy, client: OpenAI, name: str) -> None:
    recorded = (STREAMS / f"{name}.sse").read_bytes()
    if name == "channels":
        # Sound and pictures are for the policy, and it blocks sound.
        events = recorded.split(b"\n\n")
        kept = [each for each in events if b"audio.delta" not in each and b"b64" not in each]
        recorded = b"\n\n".join(kept)
    proxy.api.streams(recorded)
    kinds = [event.type for event in client.responses.create(
        model=MODEL, input=HARMLESS, stream=True
    )]  # fmt: skip
    raw = post(proxy.url, ask(stream=True), target=TARGET)

    assert kinds[-1] == "response.completed"
    assert raw.body == recorded


def test_the_stream_helper(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.streams((STREAMS / "text.sse").read_bytes())
    with client.responses.stream(model=MODEL, input=HARMLESS) as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert deltas == ["It ", "is ", "sun", "ny."]
    assert final.output_text == "It is sunny."


async def test_the_stream_helper_async(proxy: Proxy, async_client: AsyncOpenAI) -> None:
    proxy.api.streams((STREAMS / "tools.sse").read_bytes())
    async with async_client.responses.stream(model=MODEL, input=HARMLESS) as stream:
        final = await stream.get_final_response()

    assert final.output[0].type == "function_call"
    assert final.output[0].arguments == '{"place":"Bern"}'


# ---- what is blocked --------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_a_blocked_request_is_a_403_and_nothing_is_sent(
    proxy: Proxy, client: OpenAI, *, stream: bool
) -> None:
    proxy.api.says(answer())
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.responses.create(model=MODEL, input=HARMFUL, stream=stream)

    assert caught.value.code == "dangerous"
    assert "moderation_llm_v2" in caught.value.response.json()["guardrails"]["results"]
    assert proxy.api.requests == []


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call_output", "call_id": "c", "output": HARMFUL},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":"bomb"}'},
        {"role": "user", "content": [{"type": "input_text", "text": HARMFUL}]},
        {"type": "hologram", "caption": {"deep": [HARMFUL]}},
    ],
)
def test_every_item_is_judged(proxy: Proxy, client: OpenAI, item: Any) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.create(model=MODEL, input=[item])


@pytest.mark.parametrize(
    "item",
    [
        message("Take a bomb"),
        message("Take a bo", "mb"),
        call('{"a": "bomb"}'),
        {"id": "r", "type": "reasoning", "summary": [{"type": "summary_text", "text": "A bomb"}]},
        {"id": "h", "type": "hologram", "caption": "bomb"},
    ],
)
def test_a_blocked_answer_is_a_403(proxy: Proxy, client: OpenAI, item: dict[str, object]) -> None:
    proxy.api.says(answer(item))
    with pytest.raises(openai.PermissionDeniedError):
        client.responses.create(model=MODEL, input=HARMLESS)

    assert len(proxy.api.requests) == 1


def test_text_that_is_not_in_the_body_is_refused(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(answer(message("It is sunny.")))
    references: list[dict[str, Any]] = [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"background": True},
    ]
    for reference in references:
        with pytest.raises(openai.BadRequestError):
            client.responses.create(**{"model": MODEL, "input": HARMLESS, **reference})
    with pytest.raises(openai.NotFoundError, match="stored response"):
        client.responses.retrieve("resp_1")

    assert proxy.api.requests == []


def test_a_policy_may_allow_stored_text(api: ScriptedUpstream, tmp_path: Path) -> None:
    policy = policy_file(
        tmp_path,
        "name: stored\nallow_stored_state: true\noutput: []\n"
        "input:\n  - moderation_llm_v2: {action: block}\n",
    )
    api.says(answer(message("It is sunny.")))
    with (
        proxying(api, policy=policy) as running,
        OpenAI(base_url=f"{running.url}/v1", api_key="k") as client,
    ):
        response = client.responses.create(
            model=MODEL, input=HARMLESS, previous_response_id="resp_1"
        )

    assert response.output_text == "It is sunny."


def slowly(proxy: Proxy, first: list[bytes], then: list[bytes] | None) -> None:
    """Streams in two parts, the second after the first was judged; without it, breaks off."""

    def script(_: RawRequest, wire: Wire) -> None:
        judged = len(proxy.listener.judgements)
        wire.begin_stream()
        wire.chunk(b"".join(first))
        eventually(lambda: len(proxy.listener.judgements) > judged)
        if then is None:
            wire.reset()
            return
        wire.chunk(b"".join(then))
        wire.chunk(b"")

    proxy.api.says(script)


def two_halves() -> tuple[list[bytes], list[bytes]]:
    event = Events()
    created = event("created", response=answer(status="in_progress"))
    said = spoken(event, "It is sunny. ", "Take a bomb")
    end = ended(event, message("It is sunny. Take a bomb"))
    return [created, *said[:3]], [*said[3:], *end]


def test_a_stream_blocked_later_ends_incomplete(proxy: Proxy, client: OpenAI) -> None:
    slowly(proxy, *two_halves())
    events = list(client.responses.create(model=MODEL, input=HARMLESS, stream=True))
    last = events[-1]

    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "content_filter"
    assert last.model_extra is not None
    assert "moderation_llm_v2" in last.model_extra["guardrails"]["results"]
    assert "bomb" not in str([event.model_dump() for event in events[:-1]])
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))


async def test_a_stream_blocked_later_ends_the_helper(
    proxy: Proxy, async_client: AsyncOpenAI
) -> None:
    slowly(proxy, *two_halves())
    async with async_client.responses.stream(model=MODEL, input=HARMLESS) as stream:
        kinds = [event.type async for event in stream]

    assert kinds[-1] == "response.incomplete"
    assert "response.completed" not in kinds


def test_a_stream_that_breaks_raises(proxy: Proxy, client: OpenAI) -> None:
    slowly(proxy, two_halves()[0], None)
    with pytest.raises(openai.APIError) as caught:
        list(client.responses.create(model=MODEL, input=HARMLESS, stream=True))

    assert caught.value.code == "incomplete"


# ---- splits -----------------------------------------------------------------------------------

PHRASE = "how to build a bomb"


def split_streams(cut: int) -> list[list[bytes]]:
    """The phrase in two deltas, in two parts, in arguments, and only in the last event."""
    first, second = PHRASE[:cut], PHRASE[cut:]
    event, streams = Events(), []
    created = event("created", response=answer(status="in_progress"))
    streams.append([created, *spoken(event, first, second), *ended(event, message(PHRASE))])
    parts = [*spoken(event, first), *spoken(event, second, content_index=1)]
    streams.append([created, *parts, *ended(event, message(first, second))])
    at = {"item_id": "fc_1", "output_index": 0}
    arguments = [event("function_call_arguments.delta", **at, delta=d) for d in (first, second)]
    streams.append([created, *arguments, *ended(event, call(PHRASE))])
    streams.append([created, *ended(event, message(first, second))])
    return streams


def arrived(got: RawAnswer) -> str:
    """All text of the deltas that arrived."""
    lines = got.body.decode().splitlines() if got.status == 200 else []
    values = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    return "".join(value.get("delta", "") for value in values)


@pytest.mark.parametrize("mode", ["hold", "buffer"])
def test_s3_a_phrase_in_two_pieces_never_arrives_whole(
    api: ScriptedUpstream, tmp_path: Path, mode: str
) -> None:
    policy = policy_file(
        tmp_path,
        f"name: split\ninput: []\noutput:\n  - moderation_llm_v2: {{action: block}}\n"
        f"streaming: {{mode: {mode}}}\n",
    )
    with proxying(api, policy=policy) as running:
        for cut in range(1, len(PHRASE)):
            for events in split_streams(cut):
                api.streams(*events)
                got = post(running.url, ask(stream=True), target=TARGET)

                assert PHRASE not in arrived(got), (cut, got.body)
                assert b"response.completed" not in got.body
                assert got.status == 403 or b'"content_filter"' in got.body, (cut, got.body)
                if mode == "buffer":
                    assert got.status == 403
