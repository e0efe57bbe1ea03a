"""What a policy says: YAML files and inline `guardrails`, read strictly.

Guardrail entries are field for field Mistral's (api-contracts 1.2, 1.3); the rest is ours.
An unknown key, a wrong type or a threshold outside 0..1 is an error, never a default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardproxy.content import Role
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from guardproxy.verdict import Action

KIB = 1024
MIB = 1024 * KIB

Threshold = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


def _refuse_unknown_categories(
    thresholds: dict[str, Threshold | None] | dict[str, Threshold] | None, known: tuple[str, ...]
) -> None:
    for category in thresholds or ():
        if category not in known:
            raise ValueError(f"unknown category {category!r}; known are {', '.join(known)}")


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, protected_namespaces=()
    )


class ModerationV1Config(_Strict):
    """Mistral `ModerationLLMV1Config`: nine categories, deprecated since 2026-03-31."""

    model_name: str = "mistral-moderation-2411"
    custom_category_thresholds: dict[str, Threshold | None] | None = None
    ignore_other_categories: bool = False
    action: Action = Field(default=Action.NONE, strict=False)

    @model_validator(mode="after")
    def _categories_are_known(self) -> ModerationV1Config:
        _refuse_unknown_categories(self.custom_category_thresholds, V1_CATEGORIES)
        return self


class ModerationV2Config(_Strict):
    """Mistral `ModerationLLMV2Config`: eleven categories."""

    model_name: str = "mistral-moderation-2603"
    custom_category_thresholds: dict[str, Threshold | None] | None = None
    ignore_other_categories: bool = False
    action: Action = Field(default=Action.NONE, strict=False)

    @model_validator(mode="after")
    def _categories_are_known(self) -> ModerationV2Config:
        _refuse_unknown_categories(self.custom_category_thresholds, V2_CATEGORIES)
        return self


class GuardrailConfig(_Strict):
    """One guardrail entry, in a policy file or inline in a request."""

    block_on_error: bool = False
    moderation_llm_v1: ModerationV1Config | None = None
    moderation_llm_v2: ModerationV2Config | None = None

    @model_validator(mode="after")
    def _has_a_config(self) -> GuardrailConfig:
        # The Mistral SDK drops an invalid sub-config whole, so an empty entry is most often a
        # mistyped one: letting it through would be a guard that is off without a trace.
        if self.moderation_llm_v1 is None and self.moderation_llm_v2 is None:
            raise ValueError(
                "has neither moderation_llm_v1 nor moderation_llm_v2; "
                "a client library may have dropped an invalid one"
            )
        return self


class StreamMode(StrEnum):
    """When the text of a stream may leave."""

    HOLD = "hold"
    """After a verdict covers it."""
    BUFFER = "buffer"
    """After the whole answer is judged."""
    LIVE = "live"
    """At once; the stream is cut when something is found."""


class StreamingConfig(_Strict):
    mode: StreamMode = Field(default=StreamMode.HOLD, strict=False)
    partial_thresholds: dict[str, Threshold] = Field(default_factory=dict)
    """v2 category -> threshold while an answer is still short and unfinished, if it is higher."""
    keep_alive_seconds: float = Field(default=15.0, gt=0, le=300)

    @model_validator(mode="after")
    def _categories_are_known(self) -> StreamingConfig:
        _refuse_unknown_categories(self.partial_thresholds, V2_CATEGORIES)
        return self


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
    image: Unscannable = Field(default=Unscannable.FLAG, strict=False)
    audio: Unscannable = Field(default=Unscannable.BLOCK, strict=False)
    file: Unscannable = Field(default=Unscannable.BLOCK, strict=False)


class Limits(_Strict):
    """Bounds on the content of one request or answer. Sizes are bytes. (bad-inputs 5)."""

    body_bytes: int = Field(default=4 * MIB, ge=1)
    answer_bytes: int = Field(default=8 * MIB, ge=1)
    json_depth: int = Field(default=64, ge=4, le=200)
    json_members: int = Field(default=20_000, ge=1)
    messages: int = Field(default=2_048, ge=1)
    parts: int = Field(default=4_096, ge=1)
    choices: int = Field(default=16, ge=1)
    tools: int = Field(default=128, ge=0)
    event_bytes: int = Field(default=1 * MIB, ge=1)
    hold_bytes: int = Field(default=64 * KIB, ge=1)


class PassthroughRoute(_Strict):
    """A route that no dialect covers and that may pass: every string in it is judged as text."""

    path: str = Field(pattern=r"^/[A-Za-z0-9._~/{}-]*$")
    methods: list[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]] = Field(min_length=1)


class PolicyConfig(_Strict):
    """A policy file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    description: str = ""
    input: list[GuardrailConfig]
    output: list[GuardrailConfig]
    streaming: StreamingConfig = StreamingConfig()
    inline: InlineHandling = Field(default=InlineHandling.ADD, strict=False)
    unscannable: UnscannableConfig = UnscannableConfig()
    exempt_roles: list[Annotated[Role, Field(strict=False)]] = Field(default_factory=list)
    """Roles whose text is not judged on input, because the operator wrote it himself."""
    limits: Limits = Limits()
    passthrough: list[PassthroughRoute] = Field(default_factory=list)

    @model_validator(mode="after")
    def _only_own_text_is_exempt(self) -> PolicyConfig:
        own = {Role.SYSTEM, Role.DEVELOPER, Role.DEFINITION}
        if foreign := [role for role in self.exempt_roles if role not in own]:
            raise ValueError(
                f"exempt_roles: {foreign[0]} is not the operator's own text; "
                f"allowed are {', '.join(sorted(own))}"
            )
        return self
