"""The fields of the APIs that speak in blocks and items: Anthropic's Messages, OpenAI's Responses.

Answers say `**.type`: the same words are structure wherever they stand there.
"""

from __future__ import annotations

from guardproxy.dialects import chat_fields
from guardproxy.dialects.coverage import Form, Side
from guardproxy.dialects.messages import Messages
from guardproxy.dialects.responses import Responses

_MESSAGES_REQUEST = (
    "system", "system[text].text", "system[text].type", "system[text].cache_control.type",
    "system[text].cache_control.ttl", "system[text].citations[].type",
    "system[text].citations[].encrypted_index", "system[text].*",
    "messages[].role", "messages[].content", "messages[].content[].**.text",
    "messages[].content[thinking].thinking", "messages[].content[tool_use].name",
    "messages[].content[tool_use].input.*", "messages[].content[tool_result].content",
    "messages[].content[document].title", "messages[].content[document].context",
    *(
        f"messages[].content[].**.{name}"
        for name in (
            "type", "id", "tool_use_id", "file_id", "error_code", "file_type", "caller.type",
            "caller.tool_id", "cache_control.type", "cache_control.ttl", "citations[].type",
            "citations[].file_id", "citations[].encrypted_index", "signature",
            "encrypted_content", "encrypted_stdout", "source.type", "source.media_type",
            "source(base64).data", "source(url).url", "source(file).file_id",
            "source(text).data", "source(content).content",
        )
    ),
    "messages[].content[redacted_thinking].data", "messages[].content[container_upload].file_id",
    "messages[].content[tool_result].content[].state_changes[].*",
    "messages[].content[].content(tool_search_tool_search_result).tool_references[].*",
    "messages[].content[tool_addition].tool.*", "messages[].content[tool_removal].tool.*",
    "messages[].content[compaction].tool_changes[].*",
    "messages[].content[fallback].trigger.*", "messages[].content[].*",
    "messages[].clear_at", "messages[].output_config.effort", "messages[].*",
    "tools[].*", "mcp_servers[].*", "container", "container.*",
    "tool_choice.type", "tool_choice.*", "thinking.type", "thinking.display",
    "output_config.effort", "output_config.format.type",
    "output_config.format(json_schema).*", "output_config.*", "output_format.type",
    "output_format(json_schema).*", "output_format.*", "cache_control.type", "cache_control.ttl",
    "context_management.edits[].type", "context_management.edits[].trigger.type",
    "context_management.edits[].keep.type", "context_management.*",
    "diagnostics.previous_message_id", "thread.type", "thread.previous_message_id",
    "metadata.user_id", "metadata.*", "stop_sequences[]", "model", "service_tier", "speed",
    "inference_geo", "user_profile_id", "workspace_id",
    "guardrails[].*", *sorted(chat_fields.REQUEST_REFUSED), "*",
)  # fmt: skip
_MESSAGES_SAID = (
    *(
        f"**.{name}"
        for name in (
            "id", "type", "role", "model", "stop_reason", "tool_use_id", "tool_id", "file_id",
            "error_code", "service_tier", "inference_geo", "speed", "request_id", "category",
            "media_type", "file_type", "expires_at", "code", "status", "signature",
            "encrypted_content", "encrypted_index", "encrypted_stdout", "source.data",
        )
    ),
    "error.message", "*",
)  # fmt: skip
MESSAGES = Form(
    Messages(),
    {
        Side.REQUEST: {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
        Side.ANSWER: {"type": "message"},
        Side.EVENT: {"index": 0},
    },
    {
        Side.REQUEST: _MESSAGES_REQUEST,
        Side.ANSWER: (
            "content[].text", "content[thinking].thinking", "content[redacted_thinking].data",
            "content[tool_use].name", "content[tool_use].input.*", *_MESSAGES_SAID,
        ),
        Side.EVENT: (
            "content_block.text", "content_block(thinking).thinking",
            "content_block(redacted_thinking).data", "content_block(tool_use).name",
            "content_block(tool_use).input.*", "delta(text_delta).text",
            "delta(thinking_delta).thinking", "delta(input_json_delta).partial_json",
            "message.content[redacted_thinking].data", *_MESSAGES_SAID,
        ),
    },
)  # fmt: skip
_RESPONSES_REQUEST = (
    "instructions", "input", "input[message].role", "input[message].content",
    "input[message].content[input_text].text", "input[message].content[output_text].text",
    "input[message].content[refusal].refusal",
    "input[message].content[input_image].image_url",
    "input[message].content[input_image].file_id", "input[message].content[input_file].file_data",
    "input[message].content[input_file].file_id", "input[message].content[input_file].file_url",
    "input[message].content[input_file].filename", "input[].content[].type",
    "input[message].content[].detail", "input[message].content[].prompt_cache_breakpoint.mode",
    "input[agent_message].content[].detail",
    "input[agent_message].content[].prompt_cache_breakpoint.mode",
    "input[agent_message].content[input_image].image_url",
    "input[agent_message].content[input_image].file_id",
    "input[].content[].*",
    "input[function_call].name", "input[function_call].arguments",
    "input[function_call_output].output", "input[function_call_output].output[input_text].text",
    *(
        f"input[].output[{kind}].{name}"
        for kind in ("input_text", "input_image", "input_file")
        for name in ("type", "detail", "prompt_cache_breakpoint.mode")
    ),
    "input[shell_call_output].output[].outcome.type",
    "input[multi_agent_call_output].output[output_text].type",
    "input[].output[input_image].image_url",
    "input[].output[input_image].file_id", "input[].output[input_file].file_data",
    "input[].output[input_file].file_id", "input[].output[input_file].file_url",
    "input[custom_tool_call].input", "input[custom_tool_call_output].output",
    "input[computer_call_output].output(computer_screenshot).image_url",
    "input[computer_call_output].output(computer_screenshot).file_id",
    "input[code_interpreter_call].code", "input[code_interpreter_call].outputs[logs].logs",
    "input[code_interpreter_call].outputs[image].url",
    "input[image_generation_call].result", "input[mcp_call].arguments", "input[mcp_call].output",
    "input[reasoning].summary[].text", "input[reasoning].content[].text",
    "input[reasoning].encrypted_content", "input[item_reference].id",
    *(
        f"input[].{name}"
        for name in (
            "type", "id", "call_id", "status", "role", "phase", "approval_request_id",
            "fingerprint", "container_id", "execution", "summary[].type", "caller.type", "result",
            "caller.caller_id", "output_format", "quality", "size", "background", "output.type",
            "outputs[].type", "error.type", "results[].file_id", "encrypted_content", "*",
        )
    ),
    "tools[].*", "tool_choice", "tool_choice.type", "tool_choice.mode",
    "tool_choice.tools[].type", "tool_choice.*", "text.verbosity", "text.format.type",
    "text.format(json_schema).*", "text.*", "metadata.*", "include[]",
    "reasoning.effort", "reasoning.summary", "reasoning.generate_summary", "reasoning.context",
    "reasoning.mode", "context_management[].type", "moderation.model", "truncation",
    "background_options.completion_window", "access_programs.cyber",
    "previous_response_id", "conversation", "conversation.id", "prompt.id", "prompt.version",
    "prompt.variables.*",
    "model", "service_tier", "user", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "prompt_cache_options.mode", "prompt_cache_options.ttl",
    "guardrails[].*",
    *sorted(
        chat_fields.REQUEST_REFUSED - {"previous_response_id", "conversation", "prompt"}
    ),
    "*",
)  # fmt: skip
_RESPONSES_SAID = (
    *(
        f"**.{name}"
        for name in (
            "id", "object", "type", "role", "status", "model", "call_id", "item_id",
            "approval_request_id", "previous_response_id", "service_tier", "truncation", "effort",
            "verbosity", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
            "user", "phase", "fingerprint", "file_id", "container_id", "obfuscation",
            "format", "quality", "size", "background", "output_format", "mode", "ttl",
            "tool_choice", "error.code", "error.param", "incomplete_details.reason",
            "prompt_cache_diagnostics.reason", "input_transformations[].reason",
            "reasoning.summary", "encrypted_content",
        )
    ),
    "error.message", "*",
)  # fmt: skip
_RESPONSE = (
    "instructions", "instructions[].*", "tools[].*", "output[message].content[output_text].text",
    "output[message].content[refusal].refusal", "output[function_call].name",
    "output[function_call].arguments", "output[reasoning].summary[].text",
    "output[reasoning].content[].text", "output[].result",
    "output[].tools[].environment.skills[].source.data",
    "output[].output", "output[].output.*", "output[].output[].*", "output[].action.*",
    "output[].operation.*",
)  # fmt: skip
_ITEM_DONE = (
    "item.output", "item.output.*", "item.output[].*", "item.action.*", "item.operation.*",
    "item.result", "item.tools[].environment.skills[].source.data",
)  # fmt: skip
RESPONSES = Form(
    Responses(),
    {
        Side.REQUEST: {"model": "m", "input": "hello"},
        Side.ANSWER: {"object": "response"},
        Side.EVENT: {"output_index": 0},
    },
    {
        Side.REQUEST: _RESPONSES_REQUEST,
        Side.ANSWER: (*_RESPONSE, *_RESPONSES_SAID),
        Side.EVENT: (
            "(response.output_text.delta).delta", "(response.refusal.delta).delta",
            "(response.function_call_arguments.delta).delta",
            "(response.reasoning_text.delta).delta", "(response.audio.delta).delta",
            "(response.image_generation_call.partial_image).partial_image_b64",
            "(response.output_text.done).text", "delta",
            *(f"response.{field}" for field in _RESPONSE), *_ITEM_DONE, *_RESPONSES_SAID,
        ),
    },
    plain={"content": "input_text", "input": "reasoning"},
    beside={"message": {"role": "user"}},
)  # fmt: skip
