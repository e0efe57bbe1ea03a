"""Words about cards and phones, as people write them; not words that only begin like them."""

from __future__ import annotations

import pytest

from guardproxy.classifiers.recognizers.words import CARD_WORDS, CHINESE_OR_PHONE, PHONE_WORDS


@pytest.mark.parametrize(
    "text", ["credit card", "CARDS", "cardNumber", "Karten-Nr.", "卡号", "CVV"]
)
def test_words_about_cards(text: str) -> None:
    assert CARD_WORDS.search(text)


@pytest.mark.parametrize("text", ["cardiology", "cardinal", "cartel", "companion", "Kartenhaus"])
def test_words_that_begin_like_cards(text: str) -> None:
    assert not CARD_WORDS.search(text)


@pytest.mark.parametrize(
    "text", ["TEL", "phoneNumber", "Téléphone", "Звоните", "电话", "my number"]
)
def test_words_about_phones(text: str) -> None:
    assert PHONE_WORDS.search(text)


@pytest.mark.parametrize(
    "text", ["hotel", "Telefónica", "phonetics", "excellent", "recall", "телефонный"]
)
def test_words_that_hold_a_word_about_phones(text: str) -> None:
    assert not PHONE_WORDS.search(text)


def test_chinese_words_count_beside_those_about_phones() -> None:
    assert CHINESE_OR_PHONE.search("给我打")
    assert CHINESE_OR_PHONE.search("call")
    assert not CHINESE_OR_PHONE.search("order")
