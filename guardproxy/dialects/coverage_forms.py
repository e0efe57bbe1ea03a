"""The fields that vendors document, by dialect: what `coverage` asks about for the documents."""

from __future__ import annotations

from collections.abc import Mapping

from guardproxy.dialects import chat_fields
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.completions import Completions
from guardproxy.dialects.coverage import Form, Side
from guardproxy.dialects.embeddings import Embeddings

_SPOKEN = (
    "content", "content[].text", "content[].thinking[].text", "refusal", "reasoning_content",
    "reasoning", "tool_calls[].id", "tool_calls[].type", "tool_calls[].function.name",
    "tool_calls[].function.arguments", "tool_calls[].custom.name", "tool_calls[].custom.input",
    "function_call.name", "function_call.arguments", "audio.id",
)  # fmt: skip
_REQUEST = (
    "messages[].role", "messages[].name", *(f"messages[].{field}" for field in _SPOKEN),
    "messages[].content[].type", "messages[].content[].refusal",
    "messages[].content[].image_url.url", "messages[].content[].image_url.detail",
    "messages[].content[].input_audio.data", "messages[].content[].input_audio.format",
    "messages[].content[].file.file_data", "messages[].content[].file.file_id",
    "messages[].content[].file.filename",
    "messages[].content[].prompt_cache_breakpoint.mode",
    "messages[].content[].prompt_cache_breakpoint.*", "messages[].content[].*",
    "messages[].tool_call_id", "messages[].*",
    "tools[].*", "functions[].*",
    "tool_choice", "tool_choice.type", "tool_choice.allowed_tools.mode",
    "tool_choice.allowed_tools.tools[].type", "tool_choice.*", "function_call", "function_call.*",
    "response_format.type", "response_format.*",
    "prediction.type", "prediction.content", "prediction.content[].type",
    "prediction.content[].text", "prediction.content[].prompt_cache_breakpoint.mode",
    "prediction.content[].prompt_cache_breakpoint.*", "prediction.*",
    "stop", "stop[]", "metadata.*", "modalities[]",
    "model", "service_tier", "reasoning_effort", "verbosity", "user", "safety_identifier",
    "prompt_cache_key", "prompt_cache_retention", "prompt_mode",
    "audio.voice", "audio.voice.id", "audio.format",
    "web_search_options.search_context_size", "web_search_options.user_location.type",
    "web_search_options.*",
    *sorted(chat_fields.REQUEST_REFUSED), "*",
)  # fmt: skip
_HEADS = ("id", "object", "model", "system_fingerprint", "service_tier")
_CHOICE = (
    "choices[].finish_reason", "choices[].logprobs.content[].token",
    "choices[].logprobs.content[].top_logprobs[].token", "choices[].logprobs.refusal[].token",
    "choices[].logprobs.refusal[].top_logprobs[].token", "choices[].text", "choices[].*",
)  # fmt: skip
_BESIDE = (
    "moderation.*.code", "moderation.*.model", "moderation.*.type",
    "moderation.*.results[].model", "moderation.*.results[].type", "moderation.*", "error.message",
    "error.type", "error.code", "error.param", "*",
)  # fmt: skip
_SAID = ("role", *_SPOKEN, "audio.data", "audio.transcript")
_ANSWER = (
    *_HEADS, *(f"choices[].message.{field}" for field in _SAID),
    "choices[].message.annotations[].type", "choices[].message.*", *_CHOICE, *_BESIDE,
)  # fmt: skip
_EVENT = (
    *_HEADS, "obfuscation", *(f"choices[].delta.{field}" for field in _SAID),
    "choices[].delta.*", *_CHOICE, *_BESIDE,
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
            "input", "input[]", "model", "user", "encoding_format",
            *sorted(chat_fields.REQUEST_REFUSED), "*",
        ),
        Side.ANSWER: ("object", "model", "data[].object", "data[].*", "*"),
    },
)  # fmt: skip
FORMS: Mapping[str, Form] = {form.dialect.name: form for form in (CHAT, COMPLETIONS, EMBEDDINGS)}
