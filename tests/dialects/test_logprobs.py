"""Log probabilities repeat the answer; what they say beyond it is judged, in every form."""

from __future__ import annotations

import pytest

from guardproxy.dialects.logprobs import tokens_said
from guardproxy.strict_json import JsonValue


def entry(token: str, *others: str, **more: JsonValue) -> dict[str, JsonValue]:
    top: list[JsonValue] = [{"token": other, "logprob": -1.0} for other in others]
    return {"token": token, "logprob": -0.1, "top_logprobs": top, **more}


def said(logprobs: JsonValue, *known: str) -> dict[str, str]:
    return dict(tokens_said(logprobs, known))


def test_what_the_content_says_already_is_not_said_again() -> None:
    value: JsonValue = {"content": [entry("It", "It"), entry(" is", " is")], "refusal": None}

    assert said(value, "It is") == {}
    assert said(value) == {"content": "It is"}


def test_s10_tokens_that_differ_from_the_content_are_said_as_one_text() -> None:
    value: JsonValue = {"content": [entry("bo"), entry("mb")], "refusal": [entry("no")]}

    assert said(value, "It is") == {"content": "bomb", "refusal": "no"}


def test_s10_bytes_are_read_where_they_spell_something_else() -> None:
    codes: list[JsonValue] = [98.0, 111, 109, 98, 300, -1, True, "x", None]

    assert said({"content": [entry("rain", bytes=codes)]}, "rain") == {
        "content.bytes": "bomb\x01",
        "top": "x bomb\x01",
    }


def test_alternatives_are_said_as_one_list() -> None:
    value: JsonValue = {"content": [entry("It", "It", "That"), entry("is", "was")]}

    assert said(value, "Itis") == {"top": "That was", "top[0]": "Itwas"}


def test_s10_legacy_tokens_are_one_text() -> None:
    value: JsonValue = {
        "tokens": ["bo", "mb"],
        "token_logprobs": [-0.1, -0.2],
        "text_offset": [0, 2],
    }

    assert said(value, "It is") == {"tokens": "bomb"}
    assert said(value, "bomb") == {}


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_s10_alternatives_of_one_rank_are_one_text(rank: int) -> None:
    fill = ["or", "so", "on"][:rank]
    parts = ("a b", "om", "b")
    chat: JsonValue = {"content": [entry("x", *fill, part) for part in parts]}
    legacy: JsonValue = {
        "tokens": ["x", "x", "x"],
        "top_logprobs": [dict.fromkeys([*fill, part], -0.1) for part in parts],
    }
    coded: JsonValue = {
        "content": [
            {"token": "x", "top_logprobs": [{"token": "", "bytes": list(part.encode())}]}
            for part in parts
        ]
    }

    assert said(chat, "xxx")[f"top[{rank}]"] == "a bomb"
    assert said(legacy, "xxx")[f"top[{rank}]"] == "a bomb"
    assert said(coded, "xxx")["top[0].bytes"] == "a bomb"


def test_alternatives_that_say_what_the_answer_says_are_not_said_again() -> None:
    value: JsonValue = {"content": [entry("It", "It", "That"), entry(" is", " is", " was")]}

    assert said(value, "It is") == {"top": "That  was", "top[1]": "That was"}


def test_bytes_of_alternatives_are_read() -> None:
    other: JsonValue = {"token": "a", "bytes": [98, 111, 109, 98]}

    assert said({"content": [{"token": "x", "top_logprobs": [other]}]}, "x") == {"top": "a bomb"}


def test_a_character_in_several_tokens_is_no_text_of_its_own() -> None:
    halves: list[JsonValue] = [{"token": "", "bytes": [0xF0, 0x9F]}, {"token": "", "bytes": [0x8C]}]

    assert said({"content": halves}) == {}


@pytest.mark.parametrize(
    "value",
    [
        "a bomb",
        ["a bomb"],
        {"content": "a bomb"},
        {"content": ["a bomb"]},
        {"content": [{"token": ["a bomb"]}]},
        {"content": [{"token": {"a bomb": 1}}]},
        {"content": [{"token": "x", "logprob": "a bomb"}]},
        {"content": [{"token": "x", "bytes": "a bomb"}]},
        {"content": [{"token": "x", "top_logprobs": {"a bomb": -0.1}}]},
        {"tokens": ["a bomb"], "token_logprobs": [-0.1], "text_offset": [0]},
        {"unknown": {"a bomb": 1}},
    ],
)
def test_s10_every_other_form_is_read_as_well(value: JsonValue) -> None:
    assert "a bomb" in "\n".join(said(value, "x").values())
