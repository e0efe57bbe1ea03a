"""Which dialect reads which route: the one table that app, start-up lines and docs read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardproxy.dialects.base import Dialect
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
        "/api/chat": OllamaChat(),
        "/api/generate": OllamaGenerate(),
        "/v1/messages": _MESSAGES,
        "/v1/messages/count_tokens": _MESSAGES,
        "/v1/responses": _RESPONSES,
        "/v1/responses/input_tokens": _RESPONSES,
        "/v1/responses/compact": _RESPONSES,
        "/openai/v1/responses": _RESPONSES,
        "/openai/responses": _RESPONSES,
    }
)
"""Path of a `POST` route -> the dialect that reads it, both ways."""
