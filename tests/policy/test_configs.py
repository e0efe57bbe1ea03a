"""The shipped policies, against the shipped model's own thresholds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from guardproxy.classifiers.recognizers.contacts import IP_CONFIDENCE
from guardproxy.classifiers.recognizers.resembling import RESEMBLING_CONFIDENCE
from guardproxy.policy.config import PolicyConfig, Unscannable
from guardproxy.policy.decide import Guardrail, resolve
from guardproxy.policy.load import load_policy, shipped_policies
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Action, StreamMode

MODEL = Path(__file__).parents[2] / "guardproxy" / "model" / "manifest.yaml"
DEFAULTS: dict[str, float] = yaml.safe_load(MODEL.read_text())["default_thresholds"]
HARM = set(V2_CATEGORIES) - {"health", "financial", "law", "pii", "jailbreaking"}


def config(name: str) -> PolicyConfig:
    return load_policy(shipped_policies()[name]).config


def blocking(guardrails: tuple[Guardrail, ...]) -> set[str]:
    return {
        category
        for guardrail in guardrails
        if guardrail.action is Action.BLOCK
        for category, threshold in guardrail.thresholds.items()
        if threshold < 1
    }


def both(name: str) -> tuple[set[str], set[str]]:
    """What blocks on input and on output."""
    policy = config(name)
    return blocking(resolve(policy.input, DEFAULTS)), blocking(resolve(policy.output, DEFAULTS))


def test_six_policies_are_shipped() -> None:
    assert list(shipped_policies()) == [
        "bank-support",
        "general-assistant",
        "mistral-v1",
        "monitor-only",
        "pii-only",
        "strict",
    ]


@pytest.mark.parametrize(("name", "path"), shipped_policies().items())
def test_a_shipped_policy_loads_under_its_name_and_says_whom_it_is_for(
    name: str, path: Path
) -> None:
    loaded = load_policy(path)

    assert loaded.config.name == name
    assert loaded.config.description
    assert path.read_text(encoding="utf-8").splitlines()[2].startswith("# For ")
    assert bool(loaded.warnings) == (name == "mistral-v1")


@pytest.mark.parametrize("name", shipped_policies())
def test_a_threshold_that_is_the_default_is_left_to_the_model(name: str) -> None:
    policy = config(name)

    for entry in (*policy.input, *policy.output):
        version = entry.moderation_llm_v2 or entry.moderation_llm_v1
        assert version is not None
        for category, threshold in (version.custom_category_thresholds or {}).items():
            assert threshold != DEFAULTS[category]


def test_the_general_assistant_blocks_harm_and_on_input_jailbreaks() -> None:
    assert both("general-assistant") == (HARM | {"jailbreaking"}, HARM)


def test_strict_blocks_everything_and_lets_nothing_unread_pass() -> None:
    policy = config("strict")

    assert both("strict") == (set(V2_CATEGORIES), set(V2_CATEGORIES))
    assert policy.streaming.mode is StreamMode.BUFFER
    assert {what for _, what in policy.unscannable} == {Unscannable.BLOCK}


def test_monitoring_blocks_nothing_not_even_on_error() -> None:
    policy = config("monitor-only")

    assert both("monitor-only") == (set(), set())
    assert not any(entry.block_on_error for entry in (*policy.input, *policy.output))
    assert Unscannable.BLOCK not in {what for _, what in policy.unscannable}


def test_a_bank_answers_on_money_and_not_on_health_or_law() -> None:
    assert both("bank-support") == (
        HARM | {"jailbreaking"},
        HARM | {"health", "law", "pii"},
    )


def test_pii_only_evaluates_pii_only() -> None:
    policy = config("pii-only")

    for guardrail in resolve((*policy.input, *policy.output), {}):
        assert list(guardrail.thresholds) == ["pii"]
    assert both("pii-only") == ({"pii"}, {"pii"})


@pytest.mark.parametrize("confidence", [IP_CONFIDENCE, RESEMBLING_CONFIDENCE])
def test_pii_only_stops_what_only_resembles_personal_data_and_the_default_does_not(
    confidence: float,
) -> None:
    policy = config("pii-only")

    for guardrail in resolve((*policy.input, *policy.output), DEFAULTS):
        assert guardrail.thresholds["pii"] < confidence < DEFAULTS["pii"]


@pytest.mark.parametrize("name", sorted(set(shipped_policies()) - {"monitor-only"}))
def test_every_policy_that_blocks_blocks_on_error(name: str) -> None:
    policy = config(name)

    assert all(entry.block_on_error for entry in (*policy.input, *policy.output))
