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

_CHAT = ChatCompletions()
_COMPLETIONS = Completions()
_EMBEDDINGS = Embeddings()
_CONVERSATIONS = Conversations()

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
        "/v1/messages": Messages(),
        "/v1/messages/count_tokens": Messages(),
    }
)
"""Path of a `POST` route -> the dialect that reads it, both ways."""
