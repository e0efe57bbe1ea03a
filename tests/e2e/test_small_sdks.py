"""Real clients of the smaller routes: `openai` (also for Azure) and `mistralai`."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import openai
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from openai import AzureOpenAI, OpenAI

from tests.e2e.conftest import Proxy
from tests.servers import (
    DONE,
    PATIENCE,
    RawRequest,
    Script,
    Wire,
    delta,
    event,
    post,
    said,
)

MODEL = "example"
HARMLESS: list[Any] = [{"role": "user", "content": "What is the weather?"}]
HARMFUL: list[Any] = [{"role": "user", "content": "How to build a bomb?"}]
PRIVATE = "My passport is X1234567."
GUARDRAILS: list[Any] = [
    {
        "block_on_error": True,
        "moderation_llm_v2": {"custom_category_thresholds": {"pii": 0.3}, "action": "block"},
    }
]
RECORDED = Path(__file__).parent.parent / "wire"


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-caller") as made:
        yield made


@pytest.fixture(scope="module")
def azure(proxy: Proxy) -> Iterator[AzureOpenAI]:
    with AzureOpenAI(
        azure_endpoint=proxy.url, api_key="azure-key", api_version="2024-10-21"
    ) as made:
        yield made


@pytest.fixture(scope="module")
def mistral(proxy: Proxy) -> Iterator[Mistral]:
    with Mistral(server_url=proxy.url, api_key="caller-key") as made:
        yield made


def held(first: bytes, rest: tuple[bytes, ...]) -> tuple[Script, Event]:
    """A stream whose rest waits until the client has its beginning."""
    heard = Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(first)
        heard.wait(PATIENCE)
        wire.end_stream(*rest)

    return script, heard


# ---- legacy completions -----------------------------------------------------------------------


def completion(text: str, finish: str | None = "stop") -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": MODEL,
        "choices": [choice],
    }  # fmt: skip


def test_completions_pass(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(completion("It is sunny."))
    answer = client.completions.create(model=MODEL, prompt=["What is", "the weather?"], echo=True)

    assert answer.choices[0].text == "It is sunny."
    assert proxy.api.last.json() == {
        "model": MODEL,
        "prompt": ["What is", "the weather?"],
        "echo": True,
    }

    proxy.api.streams(event(completion("It is", None)), event(completion(" sunny.")), DONE)
    chunks = list(client.completions.create(model=MODEL, prompt="What is", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "It is sunny."


def test_completions_are_refused(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(b"{}")
    for prompt, suffix in (("How to build a bomb?", None), ("how to build a bo", "mb")):
        with pytest.raises(openai.PermissionDeniedError) as blocked:
            client.completions.create(model=MODEL, prompt=prompt, suffix=suffix)
        assert blocked.value.code == "dangerous"
    with pytest.raises(openai.BadRequestError, match="token numbers"):
        client.completions.create(model=MODEL, prompt=[1, 2, 3])
    assert not proxy.api.requests

    proxy.api.says(completion("Take a bomb."))
    with pytest.raises(openai.PermissionDeniedError):
        client.completions.create(model=MODEL, prompt="What is")


def test_a_stream_of_completions_is_cut(proxy: Proxy, client: OpenAI) -> None:
    rest = tuple(event(completion(text, None)) for text in ("bo", "mb"))
    script, heard = held(event(completion("It is sunny. ", None)), (*rest, DONE))
    proxy.api.says(script)
    chunks = []
    for chunk in client.completions.create(model=MODEL, prompt="What is", stream=True):
        chunks.append(chunk)
        heard.set()

    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "guardrails" in (chunks[-1].model_extra or {})
    assert "bomb" not in "".join(chunk.choices[0].text for chunk in chunks)


# ---- embeddings -------------------------------------------------------------------------------


def test_embeddings_pass_as_floats_and_as_base64(proxy: Proxy, client: OpenAI) -> None:
    coded = base64.b64encode(struct.pack("<3f", 1.0, 2.0, 0.5)).decode()
    vector: Any
    for vector in ([1.0, 2.0, 0.5], coded):
        entry = {"object": "embedding", "index": 0, "embedding": vector}
        proxy.api.says({"object": "list", "data": [entry], "model": MODEL, "usage": {}})
        answer = client.embeddings.create(model=MODEL, input=["What is", "the weather?"])

        assert answer.data[0].embedding == [1.0, 2.0, 0.5]
    assert proxy.api.last.json()["encoding_format"] == "base64"


def test_embeddings_are_refused(proxy: Proxy, client: OpenAI) -> None:
    proxy.api.says(b"{}")
    with pytest.raises(openai.PermissionDeniedError) as blocked:
        client.embeddings.create(model=MODEL, input=["Hello", "How to build a bomb?"])
    assert blocked.value.param == "input[1]"
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=MODEL, input=[[1, 2, 3]])
    assert not proxy.api.requests


def test_eight_megabytes_of_vectors_pass_as_they_came(proxy: Proxy) -> None:
    entry = {"object": "embedding", "index": 0, "embedding": [-0.0123456789] * 1_536}
    body = json.dumps({"object": "list", "data": [entry] * 350, "model": MODEL}).encode()
    proxy.api.says(body)
    asked = json.dumps({"model": MODEL, "input": "Hello"}).encode()
    answer = post(proxy.url, asked, target="/v1/embeddings")

    assert 7_500_000 < len(body) < 8 * 1024 * 1024
    assert (answer.status, answer.body) == (200, body)


# ---- Azure ------------------------------------------------------------------------------------


def test_azure_passes(proxy: Proxy, azure: AzureOpenAI) -> None:
    proxy.api.says(said("It is sunny."))
    answer = azure.chat.completions.create(model="gpt-4o", messages=HARMLESS)

    assert answer.choices[0].message.content == "It is sunny."
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    assert proxy.api.last.target == path
    assert proxy.api.last.header(b"api-key") == b"azure-key"


def test_azures_own_stream_passes(proxy: Proxy, azure: AzureOpenAI) -> None:
    recorded = (RECORDED / "chat_completions" / "streams" / "azure.sse").read_bytes()
    proxy.api.streams(recorded)
    chunks = list(azure.chat.completions.create(model="gpt-4o", messages=HARMLESS, stream=True))

    assert chunks[0].choices == []
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_azure_is_refused(proxy: Proxy, azure: AzureOpenAI) -> None:
    proxy.api.says(b"{}")
    with pytest.raises(openai.PermissionDeniedError) as blocked:
        azure.chat.completions.create(model="gpt-4o", messages=HARMFUL)
    assert blocked.value.code == "dangerous"
    assert blocked.value.response.json()["guardrails"]["results"]
    with pytest.raises(openai.PermissionDeniedError):
        azure.embeddings.create(model="ada", input="How to build a bomb?")
    with pytest.raises(openai.PermissionDeniedError):
        azure.completions.create(model="instruct", prompt="How to build a bomb?")
    assert not proxy.api.requests


def test_azures_stream_is_cut(proxy: Proxy, azure: AzureOpenAI) -> None:
    script, heard = held(delta("It is sunny. "), (delta("bo"), delta("mb"), DONE))
    proxy.api.says(script)
    chunks = []
    for chunk in azure.chat.completions.create(model="gpt-4o", messages=HARMLESS, stream=True):
        chunks.append(chunk)
        heard.set()

    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "bomb" not in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


# ---- Mistral ----------------------------------------------------------------------------------


def test_fim_passes_and_is_refused(proxy: Proxy, mistral: Mistral) -> None:
    proxy.api.says(said("    return a + b\n"))
    answer = mistral.fim.complete(model="codestral-latest", prompt="def add(a, b):", suffix="\n\n")
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "    return a + b\n"
    assert proxy.api.last.target == "/v1/fim/completions"

    proxy.api.streams(delta("return "), delta("a", finish="stop"), DONE)
    with mistral.fim.stream(model="codestral-latest", prompt="def add(a, b):") as stream:
        assert [chunk.data.choices[0].delta.content for chunk in stream] == ["return ", "a"]

    proxy.api.says(said("# how to build a bomb"))
    with pytest.raises(SDKError) as blocked:
        mistral.fim.complete(model="codestral-latest", prompt="def add(a, b):")
    assert blocked.value.status_code == 403
    proxy.api.says(b"{}")
    with pytest.raises(SDKError):
        mistral.fim.complete(model="codestral-latest", prompt="# how to build a bo", suffix="mb")
    assert not proxy.api.requests


def test_agents_pass_and_are_refused(proxy: Proxy, mistral: Mistral) -> None:
    proxy.api.says(said("It is sunny."))
    answer = mistral.agents.complete(agent_id="ag_1", messages=HARMLESS, guardrails=GUARDRAILS)
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "It is sunny."
    assert "guardrails" not in proxy.api.last.json()

    proxy.api.says(b"{}")
    private: list[Any] = [{"role": "user", "content": PRIVATE}]
    for messages, guardrails in ((HARMFUL, None), (private, GUARDRAILS)):
        with pytest.raises(SDKError) as blocked:
            mistral.agents.complete(agent_id="ag_1", messages=messages, guardrails=guardrails)
        assert blocked.value.status_code == 403
    assert not proxy.api.requests


def answered(text: str) -> dict[str, Any]:
    output = {"object": "entry", "type": "message.output", "role": "assistant", "content": text}
    return {
        "object": "conversation.response", "conversation_id": "conv_1", "outputs": [output],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }  # fmt: skip


def test_conversations_pass(proxy: Proxy, mistral: Mistral) -> None:
    conversations = mistral.beta.conversations
    proxy.api.says(answered("It is sunny."))
    started = conversations.start(inputs="What is the weather?", model=MODEL, guardrails=GUARDRAILS)
    assert started.outputs[0].content == "It is sunny."  # type: ignore[union-attr] # a message
    assert "guardrails" not in proxy.api.last.json()

    results: list[Any] = [{"type": "function.result", "tool_call_id": "c1", "result": "sunny"}]
    appended = conversations.append(conversation_id="conv_1", inputs=results)
    assert appended.conversation_id == "conv_1"
    assert proxy.api.last.target == "/v1/conversations/conv_1"

    conversations.restart(conversation_id="conv_1", from_entry_id="msg_1", inputs="And then?")
    assert proxy.api.last.target == "/v1/conversations/conv_1/restart"


def test_conversations_are_refused(proxy: Proxy, mistral: Mistral) -> None:
    conversations, harm = mistral.beta.conversations, "How to build a bomb?"
    proxy.api.says(b"{}")
    asks: tuple[Callable[[], object], ...] = (
        lambda: conversations.start(inputs=harm, model=MODEL),
        lambda: conversations.start(inputs=PRIVATE, model=MODEL, guardrails=GUARDRAILS),
        lambda: conversations.start(inputs="Hello", model=MODEL, instructions=harm),
        lambda: conversations.append(conversation_id="conv_1", inputs=harm),
        lambda: conversations.restart(
            conversation_id="conv_1", from_entry_id="m", inputs=PRIVATE, guardrails=GUARDRAILS
        ),
    )
    for ask in asks:
        with pytest.raises(SDKError) as blocked:
            ask()
        assert blocked.value.status_code == 403
    assert not proxy.api.requests

    proxy.api.says(answered("Take a bomb."))
    with pytest.raises(SDKError):
        conversations.append(conversation_id="conv_1", inputs="Hello")


def test_what_is_appended_takes_no_guardrails(proxy: Proxy) -> None:
    body = json.dumps({"inputs": "Hello", "guardrails": GUARDRAILS}).encode()
    answer = post(proxy.url, body, target="/v1/conversations/conv_1")

    assert answer.status == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "guardrails"]


def named(kind: str, **more: object) -> bytes:
    value = {"type": kind, "created_at": "2025-05-27T13:00:01Z", **more}
    return f"event: {kind}\n".encode() + event(value)


def part(text: str) -> bytes:
    return named(
        "message.output.delta", id="m1", content=text, role="assistant", output_index=0
    )  # fmt: skip


STARTED = named("conversation.response.started", conversation_id="conv_1")
FINISHED = named(
    "conversation.response.done",
    usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
)


def test_a_streamed_conversation_passes(proxy: Proxy, mistral: Mistral) -> None:
    proxy.api.streams(STARTED, part("It is"), part(" sunny."), FINISHED)
    with mistral.beta.conversations.start_stream(inputs="Hello", model=MODEL) as stream:
        events = [each.data for each in stream]

    assert [each.type for each in events][0::3] == [
        "conversation.response.started",
        "conversation.response.done",
    ]
    assert proxy.api.last.json()["stream"] is True


def test_a_streamed_conversation_is_cut(proxy: Proxy, mistral: Mistral) -> None:
    script, heard = held(STARTED + part("It is sunny. "), (part("bo"), part("mb"), FINISHED))
    proxy.api.says(script)
    events: list[Any] = []
    append = mistral.beta.conversations.append_stream
    with append(conversation_id="conv_1", inputs="Hello") as stream:
        for each in stream:
            events.append(each.data)
            heard.set()

    assert [each.type for each in events[:2]] == [
        "conversation.response.started",
        "message.output.delta",
    ]
    assert events[-1].type == "conversation.response.error"
    assert (events[-1].message, events[-1].code) == ("Content blocked by guardrail", 403)
    # Its beginning may have left before its end came and showed what it is.
    said = "".join(getattr(each, "content", "") for each in events)
    assert said.startswith("It is sunny. ")
    assert "bomb" not in said


def test_a_streamed_conversation_is_refused(proxy: Proxy, mistral: Mistral) -> None:
    proxy.api.says(b"{}")
    with pytest.raises(SDKError) as blocked:
        mistral.beta.conversations.start_stream(inputs="How to build a bomb?", model=MODEL)
    assert blocked.value.status_code == 403
    assert not proxy.api.requests
