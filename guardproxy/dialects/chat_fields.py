"""The fields of chat completions by how they are treated; the rest is judged as text.

Sources: api-contracts 1.6, 5.1, 5.2 (OpenAI, Mistral, Azure, vLLM extras).
"""

from __future__ import annotations

from guardproxy.content import MediaKind

REQUEST_STRUCTURE = frozenset(
    {
        "model", "service_tier", "reasoning_effort", "effort", "verbosity", "modalities",
        "tool_choice", "stop", "user", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "type", "format", "voice", "mode", "search_context_size",
        "prompt_mode", "id", "role",
    }
)  # fmt: skip
"""Ids, names and enum values: left unjudged while they look like one word of at most 128."""

REQUEST_REFUSED = frozenset(
    {
        "chat_template", "chat_template_kwargs", "add_generation_prompt",
        "continue_final_message", "prompt_embeds", "extra_body", "lora", "lora_request",
    }
)  # fmt: skip
"""They change the prompt behind the guard's back, or hold it in a form nobody can read."""

MESSAGE_KNOWN = frozenset(
    {
        "role", "content", "name", "refusal", "tool_calls", "function_call", "audio",
        "reasoning_content", "reasoning",
    }
)  # fmt: skip
MESSAGE_STRUCTURE = frozenset({"id", "type", "tool_call_id", "signature", "index"})

PART_TEXT = frozenset({"text", "input_text", "output_text", "refusal", "thinking", "reasoning"})
"""Part types that are text; every string in them is judged."""
PART_MEDIA = {
    "image_url": MediaKind.IMAGE,
    "input_image": MediaKind.IMAGE,
    "image": MediaKind.IMAGE,
    "input_audio": MediaKind.AUDIO,
    "audio": MediaKind.AUDIO,
    "audio_url": MediaKind.AUDIO,
    "video_url": MediaKind.FILE,
    "file": MediaKind.FILE,
    "input_file": MediaKind.FILE,
    "document_url": MediaKind.FILE,
}
"""Part types that hold, or point at, what a text classifier cannot read."""
PART_STRUCTURE = frozenset({"type", "detail", "format", "signature", "id", "ttl"})
MEDIA_PAYLOAD = frozenset(
    {
        "url", "data", "file_data", "file_id", "image_url", "input_audio", "document_url",
        "audio_url", "video_url", "image", "file",
    }
)  # fmt: skip
"""Keys in a media part whose string is the medium or its address; other strings are text."""

ANSWER_STRUCTURE = frozenset(
    {
        "id", "object", "model", "system_fingerprint", "service_tier", "role", "type",
        "finish_reason", "tool_call_id", "obfuscation", "code", "severity", "provider",
        "native_finish_reason", "param", "status", "citation_id", "format", "index",
        "content_filter_results", "stop_reason",
    }
)  # fmt: skip
ANSWER_KNOWN = frozenset({"choices"})
CHOICE_KNOWN = frozenset({"message", "delta", "index", "logprobs", "text"})
SAID_KNOWN = frozenset(
    {
        "role", "content", "refusal", "tool_calls", "function_call", "audio",
        "reasoning_content", "reasoning",
    }
)  # fmt: skip
SAID_TEXT = ("content", "refusal", "reasoning_content", "reasoning")
"""Fields of a message or delta that continue from event to event."""
