"""Completions of a prompt: OpenAI's legacy `/v1/completions`, Mistral's `/v1/fim/completions`.

Both fill in what follows a `prompt`, or what stands between it and a `suffix`. A legacy answer has
`choices[].text`, also in its stream; FIM answers as chat completions do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from guardproxy.content import Role
from guardproxy.dialects import chat_fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chat_completions import ChatCompletions, ChatStream
from guardproxy.dialects.leaves import left_over
from guardproxy.dialects.request_reader import RequestReader
from guardproxy.dialects.request_values import (
    choices_of,
    count_of,
    object_of,
    odd_biases,
    refuse_guardrails,
    refuse_unread,
    switch_of,
    text_inputs,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

_STRUCTURE = re.compile(r"model|user|service_tier|safety_identifier|prompt_cache_key")
_REFUSED = chat_fields.REQUEST_REFUSED - {"prompt"}
_READ_APART = frozenset({"prompt", "suffix", "logit_bias", "guardrails"})
_COUNTS = ("max_tokens", "min_tokens", "logprobs", "prompt_logprobs")
_KNOWN = chat_fields.REQUEST_KNOWN.union(_READ_APART, _COUNTS, {"n", "best_of"})


class Completions(ChatCompletions):
    """Legacy completions; fits `Dialect`."""

    name = "completions"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return _read(object_of(body, limits, _KNOWN), body, limits)

    def open_stream(self, limits: Limits) -> ChatStream:
        return ChatStream(limits, kind="text_completion", silent=("text", ""))


class FimCompletions(ChatCompletions):
    """Fill in the middle; fits `Dialect`."""

    name = "fim_completions"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        value = object_of(body, limits, _KNOWN)
        refuse_guardrails(value)
        return _read(value, body, limits)


def _read(value: Mapping[str, JsonValue], body: bytes, limits: Limits) -> Asked:
    refuse_unread(value, _REFUSED)
    for field in _COUNTS:
        count_of(value, field)
    prompts = text_inputs(value, "prompt", limits.choices)
    _check_choices(value, len(prompts), limits)
    reader = RequestReader(limits)
    suffix = value.get("suffix")
    for path, prompt in prompts:
        reader.say(Role.USER, prompt, path)
        reader.gap(prompt, suffix, f"{path}..suffix")
    reader.rest(suffix, Role.USER, "suffix")
    reader.rest(odd_biases(value.get("logit_bias")), Role.UNKNOWN, "logit_bias")
    reader.rest(left_over(value, _READ_APART), Role.UNKNOWN, "$", structure=_STRUCTURE)
    return reader.asked(value, body, stream=switch_of(value, "stream") is True)


def _check_choices(value: Mapping[str, JsonValue], prompts: int, limits: Limits) -> None:
    """Every prompt has `n` choices; the upstream makes `best_of` (from 0) of them and picks."""
    choices_of(value, "best_of", limits, least=0)
    if choices_of(value, "n", limits) * prompts > limits.choices:
        raise RequestError(
            f"prompts times `n` must be at most {limits.choices}",
            code="too_many_choices", param="n",
        )  # fmt: skip
