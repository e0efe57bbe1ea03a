"""What a policy says: YAML files and inline `guardrails`, read strictly.

Guardrail entries are field for field Mistral's (api-contracts 1.2, 1.3); the rest is ours.
An unknown key, a wrong type or a threshold outside 0..1 is an error, never a default.
The text below a field is its description in the JSON Schema.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from guardproxy.content import Role
from guardproxy.policy.taxonomy import V1_CATEGORIES, V1_SOURCES, V2_CATEGORIES
from guardproxy.verdict import Action, StreamMode

KIB = 1024
MIB = 1024 * KIB

NOTHING_GIVEN = "nothing_given"
"""The type of an error about an entry in which the important part is missing."""

Threshold = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
# Goes out again in bodies and headers, so it has the form of a name.
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]


def _v1_category(name: str) -> str:
    if name in V1_CATEGORIES:
        return name
    if counterpart := [v1 for v1, sources in V1_SOURCES.items() if name in sources]:
        raise ValueError(f"is a v2 category; v1 has {counterpart[0]}")
    raise ValueError(f"is not a category; these are {', '.join(V1_CATEGORIES)}")


def _v2_category(name: str) -> str:
    if name in V2_CATEGORIES:
        return name
    if name in V1_CATEGORIES:
        raise ValueError(f"is a v1 category; v2 has {' and '.join(V1_SOURCES[name])}")
    raise ValueError(f"is not a category; these are {', '.join(V2_CATEGORIES)}")


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]

V1Category = Annotated[str, AfterValidator(_v1_category)]
V2Category = Annotated[str, AfterValidator(_v2_category)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


Category = TypeVar("Category", bound=str)


class _ModerationConfig(_Strict, Generic[Category]):
    custom_category_thresholds: dict[Category, Threshold | None] | None = None
    """Category -> threshold, 0..1. A score above it is a violation; 1 switches the category off;
    null is not given. What is not given has the classifier's default."""
    ignore_other_categories: bool = False
    """Evaluate only the categories that have a threshold here."""
    action: Action = Field(default=Action.NONE, strict=False)
    """What a violation does: `block`, or `none` to report only."""

    @model_validator(mode="after")
    def _evaluates_something(self) -> Self:
        # The Mistral SDK drops thresholds of which one is invalid, so this, too, is most often a
        # mistyped entry, and letting it through would be a guard that is off without a trace.
        given = (self.custom_category_thresholds or {}).values()
        if self.ignore_other_categories and all(threshold is None for threshold in given):
            raise PydanticCustomError(
                NOTHING_GIVEN,
                "evaluates no category: ignore_other_categories is true and no threshold is given",
            )
        return self


class ModerationV1Config(_ModerationConfig[V1Category]):
    """Mistral `ModerationLLMV1Config`: nine categories, deprecated since 2026-03-31."""

    model_name: ModelName = "mistral-moderation-2411"
    """Shown in answers. Leave it out: guardproxy judges with its own classifier."""


class ModerationV2Config(_ModerationConfig[V2Category]):
    """Mistral `ModerationLLMV2Config`: eleven categories."""

    model_name: ModelName = "mistral-moderation-2603"
    """Shown in answers. Leave it out: guardproxy judges with its own classifier."""


class GuardrailConfig(_Strict):
    """One guardrail entry, in a policy file or inline in a request."""

    block_on_error: bool = False
    """Block when the classifier fails, is late, overloaded or missing; else pass, with a mark."""
    moderation_llm_v1: ModerationV1Config | None = None
    """Nine categories. Deprecated: `guardproxy policy migrate` rewrites it to v2."""
    moderation_llm_v2: ModerationV2Config | None = None
    """Eleven categories."""

    @model_validator(mode="after")
    def _has_a_config(self) -> GuardrailConfig:
        # The Mistral SDK drops an invalid sub-config whole, so an empty entry is most often a
        # mistyped one: letting it through would be a guard that is off without a trace.
        if self.moderation_llm_v1 is None and self.moderation_llm_v2 is None:
            empty = sorted(self.model_fields_set & {"moderation_llm_v1", "moderation_llm_v2"})
            if empty:
                raise PydanticCustomError(
                    NOTHING_GIVEN, "{name} is empty; give at least its action", {"name": empty[0]}
                )
            raise PydanticCustomError(
                NOTHING_GIVEN, "has neither moderation_llm_v1 nor moderation_llm_v2"
            )
        return self


class StreamingConfig(_Strict):
    """When the text of a stream leaves, and by what it is judged until it is whole."""

    mode: StreamMode = Field(default=StreamMode.HOLD, strict=False)
    """When text may leave: `hold` after a verdict covers it, `buffer` after the whole answer is
    judged, `live` at once, and the stream is cut when something is found."""
    partial_thresholds: dict[V2Category, Threshold] | None = None
    """v2 category -> threshold above which an unfinished answer is blocked, where it is higher than
    the entry's. Between the two its text waits for what follows; what is finished is judged with
    the entry's own. Not given: the classifier's own in mode `hold`, none in the others."""
    keep_alive_seconds: float = Field(default=15.0, gt=0, le=300)
    """A comment is sent after so many seconds in which nothing may leave."""


