from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from guardproxy.policy.config import PolicyConfig
from guardproxy.policy.load import configs_directory, shipped_policies
from guardproxy.policy.schema import policy_schema, policy_schema_text
from guardproxy.policy.taxonomy import DESCRIPTIONS, V1_CATEGORIES, V2_CATEGORIES

VALIDATOR = jsonschema.Draft202012Validator(policy_schema())


def policy(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - a policy's sections are of many types
    return {"name": "x", "input": [{"moderation_llm_v2": {}}], "output": []} | given


def entry(**config: Any) -> dict[str, Any]:  # noqa: ANN401 - also what is wrong on purpose
    return policy(input=[{"moderation_llm_v2": config}])


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())


def test_the_shipped_file_is_what_is_generated() -> None:
    shipped = (configs_directory() / "policy.schema.json").read_text(encoding="utf-8")

    assert shipped == policy_schema_text()


@pytest.mark.parametrize("path", shipped_policies().values(), ids=lambda path: path.stem)
def test_shipped_policies_fit_and_name_it_for_editors(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    VALIDATOR.validate(yaml.safe_load(text))
    assert text.startswith("# yaml-language-server: $schema=policy.schema.json\n")


@pytest.mark.parametrize(
    "good",
    [
        policy(),
        policy(input=[{"moderation_llm_v1": {}, "block_on_error": True}]),
        entry(custom_category_thresholds={"jailbreaking": 0.5, "law": None}),
        policy(streaming={"partial_thresholds": {"pii": 1}}, exempt_roles=["system"]),
    ],
)
def test_what_loads_fits(good: dict[str, Any]) -> None:
    PolicyConfig.model_validate(good)

    VALIDATOR.validate(good)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "x"},
        policy(inputs=[]),
        policy(name="Not A Name"),
        policy(input=[{}]),
        policy(input=[{"block_on_error": True}]),
        entry(action="flag"),
        entry(custom_category_thresholds={"dangerous_and_criminal_content": 0.5}),
        entry(custom_category_thresholds={"pii": 1.5}),
        entry(custom_category_thresholds={"pii": "0.5"}),
        policy(streaming={"partial_thresholds": {"pii": None}}),
        policy(passthrough=[{"path": "x", "methods": ["GET"]}]),
    ],
)
def test_what_does_not_load_does_not_fit(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        PolicyConfig.model_validate(bad)

    assert not VALIDATOR.is_valid(bad)


def test_every_key_and_every_category_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, section in {"policy": policy_schema(), **_definitions()}.items()
        for key, member in section.get("properties", {}).items()
        if not member.get("description")
    ]

    assert undescribed == []
    assert set(DESCRIPTIONS) == {*V1_CATEGORIES, *V2_CATEGORIES}


def test_the_page_on_policies_names_every_key_and_every_category() -> None:
    page = (configs_directory().parent / "docs" / "policies.md").read_text(encoding="utf-8")
    sections = {"": policy_schema(), **_definitions()}
    keys = {
        key
        for name, section in sections.items()
        for key in section.get("properties", {})
        if name != "Limits"  # docs/configuration.md has them
    }

    assert {key for key in keys if key not in page} == set()
    for category in V2_CATEGORIES:
        assert f"| `{category}` | {DESCRIPTIONS[category]} |" in page


def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = json.loads(policy_schema_text())["$defs"]
    return definitions
