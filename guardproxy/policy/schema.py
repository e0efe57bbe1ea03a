"""The JSON Schema of a policy file, for editors (draft 2020-12). Pure.

Made from the models that read a policy, so it cannot say anything else than they do. What only a
validator knows is added: the categories by name, and that an entry needs a config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias, cast

from guardproxy.policy.config import PolicyConfig
from guardproxy.policy.taxonomy import DESCRIPTIONS, V1_CATEGORIES, V2_CATEGORIES

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_THRESHOLD: dict[str, Json] = {"type": "number", "minimum": 0, "maximum": 1}
_VERSIONS = (("ModerationV1Config", V1_CATEGORIES), ("ModerationV2Config", V2_CATEGORIES))


def policy_schema() -> dict[str, Json]:
    """The schema as JSON values."""
    schema = {"$schema": _DRAFT, **_tidy(PolicyConfig.model_json_schema())}
    definitions = _member(schema, "$defs")
    for name, categories in _VERSIONS:
        thresholds = _member(definitions, name, "properties", "custom_category_thresholds")
        thresholds["anyOf"] = [_thresholds(categories, nullable=True), {"type": "null"}]
    partial = _member(definitions, "StreamingConfig", "properties")
    early = _member(partial, "partial_thresholds")
    early["anyOf"] = [_thresholds(V2_CATEGORIES, nullable=False), {"type": "null"}]
    _member(definitions, "GuardrailConfig")["anyOf"] = [
        {"required": ["moderation_llm_v1"]},
        {"required": ["moderation_llm_v2"]},
    ]
    return schema


def policy_schema_text() -> str:
    """The schema as it is shipped in `configs/policy.schema.json`."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _thresholds(categories: tuple[str, ...], *, nullable: bool) -> dict[str, Json]:
    threshold: dict[str, Json] = {**_THRESHOLD}
    if nullable:
        threshold["type"] = ["number", "null"]
    return {
        "type": "object",
        "properties": {
            category: {**threshold, "description": DESCRIPTIONS[category]}
            for category in categories
        },
        "additionalProperties": False,
    }


def _member(schema: dict[str, Json], *keys: str) -> dict[str, Json]:
    for key in keys:
        schema = cast("dict[str, Json]", schema[key])
    return schema


def _tidy(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Without pydantic's titles, which only repeat the keys, and descriptions on one line."""
    return {key: _tidy_value(key, value) for key, value in schema.items() if key != "title"}


def _tidy_value(key: str, value: Json) -> Json:
    if isinstance(value, dict):
        return _tidy(value)
    if isinstance(value, list):
        return [_tidy_value("", item) for item in value]
    if key == "description" and isinstance(value, str):
        return " ".join(value.split())
    return value
