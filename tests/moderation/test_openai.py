from __future__ import annotations

import pytest

from guardproxy.content import Passage
from guardproxy.errors import RequestError
from guardproxy.moderation.dispatch import OPENAI
from guardproxy.moderation.openai import MAX_INPUTS, error, read
from guardproxy.moderation.question import Problem
from tests.moderation.support import answered, golden

TEXT = {"type": "text", "text": "how to build a bomb"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}


def test_omni_answers_as_documented() -> None:
    body = {"input": "how to build a bomb"}

    assert answered(OPENAI, body) == golden("openai_omni")


def test_text_moderation_answers_as_documented() -> None:
    body = {"model": "text-moderation-stable", "input": ["how to build a bomb", "good morning"]}

    assert answered(OPENAI, body) == golden("openai_text")


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        (None, "omni-moderation-latest"),
        ("omni-moderation-latest", "omni-moderation-latest"),
        ("omni-moderation-2024-09-26", "omni-moderation-2024-09-26"),
        ("text-moderation-latest", "text-moderation-007"),
        ("text-moderation-stable", "text-moderation-007"),
    ],
)
def test_every_documented_model_answers(asked: str | None, answers: str) -> None:
    body = {"input": "good morning"} | ({"model": asked} if asked else {})

    assert answered(OPENAI, body)["model"] == answers


def test_parts_are_one_input() -> None:
    question = read({"input": [TEXT, {"type": "text", "text": "tonight"}]})

    assert question.passages == (Passage("how to build a bomb\ntonight"),)
    assert question.unjudged == 0


def test_each_part_is_also_read_alone() -> None:
    blank = {"type": "text", "text": " "}
    question = read({"input": [TEXT, {"type": "text", "text": "tonight"}, blank]})

    assert question.alone == ((0, Passage("how to build a bomb")), (0, Passage("tonight")))
    assert read({"input": [TEXT, IMAGE]}).alone == ()


def test_an_image_beside_text_is_counted_and_never_claimed_as_judged() -> None:
    question = read({"input": [TEXT, IMAGE, IMAGE]})
    answer = answered(OPENAI, {"input": [TEXT, IMAGE]})

    assert question.passages == (Passage("how to build a bomb"),)
    assert question.unjudged == 2
    (result,) = answer["results"]
    assert {tuple(kinds) for kinds in result["category_applied_input_types"].values()} == {
        ("text",)
    }


def test_m3_what_is_cut_over_parts_is_also_read_without_the_cuts() -> None:
    sentence = "how to build a bomb"
    for size in (1, 2, 3, 4, 7):
        pieces = [sentence[at : at + size] for at in range(0, len(sentence), size)]
        question = read({"input": [{"type": "text", "text": piece} for piece in pieces]})

        assert len(question.passages) == 1
        assert question.joined == ((0, Passage(sentence)),)


def test_m3_joining_adds_no_more_readings_than_cuts_that_are_far_apart() -> None:
    long = [{"type": "text", "text": f"good morning {at} " * 100} for at in range(3)]

    assert read({"input": [TEXT]}).joined == ()
    assert len(read({"input": long}).joined) == 2
    assert len(read({"input": [TEXT] * 10}).joined) == 1


@pytest.mark.parametrize(
    "part",
    [
        TEXT | {"note": "how to build a bomb"},
        TEXT | {"image_url": {"url": "https://example.org/cat.png"}},
        IMAGE | {"text": "how to build a bomb"},
        IMAGE | {"detail": "low"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "how to build a bomb"}},
        {"type": "image_url", "image_url": {"url": "data:text/plain,how%20to"}},
        {"type": "image_url", "image_url": {"url": "data:text/plain;base64,aGVsbG8="}},
    ],
)
def test_i2_a_part_holds_nothing_that_nobody_reads(part: dict[str, object]) -> None:
    with pytest.raises(RequestError) as caught:
        read({"input": [TEXT, part]})

    assert (caught.value.code, caught.value.param) == ("invalid_value", "input[1]")


def test_an_image_may_be_in_the_body() -> None:
    coded = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

    assert read({"input": [TEXT, coded]}).unjudged == 1


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_text_beside_an_image_is_none(blank: str) -> None:
    with pytest.raises(RequestError) as caught:
        read({"input": [{"type": "text", "text": blank}, IMAGE]})

    assert caught.value.code == "image_not_supported"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "input"),
        ({"input": None}, "invalid_type", "input"),
        ({"input": []}, "invalid_type", "input"),
        ({"input": {}}, "invalid_type", "input"),
        ({"input": [1, 2]}, "invalid_type", "input[0]"),
        ({"input": ["a", ["b"]]}, "invalid_type", "input[1]"),
        ({"input": ["a", TEXT]}, "invalid_type", "input[1]"),
        ({"input": [TEXT, "a"]}, "invalid_value", "input[1]"),
        ({"input": [{"type": "text", "text": 1}]}, "invalid_type", "input[0].text"),
        ({"input": [{"type": "audio"}]}, "invalid_value", "input[0]"),
        ({"input": [{"type": "image_url", "image_url": "x"}]}, "invalid_value", "input[0]"),
        ({"input": [IMAGE]}, "image_not_supported", "input"),
        ({"input": [TEXT, IMAGE], "model": "text-moderation-latest"}, "invalid_value", "input"),
        ({"input": "a", "model": None}, "invalid_type", "model"),
        ({"input": "a", "model": "gpt-5"}, "model_not_found", "model"),
        ({"input": "a", "user": "me"}, "unknown_parameter", "user"),
        ({"input": "a", "who am I": "me"}, "unknown_parameter", "body"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_place(
    body: dict[str, object], code: str, param: str
) -> None:
    with pytest.raises(RequestError) as caught:
        read(body)

    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match="omni-moderation-latest, omni-moderation-2024-09-26"):
        read({"input": "a", "model": "gpt-5"})


def test_as_many_inputs_as_documented_and_not_one_more() -> None:
    assert len(read({"input": ["a"] * MAX_INPUTS}).passages) == MAX_INPUTS

    with pytest.raises(RequestError) as caught:
        read({"input": ["a"] * (MAX_INPUTS + 1)})

    assert caught.value.code == "array_above_max_length"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (503, "server_error")]
)
def test_an_error_has_the_four_required_keys(status: int, kind: str) -> None:
    assert error(Problem(status, "No.", "why"), "id") == (
        status,
        {"error": {"message": "No.", "type": kind, "param": None, "code": "why"}},
    )
