"""A tuned policy says what it said before, but for the thresholds."""

from __future__ import annotations

import pytest

from guardproxy.errors import PolicyError
from guardproxy.evals.policy_patch import Place, patch, places, thresholds_now, with_thresholds
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.load import load_policy_text, shipped_policies
from guardproxy.verdict import Direction
from tests.evals.samples import HALF

BOTH = (Direction.INPUT, Direction.OUTPUT)
FRESH = {"pii": 0.25, "sexual": 0.125}


def active(text: str) -> ActivePolicy:
    return activate(load_policy_text(text, "a.yaml"), HALF)


def tuned(text: str) -> str:
    return with_thresholds(text, "a.yaml", places(active(text), BOTH), FRESH)


def policy(entry: str) -> str:
    return f"name: a  # mine\ninput:\n  - moderation_llm_v2: {entry}\noutput: []\n"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "{action: block}",
            "{custom_category_thresholds: {sexual: 0.125, pii: 0.25}, action: block}",
        ),
        ("{}", "{custom_category_thresholds: {sexual: 0.125, pii: 0.25}}"),
        (
            "{custom_category_thresholds: null}",
            "{custom_category_thresholds: {sexual: 0.125, pii: 0.25}}",
        ),
        (
            "{custom_category_thresholds: {}}",
            "{custom_category_thresholds: {sexual: 0.125, pii: 0.25}}",
        ),
        (
            "{custom_category_thresholds: {pii: 0.9, law: 1}}",
            "{custom_category_thresholds: {sexual: 0.125, pii: 0.25, law: 1}}",
        ),
        (
            "{custom_category_thresholds: {pii: 1}}",
            "{custom_category_thresholds: {sexual: 0.125, pii: 1}}",
        ),
        (
            "{custom_category_thresholds: {pii: 0.3}, ignore_other_categories: true}",
            "{custom_category_thresholds: {pii: 0.25}, ignore_other_categories: true}",
        ),
        (
            "{custom_category_thresholds: {law: 0.3}, ignore_other_categories: true}",
            "{custom_category_thresholds: {law: 0.3}, ignore_other_categories: true}",
        ),
        (
            "\n      # why\n      action: block  # always\n",
            (
                "\n      # why\n      custom_category_thresholds: {sexual: 0.125, pii: 0.25}\n"
                "      action: block  # always\n"
            ),
        ),
        (
            "\n      custom_category_thresholds:\n        pii: 0.9  # tried\n        law:\n",
            (
                "\n      custom_category_thresholds:\n        sexual: 0.125\n"
                "        pii: 0.25  # tried\n        law:\n"
            ),
        ),
        (
            "\n      custom_category_thresholds:\n      action: block\n",
            "\n      custom_category_thresholds: {sexual: 0.125, pii: 0.25}\n      action: block\n",
        ),
        (
            "\n      custom_category_thresholds:\n        pii:\n        law: 1\n",
            (
                "\n      custom_category_thresholds:\n        sexual: 0.125\n"
                "        pii: 0.25\n        law: 1\n"
            ),
        ),
    ],
)
def test_thresholds_are_written_where_they_stand(entry: str, expected: str) -> None:
    assert tuned(policy(entry)) == policy(expected)


@pytest.mark.parametrize("name", ["strict", "general-assistant", "bank-support", "monitor-only"])
def test_every_shipped_policy_of_v2_can_be_tuned(name: str) -> None:
    text = shipped_policies()[name].read_text(encoding="utf-8")
    before = active(text)
    edited = tuned(text)

    after = active(edited)
    for was, now in zip(
        (*before.input, *before.output), (*after.input, *after.output), strict=True
    ):
        assert now.thresholds == {
            category: threshold if threshold == 1 else FRESH.get(category, threshold)
            for category, threshold in was.thresholds.items()
        }
    comments = [line for line in text.splitlines() if "#" in line]
    assert [line for line in edited.splitlines() if "#" in line] == comments


def test_entries_that_block_are_tuned_or_all_if_none_does() -> None:
    mixed = active(
        "{name: a, input: [{moderation_llm_v2: {}}, {moderation_llm_v2: {action: block}}], "
        "output: [{moderation_llm_v2: {}}, {moderation_llm_v1: {action: block}}]}"
    )

    assert list(places(mixed, BOTH)) == [Place(Direction.INPUT, 1), Place(Direction.OUTPUT, 0)]
    assert list(places(mixed, [Direction.OUTPUT])) == [Place(Direction.OUTPUT, 0)]


def test_a_policy_of_v1_is_sent_to_migrate() -> None:
    with pytest.raises(PolicyError, match=r"a\.yaml: has no moderation_llm_v2 entry.*migrate"):
        places(active("{name: a, input: [{moderation_llm_v1: {}}], output: []}"), BOTH)


def test_what_counts_now_is_the_lowest_threshold_that_is_on() -> None:
    two = active(
        "{name: a, input: [{moderation_llm_v2: {custom_category_thresholds: {pii: 0.2, law: 1}}}], "
        "output: [{moderation_llm_v2: {custom_category_thresholds: {law: 1}}}]}"
    )

    now = thresholds_now((*two.input, *two.output))

    assert now["pii"] == 0.2
    assert now["sexual"] == 0.5
    assert "law" not in now


def test_what_cannot_be_edited_is_refused() -> None:
    text = policy("{action: block}")
    found = places(active(text), BOTH)
    other = text.replace("{action: block}", "{custom_category_thresholds: {pii: 0.9}}")

    with pytest.raises(PolicyError, match="thresholds by hand"):
        # As if the edit had gone wrong: a threshold that four digits do not hold.
        with_thresholds(other, "a.yaml", found, {"pii": 1 / 3})


def test_a_patch_shows_what_changes() -> None:
    shown = patch("a: 1\nb: 2", "a: 1\nb: 3", "p.yaml")

    assert shown.splitlines()[:2] == ["--- p.yaml (before)", "+++ p.yaml (after)"]
    assert "-b: 2\n" in shown
    assert "+b: 3\n" in shown
    assert not patch("a", "a", "p.yaml")
