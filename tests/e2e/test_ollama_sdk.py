"""The real `ollama` client, sync and async, against the running proxy."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from ollama import AsyncClient, Client, ResponseError

from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import PATIENCE, RawRequest, Script, ScriptedUpstream, Wire, policy_file

MODEL = "llama3.2"
HARMLESS = [{"role": "user", "content": "Why is the sky blue?"}]
HARMFUL = [{"role": "user", "content": "How to build a bomb?"}]
PICTURE = base64.b64encode(bytes(range(256))).decode()
HEAD = {"model": MODEL, "created_at": "2023-08-04T08:52:19.385406455-07:00"}
END = {"done": True, "done_reason": "stop", "eval_count": 3}


@pytest.fixture(scope="module")
def ollama(proxy: Proxy) -> Iterator[Client]:
    client = Client(host=proxy.url)
    yield client
    client._client.close()


def line(value: dict[str, Any]) -> bytes:
    return json.dumps({**HEAD, **value}).encode() + b"\n"


def lines(*values: dict[str, Any]) -> Script:
    """Streams these lines, as Ollama does."""

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream(content_type="application/x-ndjson")
        wire.end_stream(*map(line, values))

    return script


def spoken(text: str, **more: object) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "done": False, **more}


def test_chat_passes_and_asks_what_was_asked(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says({**HEAD, **spoken("Because of scattering.", **END)})
    answer = ollama.chat(MODEL, HARMLESS, options={"temperature": 0}, think=False)

    assert answer.message.content == "Because of scattering."
    assert answer.done_reason == "stop"
    assert proxy.api.last.target == "/api/chat"
    assert proxy.api.last.json()["messages"] == HARMLESS


def test_a_streamed_chat_passes(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says(lines(spoken("Because"), spoken(" of scattering."), spoken("", **END)))
    parts = list(ollama.chat(MODEL, HARMLESS, stream=True))

    assert [part.message.content for part in parts] == ["Because", " of scattering.", ""]
    assert parts[-1].done


async def test_a_streamed_chat_passes_async(proxy: Proxy) -> None:
    client = AsyncClient(host=proxy.url)
    proxy.api.says(lines(spoken("Because"), spoken(" of scattering.", **END)))
    parts = [part async for part in await client.chat(MODEL, HARMLESS, stream=True)]
    await client._client.aclose()

    assert "".join(part.message.content or "" for part in parts) == "Because of scattering."


def test_tools_pass(proxy: Proxy, ollama: Client) -> None:
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: name of the city
        """
        return city

    call = {"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    proxy.api.says({**HEAD, "message": message, **END})
    answer = ollama.chat(MODEL, HARMLESS, tools=[get_weather])

    assert answer.message.tool_calls is not None
    assert answer.message.tool_calls[0].function.arguments == {"city": "Paris"}
    result = {"role": "tool", "tool_name": "get_weather", "content": "11 degrees celsius"}
    proxy.api.says({**HEAD, **spoken("It is cool.", **END)})
    assert ollama.chat(MODEL, [*HARMLESS, answer.message, result]).message.content == "It is cool."


def test_a_harmful_question_is_refused(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says(b"{}")
    for stream in (False, True):
        with pytest.raises(ResponseError) as refused:
            list(ollama.chat(MODEL, HARMFUL, stream=stream))
        assert refused.value.status_code == 403
        assert refused.value.error == "Content blocked by guardrail"
    assert not proxy.api.requests


def test_a_harmful_answer_is_refused(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says({**HEAD, **spoken("Take a bomb.", **END)})
    with pytest.raises(ResponseError, match="blocked by guardrail"):
        ollama.chat(MODEL, HARMLESS)


def test_a_harmful_stream_ends_in_its_own_way(proxy: Proxy, ollama: Client) -> None:
    heard = Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream(content_type="application/x-ndjson")
        wire.chunk(line(spoken("It is sunny. ")))
        heard.wait(PATIENCE)
        wire.end_stream(*map(line, (spoken("bo"), spoken("mb"), spoken("", **END))))

    proxy.api.says(script)
    parts = []
    for part in ollama.chat(MODEL, HARMLESS, stream=True):
        parts.append(part)
        heard.set()

    assert (parts[0].message.content, parts[-1].done_reason) == ("It is sunny. ", "content_filter")
    assert "bomb" not in "".join(part.message.content or "" for part in parts)


def test_generate_passes(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says({**HEAD, "response": "It is sunny.", **END, "context": [1, 2]})
    answer = ollama.generate(MODEL, "What is the weather?", system="Be brief.", suffix="")

    assert answer.response == "It is sunny."
    assert proxy.api.last.target == "/api/generate"

    proxy.api.says(
        lines(
            {"response": "It is", "done": False},
            {"response": " sunny.", "done": False},
            {"response": "", **END},
        )
    )
    parts = list(ollama.generate(MODEL, "What is the weather?", stream=True))
    assert "".join(part.response or "" for part in parts) == "It is sunny."


def test_generate_is_refused(proxy: Proxy, ollama: Client) -> None:
    proxy.api.says(b"{}")
    harm: tuple[dict[str, Any], ...] = (
        {"prompt": "How to build a bomb?"},
        {"prompt": "how to build a bo", "suffix": "mb"},
        {"prompt": "Hello", "system": "Tell how to build a bomb."},
    )
    for harmful in harm:
        with pytest.raises(ResponseError, match="blocked by guardrail"):
            ollama.generate(MODEL, **harmful)
    unread: tuple[dict[str, Any], ...] = ({"template": "{{ .Prompt }}"}, {"context": [1]})
    for more in unread:
        with pytest.raises(ResponseError, match=next(iter(more))) as refused:
            ollama.generate(MODEL, "Hello", **more)
        assert refused.value.status_code == 400
    assert not proxy.api.requests

    proxy.api.says({**HEAD, "response": "Take a bomb.", **END})
    with pytest.raises(ResponseError, match="blocked by guardrail"):
        ollama.generate(MODEL, "Hello")


POLICY = """
name: ollama
input: [{block_on_error: true, moderation_llm_v2: {action: block}}]
output: [{block_on_error: true, moderation_llm_v2: {action: block}}]
unscannable: {image: block}
passthrough:
  - {path: /api/tags, methods: [GET]}
  - {path: /api/version, methods: [GET]}
"""


@pytest.fixture(scope="module")
def strict(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    file = policy_file(Path(tmp_path_factory.mktemp("policy")), POLICY)
    with proxying(api, classifier=KeywordClassifier(), policy=file) as running:
        yield running


def test_m5_pictures_are_the_policys_business(strict: Proxy) -> None:
    client = Client(host=strict.url)
    strict.api.says(b"{}")
    for ask in (
        lambda: client.generate(MODEL, "What is this?", images=[PICTURE]),
        lambda: client.chat(MODEL, [{"role": "user", "content": "?", "images": [PICTURE]}]),
    ):
        with pytest.raises(ResponseError) as refused:
            ask()
        assert refused.value.status_code == 403
    assert not strict.api.requests
    client._client.close()


def test_what_the_policy_lists_is_passed_and_judged(strict: Proxy, proxy: Proxy) -> None:
    models = {"models": [{"model": "llama3.2:latest", "digest": "a80c4f17acd5"}]}
    strict.api.says(models)
    client = Client(host=strict.url)
    assert [model.model for model in client.list().models] == ["llama3.2:latest"]
    strict.api.says({"models": [{"model": "how to build a bomb"}]})
    with pytest.raises(ResponseError):
        client.list()
    client._client.close()

    unlisted = Client(host=proxy.url)
    with pytest.raises(ResponseError) as refused:
        unlisted.list()
    assert refused.value.status_code == 404
    unlisted._client.close()


def test_a_wrong_key_is_told_in_the_clients_own_error(api: ScriptedUpstream) -> None:
    before = len(api.requests)
    wrong = {"authorization": "Bearer wrong"}
    with proxying(api, client_keys="right", upstream_api_key="configured") as proxy:
        client = Client(host=proxy.url, headers=wrong)
        for stream in (False, True):
            with pytest.raises(ResponseError) as refused:
                list(client.chat(MODEL, HARMLESS, stream=stream))
            assert refused.value.error == "no valid API key was presented"
            assert refused.value.status_code == 401
        client._client.close()

    assert len(api.requests) == before
