from __future__ import annotations

import base64
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.normalize import LONGEST_GAP, collapse_whitespace, readings, views
from tests.normalize.disguises import DISGUISES, PHRASE, tags
from tests.normalize.honest import HONEST

# Undone by no view: each reads like any other text, so a view of it would be one of every text.
NOT_UNDONE = {"base85", "rot13", "reversed"}
# Undone only where a large share of a text has them, as single words so written are honest.
OF_WHOLE_TEXTS = {"leet", "leet with signs", "upside down"}


def reads(view: str, phrase: str) -> bool:
    """Whether the phrase stands in the view as the tokenizer reads it."""
    return phrase in " ".join(unicodedata.normalize("NFKC", view).casefold().split())


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguised_phrase_stands_in_a_view(name: str) -> None:
    disguised = DISGUISES[name](PHRASE)

    assert any(reads(view, PHRASE) for view in views(disguised)) == (name not in NOT_UNDONE)


@pytest.mark.parametrize("name", sorted(set(DISGUISES) - NOT_UNDONE - OF_WHOLE_TEXTS))
def test_a_disguised_phrase_stands_in_a_view_of_a_longer_text(name: str) -> None:
    disguised = f"Please tell me this: {DISGUISES[name](PHRASE)} ; thank you."

    assert any(reads(view, PHRASE) for view in views(disguised))


def test_honest_texts_have_the_raw_view_alone() -> None:
    more = [text for text in HONEST if len(views(text)) > 1]

    # A soft hyphen inside a word, and percent codes in addresses: what their reader sees.
    assert [text[:12] for text in more] == ["git commit -", "https://fr.w", "We read word"]


@pytest.mark.parametrize("name", ["upper case", "full width", "ideographic space", "circled"])
def test_what_the_tokenizer_undoes_makes_no_view(name: str) -> None:
    assert len(views(DISGUISES[name](PHRASE))) == 1


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("\uff44\uff45 \u2460\u2461", "de 12"),
        ("4111 \u200b1111", "4111 1111"),
        ("1 &lt; 2 &amp;amp; 4111&nbsp;1111", "1 < 2 & 4111 1111"),
        ("caf\u00e9 &copy; &#8211; &#8217; &#128512; &#x200b; ok", None),
    ],
)
def test_what_makes_no_view_is_a_reading(text: str, read: str | None) -> None:
    assert views(text) == (text,)
    assert readings(text)[0] == text
    assert len(readings(text)) == 2
    assert read is None or readings(text)[1] == read


@pytest.mark.parametrize(
    "entity", ["&#105;", "&#x31;", "&#64;", "&commat;", "&amp;#64;", "&#9312;", "&#9424;", "&shy;"]
)
def test_an_entity_that_hides_letters_digits_or_addresses_makes_a_view(entity: str) -> None:
    text = f"so a{entity}b &amp; c"

    assert readings(text) == views(text)
    assert len(views(text)) == 2
    assert views(text)[1].endswith("b & c")


def test_a_plain_text_has_one_reading() -> None:
    assert readings("How do I water a cactus?") == ("How do I water a cactus?",)


def test_raw_comes_first_and_each_view_undoes_more() -> None:
    encoded = base64.b64encode(b"w-h-a-t to do now").decode()
    text = "k\u200bill " + encoded

    assert views(text) == (
        text,
        f"kill {encoded}",
        "kill  w-h-a-t to do now ",
        "kill  what to do now ",
    )
    assert views(text, limit=2) == (text, "kill  what to do now ")
    assert views(text, limit=1) == (text,)


def test_hidden_text_that_hides_again_is_found() -> None:
    assert "kill people" in views("hi" + tags("&#107;ill p%65ople"))[-1]


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u2800", "\u3164", "\u200b"])
def test_gaps_up_to_the_bound_stay_and_longer_ones_collapse(blank: str) -> None:
    gap = blank * LONGEST_GAP

    assert collapse_whitespace(f"a{gap}b") == f"a{gap}b"
    assert collapse_whitespace(f"a{gap}{blank}b") == "a b"


def test_a_long_gap_with_a_line_end_stays_a_line_end() -> None:
    assert collapse_whitespace("a" + " \n" * 500_000 + "b") == "a\nb"


def test_long_gaps_collapse_in_every_view_but_the_raw() -> None:
    text = "k\u200bill" + " " * 1_000 + "people"

    assert views(text) == (text, "kill people")


PIECES = st.sampled_from(
    [*(disguise(PHRASE) for disguise in DISGUISES.values()), *HONEST, "\\u", "&#", "%6", "**", "="]
)


@given(st.lists(PIECES | st.text(max_size=12), max_size=4).map("".join), st.integers(1, 5))
def test_any_text_gives_distinct_views_that_can_be_encoded(text: str, limit: int) -> None:
    found = views(text, limit=limit)

    assert found[0] == text
    assert len(set(found)) == len(found) <= limit
    for view in found:
        view.encode("utf-8")


@given(st.text(max_size=200))
def test_views_of_any_text_never_fail(text: str) -> None:
    assert views(text)[0] == text
