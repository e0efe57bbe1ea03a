from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guardproxy.errors import PolicyError
from guardproxy.policy.decide import decide, resolve
from guardproxy.policy.load import configs_directory, load_policy_text
from guardproxy.policy.migrate import migrate
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES

OLD = """\
# For the shop.
name: shop        # shown in headers
input:
  # people
  - block_on_error: true
    moderation_llm_v1:   # the old one
      model_name: mistral-moderation-2411
      action: block
      custom_category_thresholds:
        dangerous_and_criminal_content: 0.4   # agreed with legal
        pii: 0.5  # last
output:
  - moderation_llm_v1: {action: "block", ignore_other_categories: true,
      custom_category_thresholds: {'dangerous_and_criminal_content': 0.25, law: 1}}
"""

NEW = """\
# For the shop.
name: shop        # shown in headers
input:
  # people
  - block_on_error: true
    moderation_llm_v2:   # the old one
      model_name: mistral-moderation-2603
      action: block
      custom_category_thresholds:
        dangerous: 0.4   # agreed with legal
        criminal: 0.4
        pii: 0.5  # last
        jailbreaking: 1
output:
  - moderation_llm_v2: {action: "block", ignore_other_categories: true,
      custom_category_thresholds: {'dangerous': 0.25, criminal: 0.25, law: 1}}
"""


SPLIT = """
      custom_category_thresholds:
        dangerous:
        criminal:
        jailbreaking: 1"""


def input_of(config: str) -> str:
    return f"name: x\ninput:\n  - moderation_llm_v1:{config}\noutput: []\n"


def test_comments_and_layout_stay_and_v1_becomes_v2() -> None:
    migration = migrate(OLD, "shop.yaml")

    assert migration.text == NEW
    assert migration.left == 0


def test_windows_line_ends_stay() -> None:
    assert migrate(OLD.replace("\n", "\r\n"), "shop.yaml").text == NEW.replace("\n", "\r\n")


def test_what_is_v2_already_stays_byte_for_byte() -> None:
    migration = migrate(NEW, "shop.yaml")

    assert (migration.text, migration.notes, migration.left) == (NEW, (), 0)


def test_notes_say_where_what_changes() -> None:
    notes = migrate(OLD, "shop.yaml").notes

    assert [note.split(": ")[0] for note in notes] == ["shop.yaml:6", "shop.yaml:7", "shop.yaml:13"]
    assert "answers name it so" in notes[0]
    assert "jailbreaking is new in v2: switched off" in notes[1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" {action: block}", " {action: block, custom_category_thresholds: {jailbreaking: 1}}"),
        (" {}", " {custom_category_thresholds: {jailbreaking: 1}}"),
        (
            " {custom_category_thresholds: {}}",
            " {custom_category_thresholds: {jailbreaking: 1}}",
        ),
        (
            "\n      custom_category_thresholds:\n      action: block",
            "\n      custom_category_thresholds: {jailbreaking: 1}\n      action: block",
        ),
        (
            "\n      custom_category_thresholds: null # none",
            "\n      custom_category_thresholds: {jailbreaking: 1} # none",
        ),
        (
            "\n      action: block",
            "\n      action: block\n      custom_category_thresholds: {jailbreaking: 1}",
        ),
        (
            "\n      custom_category_thresholds:\n        dangerous_and_criminal_content:",
            SPLIT,
        ),
    ],
)
def test_the_new_category_is_switched_off_in_every_layout(old: str, new: str) -> None:
    assert migrate(input_of(old), "x").text == input_of(new).replace("_v1", "_v2")


def test_the_new_category_is_evaluated_if_wanted() -> None:
    migration = migrate(OLD, "shop.yaml", with_jailbreaking=True)

    assert migration.text == NEW.replace("        jailbreaking: 1\n", "")
    assert "now evaluated" in migration.notes[1]


