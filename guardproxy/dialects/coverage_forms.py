"""The fields that vendors document, by dialect: what `coverage` asks about for the documents."""

from __future__ import annotations

from collections.abc import Mapping

from guardproxy.dialects import chat_fields
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.completions import Completions, FimCompletions
from guardproxy.dialects.coverage import Form, Side
from guardproxy.dialects.coverage_blocks import MESSAGES, RESPONSES
from guardproxy.dialects.coverage_conversations import CONVERSATION_APPEND, CONVERSATIONS
from guardproxy.dialects.coverage_ollama import OLLAMA_CHAT, OLLAMA_GENERATE
from guardproxy.dialects.embeddings import Embeddings

_SPOKEN = (
    "content", "content[].text", "content[thinking].thinking[].text", "refusal",
    "reasoning_content", "reasoning", "tool_calls[].id", "tool_calls[].type",
    "tool_calls[].function.name", "tool_calls[].function.arguments", "tool_calls[].custom.name",
    "tool_calls[].custom.input", "function_call.name", "function_call.arguments", "audio.id",
)  # fmt: skip
_REQUEST = (
    "messages[].role", "messages[].name", *(f"messages[].{field}" for field in _SPOKEN),
    "messages[].content[].type", "messages[].content[refusal].refusal",
    "messages[].content[thinking].thinking[].type", "messages[].content[].signature",
    "messages[].content[image_url].image_url", "messages[].content[image_url].image_url.url",
    "messages[].content[image_url].image_url.detail", "messages[].content[input_audio].input_audio",
    "messages[].content[input_audio].input_audio.data",
    "messages[].content[input_audio].input_audio.format",
    "messages[].content[file].file.file_data", "messages[].content[file].file.file_id",
    "messages[].content[file].file.filename", "messages[].content[file].file_id",
    "messages[].content[document_url].document_url", "messages[].content[resource_link].uri",
    "messages[].content[].prompt_cache_breakpoint.mode",
    "messages[].content[].prompt_cache_breakpoint.*", "messages[].content[].*",
    "messages[].tool_call_id", "messages[].*",
    "tools[].*", "functions[].*",
    "tool_choice", "tool_choice.type", "tool_choice.allowed_tools.mode",
    "tool_choice.allowed_tools.tools[].type", "tool_choice.*", "function_call", "function_call.*",
    "response_format.type", "response_format(json_schema).*",
    "prediction.type", "prediction.content", "prediction.content[].type",
    "prediction.content[].text", "prediction.content[].prompt_cache_breakpoint.mode",
    "prediction.content[].prompt_cache_breakpoint.*", "prediction.*",
    "stop", "stop[]", "metadata.*", "modalities[]",
    "model", "agent_id", "service_tier", "reasoning_effort", "verbosity", "user",
    "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention", "prompt_mode",
    "audio.voice", "audio.voice.id", "audio.format",
    "web_search_options.search_context_size", "web_search_options.user_location.type",
    "web_search_options.*",
    "guardrails[].*", *sorted(chat_fields.REQUEST_REFUSED), "*",
)  # fmt: skip
_HEADS = ("id", "object", "model", "system_fingerprint", "service_tier")
_CHOICE = (
    "choices[].finish_reason", "choices[].logprobs.content[].token",
    "choices[].logprobs.content[].top_logprobs[].token", "choices[].logprobs.refusal[].token",
    "choices[].logprobs.refusal[].top_logprobs[].token", "choices[].text", "choices[].**.type",
    "choices[].**.id", "choices[].**.role", "choices[].**.tool_call_id", "choices[].*",
)  # fmt: skip
_BESIDE = (
    "usage.service_tier",
    "moderation.*.code", "moderation.*.model", "moderation.*.type",
    "moderation.*.results[].model", "moderation.*.results[].type", "moderation.*", "error.message",
    "error.type", "error.code", "error.param", "*",
)  # fmt: skip
_SAID = ("role", *_SPOKEN, "audio.data", "audio.transcript")
_ANSWER = (
    *_HEADS, *(f"choices[].message.{field}" for field in _SAID), "choices[].message.**.type",
    "choices[].message.*", *_CHOICE, *_BESIDE,
)  # fmt: skip
_EVENT = (
    *_HEADS, "obfuscation", *(f"choices[].delta.{field}" for field in _SAID),
    "choices[].delta.**.type", "choices[].delta.tool_call_id", "choices[].delta.*", *_CHOICE,
    *_BESIDE,
)  # fmt: skip
_CHOICES: Mapping[str, object] = {"choices": [{"index": 0}]}
CHAT = Form(
    ChatCompletions(),
    {
        Side.REQUEST: {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
        Side.ANSWER: _CHOICES,
        Side.EVENT: _CHOICES,
    },
    {Side.REQUEST: _REQUEST, Side.ANSWER: _ANSWER, Side.EVENT: _EVENT},
)
_COMPLETED = (
    "id", "object", "model", "system_fingerprint", "choices[].text", "choices[].finish_reason",
    "choices[].logprobs.tokens[]", "choices[].logprobs.top_logprobs[].*", "choices[].*", "*",
)  # fmt: skip
COMPLETIONS = Form(
    Completions(),
    {
        Side.REQUEST: {"model": "m", "prompt": "hello"},
        Side.ANSWER: _CHOICES,
        Side.EVENT: _CHOICES,
    },
    {
        Side.REQUEST: (
            "prompt", "prompt[]", "suffix", "stop", "stop[]", "model", "user", "service_tier",
            "safety_identifier", "prompt_cache_key",
            *sorted(chat_fields.REQUEST_REFUSED - {"prompt"}), "*",
        ),
        Side.ANSWER: _COMPLETED,
        Side.EVENT: _COMPLETED,
    },
)  # fmt: skip
EMBEDDINGS = Form(
    Embeddings(),
    {Side.REQUEST: {"model": "m", "input": "hello"}, Side.ANSWER: {"data": [{"index": 0}]}},
    {
        Side.REQUEST: (
            "input", "input[]", "model", "user", "encoding_format", "output_dtype",
            *sorted(chat_fields.REQUEST_REFUSED), "*",
        ),
        Side.ANSWER: (
            "id", "object", "model", "data[].object", "data[].embedding", "data[].*",
            "usage.service_tier", "*",
        ),
    },
)  # fmt: skip
FIM = Form(
    FimCompletions(),
    {
        Side.REQUEST: {"model": "m", "prompt": "hello"},
        Side.ANSWER: _CHOICES,
        Side.EVENT: _CHOICES,
    },
    {
        Side.REQUEST: (
            "prompt", "suffix", "stop", "stop[]", "metadata.*", "model", "prompt_cache_key",
            "guardrails[].*", *sorted(chat_fields.REQUEST_REFUSED - {"prompt"}), "*",
        ),
        Side.ANSWER: _ANSWER,
        Side.EVENT: _EVENT,
    },
)  # fmt: skip
FORMS: Mapping[str, Form] = {
    form.dialect.name: form
    for form in (
        CHAT,
        COMPLETIONS,
        FIM,
        EMBEDDINGS,
        RESPONSES,
        MESSAGES,
        CONVERSATIONS,
        CONVERSATION_APPEND,
        OLLAMA_CHAT,
        OLLAMA_GENERATE,
    )
}
"""Name of a dialect -> its fields."""
