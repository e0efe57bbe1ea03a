"""Which dialect reads which route: the one table that app, start-up lines and docs read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardproxy.dialects.base import Dialect
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.messages import Messages

GUARDED: Mapping[str, Dialect] = MappingProxyType(
    {
        "/v1/chat/completions": ChatCompletions(),
        "/v1/messages": Messages(),
        "/v1/messages/count_tokens": Messages(),
    }
)
"""Path of a `POST` route -> the dialect that reads it, both ways."""