def test_a_default_that_cannot_be_kept_is_told() -> None:
    (_, note, _) = migrate(input_of(" {action: block}"), "x").notes

    assert "dangerous_and_criminal_content has the classifier's default" in note


def test_an_entry_with_both_versions_is_left_and_told() -> None:
    text = input_of(" {}\n    moderation_llm_v2: {}")

    migration = migrate(text, "x")

    assert (migration.text, migration.left) == (text, 1)
    assert "merge them by hand" in migration.notes[0]


def test_a_null_version_beside_the_other_is_left() -> None:
    text = input_of("\n    moderation_llm_v2: {}")

    assert migrate(text, "x").text == text


def test_an_entry_that_ignores_other_categories_only_changes_its_name() -> None:
    text = input_of(" {ignore_other_categories: true, custom_category_thresholds: {pii: 0.1}}")

    assert migrate(text, "x").text == text.replace("_v1", "_v2")


def test_partial_thresholds_that_read_differently_are_told() -> None:
    text = OLD + "streaming:\n  partial_thresholds: {dangerous: 0.9}\n"

    assert "took the higher of dangerous and criminal" in migrate(text, "x").notes[-1]
    assert len(migrate(text.replace("dangerous:", "pii:"), "x").notes) == 3


def test_a_policy_that_cannot_be_used_is_not_migrated() -> None:
    with pytest.raises(PolicyError, match=r"x:1: name: must match"):
        migrate(OLD.replace("# For the shop.\nname: shop", "name: Shop"), "x")


def test_the_shipped_v1_policy_migrates() -> None:
    text = (configs_directory() / "mistral-v1.yaml").read_text()

    assert "moderation_llm_v1:" not in migrate(text, "mistral-v1.yaml").text


thresholds = st.dictionaries(
    st.sampled_from(V1_CATEGORIES), st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=4
)
v1_fields: dict[str, st.SearchStrategy[Any]] = {
    "custom_category_thresholds": st.none() | thresholds,
    "model_name": st.sampled_from(["mistral-moderation-2411", "mine"]),
    "ignore_other_categories": st.booleans(),
}


def evaluates_something(config: dict[str, Any]) -> bool:
    given = (config.get("custom_category_thresholds") or {}).values()
    return not config.get("ignore_other_categories") or any(value is not None for value in given)


v1_configs = st.fixed_dictionaries(
    {"action": st.sampled_from(["none", "block"])}, optional=v1_fields
).filter(evaluates_something)
policies = st.lists(v1_configs, min_size=1, max_size=3).map(
    lambda configs: {
        "name": "x",
        "input": [{"block_on_error": True, "moderation_llm_v1": config} for config in configs],
        "output": [],
    }
)
layouts: list[Callable[[object], str]] = [
    yaml.safe_dump,
    lambda policy: yaml.safe_dump(policy, default_flow_style=True, width=40),
    lambda policy: yaml.safe_dump(policy, default_flow_style=None),
    json.dumps,
    lambda policy: json.dumps(policy, separators=(",", ":")),
]
levels = st.sampled_from([0.0, 0.2, 0.3, 0.5, 0.6, 1.0])
scores = st.fixed_dictionaries(dict.fromkeys(V2_CATEGORIES, levels))


@settings(max_examples=40)
@given(policies, st.sampled_from(layouts), scores)
def test_what_was_blocked_is_blocked_and_nothing_else(
    policy: dict[str, Any], layout: Callable[[object], str], scored: Mapping[str, float]
) -> None:
    # With equal defaults for both sources nothing is left that v2 cannot say.
    defaults = dict.fromkeys(V2_CATEGORIES, 0.5)
    text = layout(policy)

    migrated = migrate(text, "x").text

    assert "moderation_llm_v1" not in migrated
    before, after = (
        [
            (result.blocked, result.violated)
            for result in decide(
                resolve(load_policy_text(one, "x").config.input, defaults), [("a", scored)]
            )
        ]
        for one in (text, migrated)
    )
    assert before == after