class InlineHandling(StrEnum):
    """What becomes of `guardrails` in a request. They can add to the policy, never weaken it."""

    ADD = "add"
    IGNORE = "ignore"
    REFUSE = "refuse"


class Unscannable(StrEnum):
    """What becomes of content that the classifier cannot read."""

    BLOCK = "block"
    ALLOW = "allow"
    FLAG = "flag"


class UnscannableConfig(_Strict):
    """What becomes of content that cannot be read: `block`, `allow`, or `flag` (pass, marked)."""

    image: Unscannable = Field(default=Unscannable.FLAG, strict=False)
    """Images."""
    audio: Unscannable = Field(default=Unscannable.BLOCK, strict=False)
    """Audio."""
    file: Unscannable = Field(default=Unscannable.BLOCK, strict=False)
    """Files, embedded or by id, and every other content that is not text."""


class Limits(_Strict):
    """Bounds on the content of one request or answer. Sizes are bytes."""

    body_bytes: int = Field(default=4 * MIB, ge=1)
    """Request body."""
    answer_bytes: int = Field(default=8 * MIB, ge=1)
    """Answer, decoded."""
    json_depth: int = Field(default=64, ge=4, le=200)
    """Nesting of a JSON body."""
    json_members: int = Field(default=20_000, ge=1)
    """Members and items of a JSON body in all."""
    messages: int = Field(default=2_048, ge=1)
    """Messages of a request."""
    parts: int = Field(default=4_096, ge=1)
    """Content parts of all messages."""
    choices: int = Field(default=16, ge=1)
    """Choices of an answer."""
    tools: int = Field(default=128, ge=0)
    """Tool definitions."""
    event_bytes: int = Field(default=1 * MIB, ge=1)
    """One server-sent event."""
    hold_bytes: int = Field(default=64 * KIB, ge=1)
    """Bytes of a stream held back at once."""


_SEGMENT = re.compile(r"([^{}]|\{[^{}]*\})*")


def _possible_path(path: str) -> str:
    for segment in path.split("/"):
        if segment in (".", ".."):
            raise ValueError("has a segment of dots, which no request may have")
        if _SEGMENT.fullmatch(segment) is None:
            raise ValueError("has a segment with a brace that has no counterpart: {name}")
    return path


class PassthroughRoute(_Strict):
    """A route that no dialect covers and that may pass: every string in it is judged as text."""

    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/{}-]*$"), AfterValidator(_possible_path)]
    """Path as the caller sends it; `{name}` stands for one segment."""
    methods: list[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]] = Field(min_length=1)
    """HTTP methods."""


def _own_text(role: Role) -> Role:
    own = (Role.SYSTEM, Role.DEVELOPER, Role.DEFINITION)
    if role not in own:
        raise ValueError(f"is not the operator's own text; allowed are {', '.join(own)}")
    return role


SCOPES = ("input", "tool_results", "output")
"""Keys of a policy that hold guardrail entries."""


class PolicyConfig(_Strict):
    """A policy file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """Shown in headers, logs and `/healthz`."""
    description: str = ""
    """For whom the policy is."""
    input: list[GuardrailConfig]
    """Guardrail entries for requests. A request is blocked if any of them blocks it. An empty
    list leaves requests unjudged."""
    output: list[GuardrailConfig]
    """Guardrail entries for answers. An empty list leaves answers unjudged."""
    tool_results: list[GuardrailConfig] | None = None
    """Guardrail entries for what tools and functions return, in place of `input`. If left out, it
    is judged by `input`; an empty list leaves it unjudged. Whoever may send such a message is
    judged by these entries."""
    streaming: StreamingConfig = StreamingConfig()
    """How streamed answers are guarded."""
    inline: InlineHandling = Field(default=InlineHandling.ADD, strict=False)
    """What becomes of `guardrails` in a request: `add` to these entries, `ignore`, or `refuse` the
    request. They can never weaken the policy."""
    unscannable: UnscannableConfig = UnscannableConfig()
    """What becomes of content that cannot be read."""
    exempt_roles: list[Annotated[Role, Field(strict=False), AfterValidator(_own_text)]] = Field(
        default_factory=list
    )
    """Roles whose text is not judged in requests, because only the operator writes it: `system`,
    `developer`, `definition`. Whoever may send such a role is then not judged at all."""
    exempt_sha256: list[Sha256] = Field(default_factory=list)
    """SHA-256 of texts that are not judged in requests, whatever their role: what an agent's
    framework writes around the words of its users. `guardproxy policy hash` prints them. A
    text that differs in one character is judged."""
    allow_stored_state: bool = False
    """Let requests refer to text that is stored upstream: `previous_response_id`, `conversation`,
    stored prompts and items of the Responses API. It was judged only if it came this way."""
    limits: Limits = Limits()
    """Bounds on the content of one request or answer."""
    passthrough: list[PassthroughRoute] = Field(default_factory=list)
    """Routes that may pass although no dialect covers them."""

    @model_validator(mode="after")
    def _guards_something(self) -> PolicyConfig:
        if not (self.input or self.output or self.tool_results):
            raise ValueError("guards nothing: input and output are both empty")
        return self
