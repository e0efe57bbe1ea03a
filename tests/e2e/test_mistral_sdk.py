"""The real `mistralai` client: inline guardrails of both versions, both moderation calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.models import (
    GuardrailConfig,
    ModerationLlmv1Config,
    ModerationLlmv2CategoryThresholds,
    ModerationLlmv2Config,
)

from guardproxy.errors import ClassifierOverloaded
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import DONE, ScriptedUpstream, delta, policy_file, said

MODEL = "mistral-small-latest"
HARMLESS: list[Any] = [{"role": "user", "content": "What is the weather?"}]
PRIVATE: list[Any] = [{"role": "user", "content": "My passport is X1234567."}]
V2: list[Any] = [
    {
        "block_on_error": True,
        "moderation_llm_v2": {
            "custom_category_thresholds": {"pii": 0.3},
            "ignore_other_categories": True,
            "action": "block",
        },
    }
]
V1: list[Any] = [
    {"moderation_llm_v1": {"custom_category_thresholds": {"pii": 0.3}, "action": "block"}}
]


class Watched:
    """A `mistralai` client; `last` is the answer that it read, as it came."""

    def __init__(self, url: str) -> None:
        self.answers: list[httpx.Response] = []
        self._http = httpx.Client(event_hooks={"response": [self.answers.append]})
        self.client = Mistral(server_url=url, api_key="caller-key", client=self._http)  # type: ignore[arg-type] # httpx names its default otherwise

    @property
    def last(self) -> httpx.Response:
        return self.answers[-1]

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="module")
def mistral(proxy: Proxy) -> Iterator[Watched]:
    watched = Watched(proxy.url)
    yield watched
    watched.close()


def test_a_plain_answer(proxy: Proxy, mistral: Watched) -> None:
    proxy.api.says(said("It is sunny."))
    answer = mistral.client.chat.complete(model=MODEL, messages=HARMLESS, safe_prompt=False)

    assert answer.choices is not None
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "It is sunny."
    assert proxy.api.last.header(b"authorization") == b"Bearer caller-key"


def test_a_streamed_answer(proxy: Proxy, mistral: Watched) -> None:
    proxy.api.streams(delta("It is "), delta("sunny."), delta(None, finish="stop"), DONE)
    with mistral.client.chat.stream(model=MODEL, messages=HARMLESS) as events:
        told = [event.data.choices[0].delta.content for event in events]

    assert told[:2] == ["It is ", "sunny."]


async def test_async(proxy: Proxy) -> None:
    proxy.api.says(said("It is sunny."))
    async with Mistral(server_url=proxy.url, api_key="k") as client:
        answer = await client.chat.complete_async(model=MODEL, messages=HARMLESS, guardrails=V2)

    assert answer.choices is not None
    proxy.api.streams(delta("It is "), delta("sunny."), delta(None, finish="stop"), DONE)
    async with Mistral(server_url=proxy.url, api_key="k") as client:
        stream = await client.chat.stream_async(model=MODEL, messages=HARMLESS, guardrails=V2)
        told = [event.data.choices[0].delta.content async for event in stream]
    assert told[:2] == ["It is ", "sunny."]


@pytest.mark.parametrize(
    ("guardrails", "name", "categories"),
    [(V2, "moderation_llm_v2", ("pii",)), (V1, "moderation_llm_v1", V1_CATEGORIES)],
    ids=["v2", "v1"],
)
def test_inline_guardrails_that_pass_answer_with_scores(
    proxy: Proxy, mistral: Watched, guardrails: list[Any], name: str, categories: tuple[str, ...]
) -> None:
    proxy.api.says(said("It is sunny."))
    mistral.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=guardrails)

    (entry,) = mistral.last.json()["guardrails"]
    assert list(entry) == [name]
    assert entry[name]["action"] == "none"
    assert tuple(entry[name]["categories"]) == categories
    assert entry[name]["categories"]["pii"] == {"score": 0.01, "violated": False}
    assert "guardrails" not in proxy.api.last.json()


def test_models_of_the_client_are_taken_as_well_as_dictionaries(
    proxy: Proxy, mistral: Watched
) -> None:
    proxy.api.says(said("no"))
    guardrail = GuardrailConfig(
        block_on_error=True,
        moderation_llm_v2=ModerationLlmv2Config(
            custom_category_thresholds=ModerationLlmv2CategoryThresholds(pii=0.3), action="block"
        ),
    )
    with pytest.raises(SDKError) as refused:
        mistral.client.chat.complete(model=MODEL, messages=PRIVATE, guardrails=[guardrail])

    assert refused.value.status_code == 403


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("guardrails", "name", "model"),
    [
        (V2, "moderation_llm_v2", "mistral-moderation-2603"),
        (V1, "moderation_llm_v1", "mistral-moderation-2411"),
    ],
    ids=["v2", "v1"],
)
def test_inline_guardrails_that_block_are_a_403(
    proxy: Proxy,
    mistral: Watched,
    guardrails: list[Any],
    name: str,
    model: str,
    *,
    streamed: bool,
) -> None:
    proxy.api.says(said("no"))
    call = mistral.client.chat.stream if streamed else mistral.client.chat.complete
    with pytest.raises(SDKError) as refused:
        call(model=MODEL, messages=PRIVATE, guardrails=guardrails)

    assert refused.value.status_code == 403
    body = json.loads(refused.value.body)
    assert body["error"]["message"] == "Content blocked by guardrail"
    assert body["error"]["status"] == 403
    result = body["guardrails"]["results"][name]
    assert result["model_name"] == model
    assert result["decisions"]["pii"] == {"threshold": 0.3, "score": 0.9, "violated": True}
    assert (result["violated"], result["action"]) == (True, "block")
    assert not proxy.api.requests


def test_v1_is_deprecated_and_says_how_to_migrate(proxy: Proxy, mistral: Watched) -> None:
    proxy.api.says(said("It is sunny."))
    mistral.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=V1)
    assert mistral.last.headers["deprecation"] == "@1774915200"
    assert "sunset" in mistral.last.headers
    assert "guardproxy policy migrate" in mistral.last.headers["x-guardproxy-warning"]

    mistral.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=V2)
    assert "deprecation" not in mistral.last.headers


@pytest.mark.parametrize(
    "config",
    [
        {"moderation_llm_v2": {"action": "flag"}},
        {
            "moderation_llm_v2": {
                "custom_category_thresholds": {"pii": "high"},
                "ignore_other_categories": True,
            }
        },
        {"moderation_llm_v3": {"action": "block"}},
    ],
    ids=["action", "threshold", "version"],
)
def test_a_config_that_the_client_drops_is_a_422_and_no_open_door(
    proxy: Proxy, mistral: Watched, config: dict[str, Any]
) -> None:
    proxy.api.says(said("no"))
    guardrails: list[Any] = [config]
    with pytest.raises(HTTPValidationError) as invalid:
        mistral.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=guardrails)

    assert invalid.value.status_code == 422
    (detail,) = invalid.value.data.detail or []
    assert detail.loc[:3] == ["body", "guardrails", 0]
    assert "a client library may have dropped an invalid one" in detail.msg
    assert not proxy.api.requests


def test_inline_guardrails_cannot_weaken_the_policy(proxy: Proxy, mistral: Watched) -> None:
    proxy.api.says(said("no"))
    weak: list[Any] = [{"moderation_llm_v2": {"action": "none"}}]
    harmful: list[Any] = [{"role": "user", "content": "a bomb"}]
    with pytest.raises(SDKError) as refused:
        mistral.client.chat.complete(model=MODEL, messages=harmful, guardrails=weak)

    assert refused.value.status_code == 403


def test_a_guardrail_that_fails_is_mistrals_own_failure_body(api: ScriptedUpstream) -> None:
    api.says(said("no"))
    failing = KeywordClassifier(error=ClassifierOverloaded("full"))
    with proxying(api, classifier=failing) as proxy:
        watched = Watched(proxy.url)
        with pytest.raises(SDKError) as refused:
            watched.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=V2)
        watched.close()

    body = json.loads(refused.value.body)
    assert (refused.value.status_code, body["object"], body["code"]) == (403, "Error", 3201)
    assert body["guardrails"][-1] == {
        "moderation_llm_v2": {
            "action": "block",
            "error": {"message": "Moderation API is overloaded."},
        }
    }
    assert not api.requests


def test_an_inline_entry_that_fails_open_says_so_beside_the_answer(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    api.says(said("It is sunny."))
    failing = KeywordClassifier(error=ClassifierOverloaded("full"))
    text = "name: open\ninput: [{moderation_llm_v2: {}}]\noutput: []\n"
    policy = policy_file(tmp_path, text)
    with proxying(api, classifier=failing, policy=policy) as proxy:
        watched = Watched(proxy.url)
        watched.client.chat.complete(
            model=MODEL,
            messages=HARMLESS,
            guardrails=[GuardrailConfig(moderation_llm_v2=ModerationLlmv2Config(action="block"))],
        )
        watched.close()
        assert proxy.metric("guardproxy_fail_open_total", direction="input") == 1

    (entry,) = watched.last.json()["guardrails"]
    assert entry["moderation_llm_v2"]["error"] == {"message": "Moderation API is overloaded."}
    assert watched.last.headers["x-guardproxy-unjudged"] == "overload"
    assert watched.last.headers["x-guardproxy-verdict"] == "unjudged"


@pytest.mark.parametrize(
    ("model", "keys"),
    [("mistral-moderation-2411", V1_CATEGORIES), ("mistral-moderation-2603", V2_CATEGORIES)],
)
def test_texts_are_moderated(mistral: Watched, model: str, keys: tuple[str, ...]) -> None:
    answer = mistral.client.classifiers.moderate(model=model, inputs=["a bomb", "a cactus"])

    harmful, harmless = answer.results
    assert set(harmful.categories or {}) == set(keys)
    assert any((harmful.categories or {}).values())
    assert not any((harmless.categories or {}).values())


def test_conversations_are_moderated(mistral: Watched) -> None:
    conversation: list[Any] = [
        {"role": "user", "content": "What do you want?"},
        {"role": "assistant", "content": "A bomb."},
    ]
    answer = mistral.client.classifiers.moderate_chat(
        model="mistral-moderation-2603", inputs=conversation
    )

    assert (answer.results[0].categories or {})["dangerous"]


def test_names_of_models(proxy: Proxy, mistral: Watched) -> None:
    card = {
        "id": MODEL,
        "object": "model",
        "capabilities": {"completion_chat": True},
        "type": "base",
    }
    proxy.api.says({"object": "list", "data": [card]})
    models: Any = mistral.client.models.list()

    assert [model.id for model in models.data] == [MODEL]


def test_the_client_of_v1_configs_fills_in_what_it_knows(proxy: Proxy, mistral: Watched) -> None:
    proxy.api.says(said("It is sunny."))
    config = GuardrailConfig(moderation_llm_v1=ModerationLlmv1Config())
    mistral.client.chat.complete(model=MODEL, messages=HARMLESS, guardrails=[config])

    assert "moderation_llm_v1" in mistral.last.json()["guardrails"][0]


def test_a_wrong_key_is_an_error_of_the_sdk_on_every_call(api: ScriptedUpstream) -> None:
    before = len(api.requests)
    with proxying(api, client_keys="right", upstream_api_key="configured") as proxy:
        watched = Watched(proxy.url)
        classifiers = watched.client.classifiers
        calls: list[Callable[[], object]] = [
            lambda: classifiers.moderate(model="mistral-moderation-latest", inputs=["hello"]),
            lambda: classifiers.moderate_chat(model="mistral-moderation-latest", inputs=HARMLESS),
            lambda: watched.client.chat.complete(model=MODEL, messages=HARMLESS),
        ]
        for call in calls:
            with pytest.raises(SDKError) as refused:
                call()
            assert refused.value.status_code == 401
            assert "no valid API key was presented" in refused.value.body
        watched.close()

    assert len(api.requests) == before
