"""The fields of Mistral's conversations: started, continued, restarted."""

from __future__ import annotations

from collections.abc import Mapping

from guardproxy.dialects import chat_fields
from guardproxy.dialects.conversations import ConversationAppend, Conversations
from guardproxy.dialects.coverage import Form, Side

_ARGUMENTS = (
    "completion_args.stop", "completion_args.stop[]", "completion_args.tool_choice",
    "completion_args.reasoning_effort", "completion_args.response_format.type",
    "completion_args.response_format.json_schema.*", "completion_args.prediction.type",
    "completion_args.prediction.content", "completion_args.*",
)  # fmt: skip
_INPUTS = (
    "inputs", "inputs[].role", "inputs[].content", "inputs[].content[].text",
    "inputs[].content[thinking].thinking[].text", "inputs[].content[thinking].thinking[].type",
    "inputs[].content[].type", "inputs[].content[].signature",
    "inputs[].content[image_url].image_url",
    "inputs[].content[image_url].image_url.url", "inputs[].content[image_url].image_url.detail",
    "inputs[].content[document_url].document_url", "inputs[].content[tool_file].file_id",
    "inputs[].content[resource_link].uri",
    "inputs[].content[].*",
    "inputs[function.call].name", "inputs[function.call].arguments",
    "inputs[function.result].result",
    *(
        f"inputs[].{name}"
        for name in (
            "id", "object", "type", "created_at", "completed_at", "agent_id", "model",
            "tool_call_id", "confirmation_status", "previous_agent_id", "next_agent_id", "*",
        )
    ),
)  # fmt: skip
_REQUEST = (
    "instructions", "tools[].*", *_INPUTS, *_ARGUMENTS, "name", "description", "metadata.*",
    "model", "agent_id", "agent_version", "from_entry_id", "handoff_execution",
    "tool_confirmations[].tool_call_id", "tool_confirmations[].confirmation",
    *sorted(chat_fields.REQUEST_REFUSED), "*",
)  # fmt: skip
_SAID = (
    *(
        f"**.{name}"
        for name in (
            "id", "object", "type", "role", "model", "status", "code", "conversation_id",
            "agent_id", "previous_agent_id", "next_agent_id", "created_at", "completed_at",
            "confirmation_status", "tool_call_id", "service_tier",
        )
    ),
    "*",
)  # fmt: skip
_AROUND: Mapping[Side, Mapping[str, object]] = {
    Side.REQUEST: {"inputs": "hello"},
    Side.ANSWER: {"object": "conversation.response"},
    Side.EVENT: {"output_index": 0},
}
CONVERSATIONS = Form(
    Conversations(),
    _AROUND,
    {
        Side.REQUEST: ("guardrails[].*", *_REQUEST),
        Side.ANSWER: (
            "outputs[message.output].content", "outputs[message.output].content[].text",
            "outputs[message.output].content[thinking].thinking[].text",
            "outputs[function.call].name", "outputs[function.call].arguments",
            "outputs[tool.execution].arguments", *_SAID,
        ),
        Side.EVENT: (
            "(message.output.delta).content", "(message.output.delta).content(text).text",
            "(function.call.delta).name", "(function.call.delta).arguments",
            "(tool.execution.delta).arguments", "(conversation.response.error).message", *_SAID,
        ),
    },
)  # fmt: skip
CONVERSATION_APPEND = Form(
    ConversationAppend(), _AROUND, {Side.REQUEST: ("guardrails[].*", *_REQUEST)}
)
