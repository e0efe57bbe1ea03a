"""What is refused, and where, stands in `test_load.py`: there the place is told, too."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from guardproxy.errors import PolicyError
from guardproxy.policy.yaml_tree import dotted, read_yaml


def test_quoted_words_and_plain_numbers_are_what_they_look_like() -> None:
    text = (
        "a: 'no'\nb: \"2026-11-21\"\nc: .5\nd: -3\ne: ~\nf: False\ng: 0.25\nh: >\n  off\ni: a b\n"
    )

    assert read_yaml(text, "x").value == {
        "a": "no",
        "b": "2026-11-21",
        "c": 0.5,
        "d": -3,
        "e": None,
        "f": False,
        "g": 0.25,
        "h": "off\n",
        "i": "a b",
    }


def test_every_key_and_item_has_its_line() -> None:
    tree = read_yaml("a: 1\nb:\n  - x\n  - c:\n      d: 2\n", "x")

    assert [tree.line(path) for path in (("a",), ("b",), ("b", 0), ("b", 1, "c", "d"))] == [
        1, 2, 3, 5,
    ]  # fmt: skip


def test_a_place_that_is_not_there_has_the_line_around_it() -> None:
    tree = read_yaml("# first\na:\n  b: 1\n", "x")

    assert tree.line(("a", "c", "d")) == 2
    assert tree.line(("z",)) == 2


def test_a_path_is_shown_as_in_javascript() -> None:
    assert dotted(("input", 0, "action")) == "input[0].action"
    assert dotted(()) == ""


def test_a_path_is_one_line_that_moves_no_cursor() -> None:
    assert dotted(("limits", "a\nb", "\x1b[2J")) == r"limits.'a\nb'.'\x1b[2J'"
    assert dotted(("\u202ename", "größe")) == r"'\u202ename'.größe"


def test_quoted_text_may_hold_what_only_some_take_for_a_line_end() -> None:
    assert read_yaml("a: 'x\u2028y'\nb: \"x\u2029y\"\n", "x").value == {
        "a": "x\u2028y",
        "b": "x\u2029y",
    }


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(0.001, 1000).map(lambda value: round(value, 3))
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="abcxyz_", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from("pqr"), json_values, min_size=1))
def test_what_both_yaml_and_json_can_say_is_read_as_it_was_meant(value: dict[str, object]) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False), "x").value == value


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from("pqr"), json_values, min_size=1))
def test_what_is_accepted_is_what_pyyaml_reads(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)

    assert read_yaml(text, "x").value == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["a: !x 1", "a: &x 1", "--- a\n--- b", "a: on", "{a: 1, a: 2}"])
def test_what_others_might_read_differently_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^x:[12]: "):
        read_yaml(text, "x")
