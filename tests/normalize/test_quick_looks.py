"""Short cuts of normalising say what the long way says."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.recognizers import finding
from guardproxy.normalize import carriers, characters, lookalikes, marks

_SPECIAL = "aeiouk \u00e9\u0439\u1ebf\u0301\u0336\u0323\u4e2d\u0e01\uac00\u2800\ufb2a\u0149\u01c5"
_TEXTS = st.text(st.sampled_from(_SPECIAL) | st.characters(codec="utf-8"), max_size=24)


def _every_character() -> str:
    return "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


@given(_TEXTS)
def test_few_accents_are_never_a_pile(text: str) -> None:
    for found in marks.WORD.finditer(text):
        word = found[0]
        if marks._FEW_ACCENTS.fullmatch(word):
            bare = marks._OVERLAY.sub("", word)
            apart = unicodedata.normalize("NFD", bare)
            assert bare == word
            assert not marks._PILE.search(bare)
            assert len(marks._MARKED.findall(apart)) < marks.WORD_LETTERS


def test_no_character_alone_carries_marks_like_two_letters() -> None:
    for character in filter(str.isalpha, _every_character()):
        apart = unicodedata.normalize("NFD", character)

        assert len(marks._MARKED.findall(apart)) <= 1


@given(_TEXTS)
def test_piles_go_word_by_word_as_they_go_one_by_one(text: str) -> None:
    one_by_one = marks.WORD.sub(lambda found: marks._without_piled_marks(found[0]), text)

    assert marks.without_piles(text) == one_by_one


def test_what_is_looked_for_beyond_the_first_plane_is_there() -> None:
    within = "".join(map(chr, range(0x10000)))

    for pattern in (
        carriers._TAGS,
        carriers._TELLING,
        characters._ENCLOSED,
        characters._REGIONAL,
    ):
        assert not pattern.search(within)
    assert min(lookalikes.ENCLOSED[::2]) > "\uffff"


def test_every_character_is_made_plain_as_its_table_says() -> None:
    every = _every_character()

    assert finding.plain_digits(every) == every.translate(finding._PLAIN)
