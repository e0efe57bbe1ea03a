"""The fields of chat completions by how they are treated; the rest is judged as text.

Structure is an id, a name that the upstream compares, or an enum value: left unjudged while it
looks like one word of at most 128 characters. `Kill_them_all_now` passes as such a word where it
stands for a model's name: the upstream looks it up and no model reads it. In requests, which
anybody may write, structure is a few exact paths; in answers, which the operator's upstream
writes, it is a field's name at any depth.

Sources: OpenAI, Mistral and Azure API references, and the extra fields of vLLM and SGLang.
"""

from __future__ import annotations

import re

from guardproxy.content import MediaKind

REQUEST_STRUCTURE = re.compile(
    r"model|agent_id|service_tier|reasoning_effort|reasoning\.(?:effort|summary)|verbosity|user"
    r"|safety_identifier|prompt_cache_key|prompt_cache_retention|prompt_mode"
    r"|tool_choice(?:\.type)?|tool_choice\.allowed_tools\.(?:mode|tools\[\d+\]\.type)"
    r"|function_call|thinking\.type|audio\.(?:voice|voice\.id|format)"
    r"|web_search_options\.(?:search_context_size|user_location\.type)"
)
PREDICTION_KNOWN = frozenset({"type", "content"})
PREDICTION_STRUCTURE = re.compile(r"type")
MESSAGE_STRUCTURE = re.compile(r"id|tool_call_id|type")
"""Of a message, and of a tool call in it."""
AUDIO_STRUCTURE = re.compile(r"id")
PART_STRUCTURE = re.compile(
    r"type|id|signature|detail|format|(?:thinking|reasoning|summary|content)\[\d+\]\.type"
    r"|image_url\.(?:detail|format)|input_audio\.format|source\.(?:type|media_type)"
    r"|cache_control\.(?:type|ttl)|prompt_cache_breakpoint(?:\.type|\.mode)?"
)
FORMAT_STRUCTURE = re.compile(r"type")

REQUEST_REFUSED = frozenset(
    {
        "chat_template", "chat_template_kwargs", "add_generation_prompt",
        "continue_final_message", "prompt_embeds", "extra_body", "lora", "lora_request",
        "lora_path", "prompt", "prompt_token_ids", "input_ids", "input_embeds",
        "previous_response_id", "conversation", "logits_processors", "custom_logit_processor",
        "kv_transfer_params", "bootstrap_host", "session_params",
    }
)  # fmt: skip
"""They change what the model reads behind the guard's back, or hold it in a form nobody reads."""

READ_ELSEWHERE = frozenset(
    {
        "vector_store_ids", "library_ids", "file_ids", "file_id", "container", "container_id",
        "server_url", "mcp_servers", "connector_id", "tunnel_id", "skill_id", "skills",
        "data_sources", "dataSources", "cached_content", "cachedContent",
        "file_search_store_names", "fileSearchStoreNames",
    }
)  # fmt: skip
"""Keys of a body or a tool that name what the model reads and nobody here has seen."""
REQUEST_KNOWN = REQUEST_REFUSED | READ_ELSEWHERE | {"model", "stream", "guardrails"}
"""Keys that mean the same in every body; a dialect adds those that it reads."""

MESSAGE_KNOWN = frozenset(
    {
        "role", "content", "name", "refusal", "tool_calls", "function_call", "audio",
        "reasoning_content", "reasoning",
    }
)  # fmt: skip

CALL_KNOWN = frozenset({"id", "type", "index", "function", "custom"})
FUNCTION_KNOWN = frozenset({"name", "arguments", "input"})

PART_TEXT = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
    "thinking": "thinking",
    "reasoning": "reasoning",
}
"""Part types that are text -> the key of it: a `data:` URL there is text like any other.

Every string in such a part is judged, but an upstream reads only that key.
"""
PART_TEXT_KEYS = frozenset({"text", "refusal", "thinking", "reasoning", "summary"})
"""Where the text of a chunk of an answer stands."""
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
    "tool_file": MediaKind.FILE,
    "resource_link": MediaKind.FILE,
}
"""Part types that hold, or point at, what a text classifier cannot read."""
MEDIA_PAYLOAD = frozenset(
    {
        "url", "data", "file_data", "file_id", "image_url", "input_audio", "document_url",
        "audio_url", "video_url", "image", "file", "uri",
    }
)  # fmt: skip
"""Keys in a media part whose string is the medium, its address or its id, while it looks the part:
then the policy decides. An address is not read: what it says reaches the upstream, not the model.
Other strings are text."""

PART_KNOWN = MEDIA_PAYLOAD.union(("type", "thinking", "content"), PART_TEXT.values())

PART_RESOURCE = "resource"
"""What an MCP server gave: text that stands beside its address, or a medium."""

PART_CITATION = "tool_reference"
"""What an answer cited, sent back as part of the history: its address is read by nobody."""

ANSWER_STRUCTURE = re.compile(
    r"(?:.*\.)?(?:id|object|model|system_fingerprint|service_tier|role|type|finish_reason"
    r"|tool_call_id|obfuscation|code|severity|provider|native_finish_reason|param|status"
    r"|citation_id|format|index|stop_reason)"
)
CHOICE_KNOWN = frozenset({"message", "delta", "index", "logprobs", "text"})
SAID_KNOWN = frozenset(
    {
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "audio",
        "reasoning_content",
        "reasoning",
    }
)
SAID_TEXT = ("reasoning_content", "reasoning", "content", "refusal")
"""Fields of a message or delta that continue from event to event, in the order they are shown."""
