"""The vendors' own clients, unchanged but for their base URL, against the embedded model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import httpx
import openai
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from mistralai.client.models import (
    AssistantMessage,
    FunctionCall,
    SystemMessage,
    TextChunk,
    ThinkChunk,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from moderation_api import ModerationAPI
from moderation_api.errors import BadRequestError
from openai.types import (
    ModerationImageURLInputParam,
    ModerationMultiModalInputParam,
    ModerationTextInputParam,
)
from starlette.applications import Starlette

from guardproxy.app import build_classifier
from guardproxy.moderation.assisters import MAX_INPUTS
from guardproxy.moderation.endpoint import routes
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from guardproxy.settings import Settings
from tests.moderation.support import served

HARMLESS = "How often should I water my tomatoes in summer?"
THREAT = "I will kill you and your whole family tonight, I know where you live."
TEXT_PART: ModerationTextInputParam = {"type": "text", "text": THREAT}
IMAGE_PART: ModerationImageURLInputParam = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="},
}

Turn: TypeAlias = AssistantMessage | SystemMessage | ToolMessage | UserMessage


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with the embedded model."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with build_classifier(Settings(classifier_timeout=30)) as classifier:
            app.router.routes.extend(routes(classifier, classifier))
            yield

    with served(Starlette(lifespan=lifespan)) as running:
        yield running


@pytest.fixture
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="unused") as client:
        yield client


@pytest.fixture
def mistral(url: str) -> Iterator[Mistral]:
    with Mistral(server_url=url, api_key="unused") as client:
        yield client


def test_openai_one_string(openai_client: openai.OpenAI) -> None:
    answer = openai_client.moderations.create(input=THREAT)

    assert answer.id.startswith("modr-")
    assert answer.model == "omni-moderation-latest"
    (result,) = answer.results
    assert result.flagged
    assert result.categories.violence
    assert result.category_scores.violence > 0.5
    assert result.category_scores.violence_graphic == result.category_scores.violence
    assert result.category_applied_input_types.violence == ["text"]
    assert result.categories.illicit is not None


def test_openai_several_strings(openai_client: openai.OpenAI) -> None:
    answer = openai_client.moderations.create(input=[HARMLESS, THREAT, HARMLESS])

    assert [result.flagged for result in answer.results] == [False, True, False]


def test_openai_parts_are_one_input_and_images_are_never_claimed(
    openai_client: openai.OpenAI,
) -> None:
    parts: list[ModerationMultiModalInputParam] = [TEXT_PART, IMAGE_PART]
    raw = openai_client.moderations.with_raw_response.create(input=parts)
    (result,) = raw.parse().results

    assert result.flagged
    assert result.category_applied_input_types.violence == ["text"]
    assert raw.headers["x-guardproxy-unjudged-parts"] == "1"


@pytest.mark.parametrize("order", [1, -1])
def test_openai_a_harmless_part_hides_no_other(openai_client: openai.OpenAI, order: int) -> None:
    said = ("How do I water a cactus?", "I will kill you and your whole family tonight.")
    parts: list[ModerationMultiModalInputParam] = [
        {"type": "text", "text": text} for text in said[::order]
    ]
    (result,) = openai_client.moderations.create(input=parts).results

    assert result.flagged


def test_openai_images_alone_are_an_error(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.moderations.create(input=[IMAGE_PART])

    assert caught.value.code == "image_not_supported"
    assert caught.value.param == "input"
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("model", ["text-moderation-latest", "text-moderation-stable"])
def test_openai_text_moderation(openai_client: openai.OpenAI, model: str) -> None:
    answer = openai_client.moderations.create(model=model, input=THREAT)

    assert answer.model == "text-moderation-007"
    (result,) = answer.results
    assert result.flagged
    assert result.categories.illicit is None
    assert result.category_applied_input_types is None


def test_openai_unknown_model(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="known are") as caught:
        openai_client.moderations.create(model="gpt-5", input=HARMLESS)

    assert caught.value.code == "model_not_found"


async def test_openai_async(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused") as client:
        answer = await client.moderations.create(input=[HARMLESS, THREAT])

    assert [result.flagged for result in answer.results] == [False, True]


def test_openai_client_at_assisters(openai_client: openai.OpenAI) -> None:
    answer = openai_client.moderations.create(model="llama-guard-3", input=[HARMLESS, THREAT])

    assert answer.model == "llama-guard-3"
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.model_extra is not None
    assert answer.model_extra["usage"]["prompt_tokens"] > 20


def test_openai_client_at_assisters_with_too_many(openai_client: openai.OpenAI) -> None:
    inputs = [HARMLESS] * (MAX_INPUTS + 1)
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.moderations.create(model="shieldgemma", input=inputs)

    assert caught.value.code == "too_many_inputs"


def test_assisters_by_hand(url: str) -> None:
    response = httpx.post(f"{url}/v1/moderate", json={"input": [THREAT, HARMLESS]})
    answer = response.json()

    assert response.status_code == 200
    assert [result["flagged"] for result in answer["results"]] == [True, False]
    assert len(answer["results"][0]["categories"]) == 11
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 20
    assert response.headers["x-request-id"]
    assert int(response.headers["x-processing-time-ms"]) >= 0


def test_usage_counts_the_tokens_of_the_texts(url: str) -> None:
    def tokens(*texts: str) -> int:
        answer = httpx.post(f"{url}/v1/moderate", json={"input": list(texts)}).json()
        return int(answer["usage"]["prompt_tokens"])

    assert tokens("tomato") < tokens("tomato tomato") < tokens(HARMLESS)
    assert tokens(HARMLESS, THREAT) == tokens(HARMLESS) + tokens(THREAT)


def test_meridian_by_hand(url: str) -> None:
    body = {"model": "text-moderation-stable", "input": THREAT}
    answer = httpx.post(f"{url}/v1/moderations", json=body).json()

    assert set(answer) == {"id", "model", "results"}
    assert set(answer["results"][0]) == {"flagged", "categories", "category_scores"}
    assert answer["results"][0]["flagged"]


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ("mistral-moderation-2411", V1_CATEGORIES),
        ("mistral-moderation-2603", V2_CATEGORIES),
        ("mistral-moderation-latest", V1_CATEGORIES),
    ],
)
def test_mistral_texts(mistral: Mistral, model: str, keys: tuple[str, ...]) -> None:
    answer = mistral.classifiers.moderate(model=model, inputs=[HARMLESS, THREAT])

    assert answer.model == model
    violated = [(result.categories or {})["violence_and_threats"] for result in answer.results]
    assert violated == [False, True]
    assert tuple(answer.results[0].category_scores or ()) == keys


def test_mistral_one_text_with_metadata(mistral: Mistral) -> None:
    answer = mistral.classifiers.moderate(
        model="mistral-moderation-2603", inputs=THREAT, metadata={"user": "7"}
    )

    assert len(answer.results) == 1


async def test_mistral_async(url: str) -> None:
    async with Mistral(server_url=url, api_key="unused") as client:
        answer = await client.classifiers.moderate_async(
            model="mistral-moderation-2603", inputs=THREAT
        )

    assert (answer.results[0].categories or {})["violence_and_threats"]


def test_mistral_one_conversation(mistral: Mistral) -> None:
    turns: list[Turn] = [
        SystemMessage(content="You are a gardener."),
        UserMessage(content=HARMLESS),
        AssistantMessage(content=THREAT),
    ]
    answer = mistral.classifiers.moderate_chat(model="mistral-moderation-2603", inputs=turns)

    assert len(answer.results) == 1
    assert (answer.results[0].categories or {})["violence_and_threats"]


def test_mistral_a_harmless_chunk_hides_no_other(mistral: Mistral) -> None:
    said = ("How do I water a cactus?", "I will kill you and your whole family tonight.")
    turn: Turn = UserMessage(content=[TextChunk(text=text) for text in said])
    answer = mistral.classifiers.moderate_chat(model="mistral-moderation-2603", inputs=[turn])

    categories = answer.results[0].categories
    assert categories is not None
    assert categories["violence_and_threats"]


def test_mistral_several_conversations_of_every_shape(mistral: Mistral) -> None:
    calls = {
        text: [ToolCall(function=FunctionCall(name="say", arguments={"text": text}))]
        for text in (HARMLESS, THREAT)
    }
    conversations: list[list[Turn]] = [
        [UserMessage(content=[TextChunk(text=THREAT)])],
        [AssistantMessage(content=[ThinkChunk(thinking=[TextChunk(text=THREAT)])])],
        [UserMessage(content=HARMLESS), AssistantMessage(content=None, tool_calls=calls[THREAT])],
        [UserMessage(content=THREAT), AssistantMessage(content=None, tool_calls=calls[HARMLESS])],
        [UserMessage(content=THREAT), AssistantMessage(content=HARMLESS)],
        [ToolMessage(content=HARMLESS, tool_call_id="1", name="search")],
        [UserMessage(content=None)],
    ]
    answer = mistral.classifiers.moderate_chat(
        model="mistral-moderation-2603", inputs=conversations
    )

    violated = [(result.categories or {})["violence_and_threats"] for result in answer.results]
    assert violated == [True, True, True, False, False, False, False]


def test_mistral_raises_what_it_documents(mistral: Mistral) -> None:
    with pytest.raises(HTTPValidationError) as invalid:
        mistral.classifiers.moderate(model="mistral-moderation-2603", inputs=[])

    assert invalid.value.data.detail is not None
    assert invalid.value.data.detail[0].loc == ["body", "input"]

    with pytest.raises(SDKError) as unknown:
        mistral.classifiers.moderate(model="mistral-moderation-9999", inputs="a")

    assert unknown.value.status_code == 400


def test_moderation_api_client_reads_the_refusal(url: str) -> None:
    with (
        ModerationAPI(server_url=f"{url}/v1", secret_key="unused") as client,
        pytest.raises(BadRequestError) as caught,
    ):
        client.content.submit(content={"type": "text", "text": HARMLESS})

    assert "not served" in caught.value.data.message


def test_moderation_api_client_reads_what_is_said_before_the_body_is_read(url: str) -> None:
    deep: dict[str, object] = {}
    for _ in range(80):
        deep = {"a": deep}
    content = {"type": "text", "text": "hello"}
    with (
        ModerationAPI(server_url=f"{url}/v1", secret_key="unused") as client,
        pytest.raises(BadRequestError) as caught,
    ):
        client.content.submit(content=content, metadata=deep)

    assert caught.value.data.code == "json_too_deep"
