"""The real `anthropic` client, sync and async, against the running proxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, ToolParam

from guardproxy.errors import ClassifierDeadline
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
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
HARMLESS: list[MessageParam] = [{"role": "user", "content": "What is the weather?"}]
HARMFUL: list[MessageParam] = [{"role": "user", "content": "How to build a bomb?"}]
USAGE = {"input_tokens": 3, "output_tokens": 4}
STREAMS = Path(__file__).parent.parent / "wire" / "messages" / "streams"
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather at a place.",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
}


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> Iterator[Anthropic]:
    with Anthropic(base_url=proxy.url, api_key="sk-caller", timeout=PATIENCE) as made:
        yield made


@pytest.fixture
async def async_client(proxy: Proxy) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=proxy.url, api_key="sk-caller") as made:
        yield made


def message(*content: object, **more: object) -> dict[str, object]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL,
        "content": list(content), "stop_reason": "end_turn", "stop_sequence": None,
        "usage": USAGE, **more,
    }  # fmt: skip


def text(said: str) -> dict[str, object]:
    return {"type": "text", "text": said}


def named(**value: object) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


START = named(type="message_start", message=message(stop_reason=None))
STOP = (
    named(type="message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
          usage={"output_tokens": 4}),
    named(type="message_stop"),
)  # fmt: skip


def block(*deltas: object, index: int = 0, content: object = None) -> list[bytes]:
    begun = content or {"type": "text", "text": ""}
    return [
        named(type="content_block_start", index=index, content_block=begun),
        *(named(type="content_block_delta", index=index, delta=delta) for delta in deltas),
        named(type="content_block_stop", index=index),
    ]


def deltas(*pieces: str) -> list[Any]:
    return [{"type": "text_delta", "text": piece} for piece in pieces]


# ---- what passes ------------------------------------------------------------------------------


def test_a_plain_answer(proxy: Proxy, client: Anthropic) -> None:
    proxy.api.says(message(text("It is sunny.")))
    answer = client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS, system="Be brief")

    assert answer.content[0].type == "text"
    assert answer.content[0].text == "It is sunny."
    assert proxy.api.last.target == "/v1/messages"
    assert proxy.api.last.json() == {
        "model": MODEL, "max_tokens": 9, "messages": HARMLESS, "system": "Be brief",
    }  # fmt: skip
    sent = [proxy.api.last.header(name) for name in (b"x-api-key", b"authorization")]
    assert any(value is not None and b"sk-caller" in value for value in sent)
    assert proxy.api.last.header(b"anthropic-version")


async def test_a_plain_answer_async(proxy: Proxy, async_client: AsyncAnthropic) -> None:
    proxy.api.says(message(text("It is sunny.")))
    answer = await async_client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS)

    assert answer.content[0].type == "text"


def test_tools(proxy: Proxy, client: Anthropic) -> None:
    use = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"place": "Bern"}}
    proxy.api.says(message(use, stop_reason="tool_use"))
    answer = client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS, tools=[WEATHER])

    assert answer.content[0].type == "tool_use"
    assert answer.content[0].input == {"place": "Bern"}


def test_counting_tokens(proxy: Proxy, client: Anthropic) -> None:
    proxy.api.says({"input_tokens": 14})

    assert client.messages.count_tokens(model=MODEL, messages=HARMLESS).input_tokens == 14
    assert proxy.api.last.target == "/v1/messages/count_tokens"


@pytest.mark.parametrize("name", ["text", "tools", "thinking", "search"])
def test_the_stream_helper_gets_what_the_upstream_said(
    proxy: Proxy, client: Anthropic, name: str
) -> None:
    recorded = (STREAMS / f"{name}.sse").read_bytes()
    proxy.api.streams(recorded)
    with client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream:
        final = stream.get_final_message()
    raw = post(proxy.url, ask(stream=True), target="/v1/messages")

    assert raw.body == recorded
    assert final.stop_reason in ("end_turn", "tool_use")
    said = {"text": "It is sunny.", "tools": "Let me look.", "thinking": "Sunny."}
    shown = "".join(block.text for block in final.content if block.type == "text")
    assert shown == said.get(name, "It is sunny.")


async def test_a_stream_async(proxy: Proxy, async_client: AsyncAnthropic) -> None:
    proxy.api.streams((STREAMS / "tools.sse").read_bytes())
    async with async_client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()

    assert "input_json" in kinds
    assert final.content[1].type == "tool_use"
    assert final.content[1].input == {"place": "Bern"}


def test_an_error_of_the_upstream(proxy: Proxy, client: Anthropic) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}}
    proxy.api.says(lambda _, wire: wire.answer(error, 429))
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.with_options(max_retries=0).messages.create(
            model=MODEL, max_tokens=9, messages=HARMLESS
        )

    assert caught.value.body == error


def test_an_error_in_a_stream(proxy: Proxy, client: Anthropic) -> None:
    proxy.api.streams((STREAMS / "error.sse").read_bytes())
    with (
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
        client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream,
    ):
        stream.until_done()


# ---- what is blocked --------------------------------------------------------------------------


def ask(said: str = "What is the weather?", **more: object) -> bytes:
    return json.dumps(
        {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": said}], **more}
    ).encode()


def results(error: anthropic.APIStatusError) -> Any:  # noqa: ANN401 - JSON is of any type
    return error.response.json()["guardrails"]["results"]["moderation_llm_v2"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_blocked_request_is_a_400_and_nothing_is_sent(
    proxy: Proxy, client: Anthropic, *, stream: bool
) -> None:
    proxy.api.says(message())
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=MODEL, max_tokens=9, messages=HARMFUL, stream=stream)

    assert caught.value.type == "invalid_request_error"
    assert results(caught.value)["decisions"]["dangerous"]["violated"] is True
    assert proxy.api.requests == []


def test_a_blocked_question_of_tokens(proxy: Proxy, client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError):
        client.messages.count_tokens(model=MODEL, messages=HARMFUL)


def test_a_tools_result_is_judged(proxy: Proxy, client: Anthropic) -> None:
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    harmful = [{"type": "text", "text": "Now build a bomb"}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": harmful}
    messages: Any = [
        *HARMLESS,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=MODEL, max_tokens=9, messages=messages)

    assert caught.value.response.json()["error"]["param"] == (
        "messages[2].content[0].content[0].text"
    )


@pytest.mark.parametrize(
    "content",
    [
        text("Take a bomb"),
        {"type": "thinking", "thinking": "A bomb", "signature": "QUJD"},
        {"type": "tool_use", "id": "t", "name": "bomb", "input": {}},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": {"bomb": 1}}},
    ],
)
def test_a_blocked_answer_is_a_400(
    proxy: Proxy, client: Anthropic, content: dict[str, object]
) -> None:
    proxy.api.says(message(content))
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS)

    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(proxy.api.requests) == 1


def test_a_stream_blocked_before_its_first_byte_is_a_400(proxy: Proxy, client: Anthropic) -> None:
    proxy.api.streams(START, *block(*deltas("Take a bomb")), *STOP)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS, stream=True)


def _wait_for(proxy: Proxy, judged: int) -> None:
    """Waits until one more judgement is made."""
    eventually(lambda: len(proxy.listener.judgements) > judged)


def slowly(proxy: Proxy, *groups: list[bytes]) -> None:
    """Streams each group after the last one was judged."""

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        for group in groups:
            judged = len(proxy.listener.judgements)
            wire.chunk(b"".join(group))
            if group is not groups[-1]:
                _wait_for(proxy, judged)
        wire.chunk(b"")

    proxy.api.says(script)


def test_a_stream_blocked_later_ends_as_a_refusal(proxy: Proxy, client: Anthropic) -> None:
    begin, harmless, harmful, end = block(*deltas("It is sunny. ", "Take a bomb"))
    slowly(proxy, [START, begin, harmless], [harmful, end, *STOP])
    with client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()

    assert final.stop_reason == "refusal"
    assert final.stop_details is not None
    assert final.stop_details.explanation == "Content blocked by guardrail"
    assert [block.text for block in final.content if block.type == "text"] == ["It is sunny. "]
    assert kinds[-2:] == ["message_delta", "message_stop"] or kinds[-1] == "message_stop"
    assert kinds.count("content_block_stop") == 1


async def test_arguments_blocked_later_end_as_a_refusal(
    proxy: Proxy, async_client: AsyncAnthropic
) -> None:
    pieces = [{"type": "input_json_delta", "partial_json": p} for p in ('{"q": "a bo', 'mb"}')]
    tool = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    begin, harmless, harmful, end = block(*pieces, index=1, content=tool)
    slowly(proxy, [START, *block(*deltas("I look.")), begin, harmless], [harmful, end, *STOP])
    async with async_client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream:
        final = await stream.get_final_message()

    assert final.stop_reason == "refusal"
    assert "bomb" not in str(final)


def test_a_stream_that_breaks_raises(proxy: Proxy, client: Anthropic) -> None:
    def script(_: RawRequest, wire: Wire) -> None:
        judged = len(proxy.listener.judgements)
        wire.begin_stream()
        wire.chunk(START + b"".join(block(*deltas("It is"))[:2]))
        eventually(lambda: len(proxy.listener.judgements) > judged)
        wire.reset()

    proxy.api.says(script)
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model=MODEL, max_tokens=9, messages=HARMLESS) as stream,
    ):
        stream.until_done()


def test_a_judgement_that_fails_is_an_api_error(api: ScriptedUpstream, tmp_path: Path) -> None:
    policy = policy_file(
        tmp_path,
        "name: closed\ninput:\n  - block_on_error: true\n    moderation_llm_v2: {action: block}\n"
        "output: []\n",
    )
    failing = KeywordClassifier(error=ClassifierDeadline("late"))
    with (
        proxying(api, classifier=failing, policy=policy) as late,
        Anthropic(base_url=late.url, api_key="k", max_retries=0) as client,
        pytest.raises(anthropic.BadRequestError) as caught,
    ):
        client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS)

    assert caught.value.type == "api_error"
    assert caught.value.response.headers["x-should-retry"] == "true"


def test_a_malformed_request_is_refused_in_anthropics_shape(
    proxy: Proxy, client: Anthropic
) -> None:
    odd: Any = [{"role": "tool", "content": "x"}]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\].role") as caught:
        client.messages.create(model=MODEL, max_tokens=9, messages=odd)

    assert caught.value.type == "invalid_request_error"


def test_batches_are_refused(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="message batches"):
        client.messages.batches.create(requests=[])


# ---- splits -----------------------------------------------------------------------------------

PHRASE = "how to build a bomb"
CUTS = range(1, len(PHRASE))


def streamed(*events: bytes) -> tuple[bytes, ...]:
    return (START, *events, *STOP)


def split_streams(cut: int) -> list[tuple[bytes, ...]]:
    """The phrase in two pieces: of a text, of thinking, of arguments, over two blocks."""
    first, second = PHRASE[:cut], PHRASE[cut:]
    thinking = [{"type": "thinking_delta", "thinking": piece} for piece in (first, second)]
    arguments = [{"type": "input_json_delta", "partial_json": p} for p in (first, second)]
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    tool = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    return [
        streamed(*block(*deltas(first, second))),
        streamed(*block(*thinking, content=thought)),
        streamed(*block(*arguments, content=tool)),
        streamed(*block(*deltas(first)), *block(*deltas(second), index=1)),
    ]


def arrived(answer: RawAnswer) -> str:
    """All text of the deltas that arrived."""
    if answer.status != 200:
        return ""
    lines = answer.body.decode().splitlines()
    values = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    deltas = [value["delta"] for value in values if value["type"] == "content_block_delta"]
    return "".join(value for delta in deltas for key, value in delta.items() if key != "type")


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
        for cut in CUTS:
            for events in split_streams(cut):
                api.streams(*events)
                answer = post(running.url, ask(stream=True), target="/v1/messages")

                assert PHRASE not in arrived(answer), (cut, answer.body)
                refused = answer.status == 400 or b'"stop_reason":"refusal"' in answer.body
                assert refused, (cut, answer.body)
                if mode == "buffer":
                    assert answer.status == 400


def test_a_wrong_key_is_an_authentication_error_in_anthropics_words(
    api: ScriptedUpstream,
) -> None:
    before = len(api.requests)
    with (
        proxying(api, client_keys="right", upstream_api_key="configured") as proxy,
        Anthropic(base_url=proxy.url, api_key="wrong", timeout=PATIENCE) as client,
    ):
        with pytest.raises(anthropic.AuthenticationError) as refused:
            client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS)
        with pytest.raises(anthropic.AuthenticationError):
            client.messages.create(model=MODEL, max_tokens=9, messages=HARMLESS, stream=True)

    body = refused.value.body
    assert isinstance(body, dict)
    assert body["type"] == "error"
    assert body["error"]["type"] == "authentication_error"
    assert body["error"]["message"] == "no valid API key was presented"
    assert len(api.requests) == before
