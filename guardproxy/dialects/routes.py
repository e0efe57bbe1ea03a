"""Which dialect reads which route: the one table that app, start-up lines and docs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from guardproxy.dialects import anthropic_shape
from guardproxy.dialects.base import Dialect, Fault
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.completions import Completions, FimCompletions
from guardproxy.dialects.conversations import ConversationAppend, Conversations
from guardproxy.dialects.embeddings import Embeddings
from guardproxy.dialects.messages import Messages
from guardproxy.dialects.ollama import OllamaChat, OllamaGenerate
from guardproxy.dialects.responses import Responses

_CHAT = ChatCompletions()
_COMPLETIONS = Completions()
_EMBEDDINGS = Embeddings()
_CONVERSATIONS = Conversations()
_MESSAGES = Messages()
_RESPONSES = Responses()
_OLLAMA_CHAT = OllamaChat()

GUARDED: Mapping[str, Dialect] = MappingProxyType(
    {
        "/v1/chat/completions": _CHAT,
        "/v1/completions": _COMPLETIONS,
        "/v1/embeddings": _EMBEDDINGS,
        "/v1/fim/completions": FimCompletions(),
        "/v1/agents/completions": _CHAT,
        "/v1/conversations": _CONVERSATIONS,
        "/v1/conversations/{conversation}": ConversationAppend(),
        "/v1/conversations/{conversation}/restart": _CONVERSATIONS,
        "/openai/v1/chat/completions": _CHAT,
        "/openai/v1/completions": _COMPLETIONS,
        "/openai/v1/embeddings": _EMBEDDINGS,
        "/openai/deployments/{deployment}/chat/completions": _CHAT,
        "/openai/deployments/{deployment}/completions": _COMPLETIONS,
        "/openai/deployments/{deployment}/embeddings": _EMBEDDINGS,
        "/api/chat": _OLLAMA_CHAT,
        "/api/generate": OllamaGenerate(),
        "/v1/messages": _MESSAGES,
        "/v1/messages/count_tokens": _MESSAGES,
        "/v1/responses": _RESPONSES,
        "/v1/responses/input_tokens": _RESPONSES,
        "/v1/responses/compact": _RESPONSES,
        "/openai/v1/responses": _RESPONSES,
        "/openai/v1/responses/input_tokens": _RESPONSES,
        "/openai/v1/responses/compact": _RESPONSES,
        "/openai/responses": _RESPONSES,
        "/openai/responses/input_tokens": _RESPONSES,
        "/openai/responses/compact": _RESPONSES,
    }
)
"""Path of a `POST` route -> the dialect that reads it, both ways."""

ERROR_WORDS: Mapping[str, Callable[[Fault], bytes]] = MappingProxyType(
    {"/v1/messages": anthropic_shape.error_body, "/api": _OLLAMA_CHAT.error_body}
)
"""Path -> how a fault there, and below it, is put before any dialect is asked (no key, no such
route). Elsewhere it has OpenAI's shape, which most clients read.
"""
