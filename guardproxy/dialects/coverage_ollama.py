"""The fields of Ollama's chat and generate.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md and api/types.go.
"""

from __future__ import annotations

from guardproxy.dialects import chat_fields
from guardproxy.dialects.coverage import Form, Side
from guardproxy.dialects.ollama import OllamaChat, OllamaGenerate

_REQUEST = (
    "format", "format.*", "options.stop[]", "options.*", "model", "keep_alive", "think",
    "guardrails[].*", "template", *sorted(chat_fields.REQUEST_REFUSED - {"prompt"}), "*",
)  # fmt: skip
_CHAT_REQUEST = (
    "messages[].role", "messages[].content", "messages[].thinking", "messages[].images[]",
    "messages[].tool_calls[].id", "messages[].tool_calls[].function.name",
    "messages[].tool_calls[].function.arguments.*", "messages[].tool_name",
    "messages[].tool_call_id", "messages[].*", "tools[].*", *_REQUEST,
)  # fmt: skip
_GENERATE_REQUEST = ("system", "prompt", "suffix", "images[]", *_REQUEST)
_SAID = (
    "model", "created_at", "done_reason", "thinking", "logprobs[].token",
    "logprobs[].top_logprobs[].token", "error", "*",
)  # fmt: skip
_CHAT_SAID = (
    "message.role", "message.content", "message.thinking",
    "message.tool_calls[].function.name", "message.tool_calls[].function.arguments.*",
    "message.tool_calls[].id", "message.*", *_SAID,
)  # fmt: skip
_GENERATE_SAID = ("response", "image", *_SAID)
OLLAMA_CHAT = Form(
    OllamaChat(),
    {
        Side.REQUEST: {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
        Side.ANSWER: {"model": "m", "done": True},
        Side.EVENT: {"model": "m", "done": False},
    },
    {Side.REQUEST: _CHAT_REQUEST, Side.ANSWER: _CHAT_SAID, Side.EVENT: _CHAT_SAID},
)
OLLAMA_GENERATE = Form(
    OllamaGenerate(),
    {
        Side.REQUEST: {"model": "m", "prompt": "hello"},
        Side.ANSWER: {"model": "m", "done": True},
        Side.EVENT: {"model": "m", "done": False},
    },
    {Side.REQUEST: _GENERATE_REQUEST, Side.ANSWER: _GENERATE_SAID, Side.EVENT: _GENERATE_SAID},
)
