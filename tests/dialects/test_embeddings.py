"""Inputs are judged; vectors pass as vectors and as nothing else."""

from __future__ import annotations

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import Role, TextPart
from guardproxy.dialects.embeddings import Embeddings
from guardproxy.errors import RequestError, UpstreamError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json

LIMITS = Limits(messages=3)
EMBEDDINGS = Embeddings()


def texts(**body: Json) -> list[TextPart]:
    asked = EMBEDDINGS.read_request(json.dumps({"model": "m", **body}).encode(), LIMITS)
    return list(asked.texts)


def answered(value: Json) -> list[str]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [part.text for part in EMBEDDINGS.read_answer(body, LIMITS).texts]


def with_vector(vector: Json, **more: Json) -> Json:
    entry = {"object": "embedding", "index": 0, "embedding": vector, **more}
    return {"object": "list", "data": [entry], "model": "m", "usage": {"total_tokens": 1}}


def test_inputs_are_judged_each_for_itself() -> None:
    assert texts(input="one") == [TextPart(Role.USER, "one", "input")]
    assert texts(input=["one", "two"], user="user-1", encoding_format="base64") == [
        TextPart(Role.USER, "one", "input[0]"),
        TextPart(Role.USER, "two", "input[1]"),
    ]


@pytest.mark.parametrize("value", [[1, 2], [[1]], ["a", 1], [{"type": "text"}], [], None, {}, 1])
def test_m18_numbers_of_tokens_and_other_shapes_are_refused(value: Json) -> None:
    with pytest.raises(RequestError) as error:
        texts(input=value)

    assert (error.value.code, error.value.param) == ("invalid_input", "input")


def test_more_inputs_than_the_limit_are_refused() -> None:
    assert len(texts(input=["a"] * 3)) == 3
    with pytest.raises(RequestError) as error:
        texts(input=["a"] * 4)

    assert error.value.code == "too_many_inputs"


def test_what_nobody_knows_is_judged_and_what_nobody_can_judge_is_refused() -> None:
    assert [part.text for part in texts(input="a", note="some words")] == ["a", "some words"]
    with pytest.raises(RequestError) as error:
        texts(input="a", input_ids=[1])
    assert error.value.code == "unsupported_field"


def test_inline_guardrails_are_handed_on() -> None:
    asked = EMBEDDINGS.read_request(b'{"input": "a", "guardrails": [{}]}', LIMITS)

    assert asked.guardrails == [{}]
    assert not asked.stream


@pytest.mark.parametrize(
    "vector",
    [
        [],
        [0.1, -2, 3e-7, 4.5e2],
        base64.b64encode(struct.pack("<3f", 1, 2, 3)).decode(),
        "",
    ],
)
def test_vectors_are_no_text(vector: Json) -> None:
    assert answered(with_vector(vector)) == []
    assert answered(json.dumps(with_vector(vector), indent=2).encode()) == []


@given(vector=st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers()))
def test_any_numbers_are_a_vector(vector: list[float]) -> None:
    assert answered(with_vector(vector)) == []


WORDS = "the canary sings"


@pytest.mark.parametrize(
    "value",
    [
        with_vector(WORDS),
        with_vector([0.1, WORDS]),
        with_vector([[WORDS]]),
        with_vector({"embedding": WORDS}),
        with_vector([0.1], note=WORDS),
        with_vector([0.1]) | {"embedding": WORDS},
        {"data": WORDS},
        {"data": {"embedding": WORDS}},
        {"data": [WORDS]},
        {"error": {"message": WORDS}},
        [WORDS],
        f'"embedding": [1] {WORDS}',
        {"note": f'"embedding": [1] {WORDS} "embedding": [2]'},
        {'a "embedding"': [1], WORDS: 1},
    ],
)
def test_whatever_else_stands_there_is_judged(value: Json) -> None:
    assert any(WORDS in text for text in answered(value))


def test_base64_is_a_vector_in_its_place_only() -> None:
    assert answered(with_vector([0.1]) | {"embedding": "A" * 64}) == ["A" * 64]


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [{"embedding": [NaN]}]}',
        b'{"data": [{"embedding": [1], "embedding": "text"}]}',
        b'{"data": [{"embedding": [1]}',
        b'{"data": [{"embedding": [1] x}]}',
    ],
)
def test_what_cannot_be_read_safely_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        answered(body)
