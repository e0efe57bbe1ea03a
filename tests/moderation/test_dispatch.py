from __future__ import annotations

import pytest
from moderation_api.errors import BadRequestErrorData

from guardproxy.errors import RequestError
from guardproxy.moderation.dispatch import (
    ASSISTERS,
    EITHER,
    MISTRAL,
    MISTRAL_CHAT,
    MODERATION_API,
    OPENAI,
    PATHS,
    read_object,
    shape_of,
)
from guardproxy.moderation.question import Problem, Shape
from guardproxy.policy.config import Limits


@pytest.mark.parametrize(
    ("path", "body", "shape"),
    [
        ("/v1/moderations", {}, OPENAI),
        ("/v1/moderations", {"model": None}, OPENAI),
        ("/v1/moderations", {"model": "omni-moderation-latest"}, OPENAI),
        ("/v1/moderations", {"model": "text-moderation-stable"}, OPENAI),
        ("/v1/moderations", {"model": "gpt-5"}, OPENAI),
        ("/v1/moderations", {"model": "mistral-moderation-2603"}, MISTRAL),
        ("/v1/moderations", {"model": "mistral-moderation-9999"}, MISTRAL),
        ("/v1/moderations", {"model": "llama-guard-3"}, ASSISTERS),
        ("/v1/moderations", {"model": "shieldgemma"}, ASSISTERS),
        ("/v1/chat/moderations", {"model": "omni-moderation-latest"}, MISTRAL_CHAT),
        ("/v1/moderate", {"input": "a"}, ASSISTERS),
        ("/v1/moderate", {}, ASSISTERS),
        ("/v1/moderate", {"content": {}}, MODERATION_API),
        ("/v1/moderate", {"content": {}, "input": "a"}, ASSISTERS),
        ("/v1/moderate", {"model": "mistral-moderation-2603", "input": "a"}, ASSISTERS),
    ],
)
def test_a_call_belongs_to_one_vendor(path: str, body: dict[str, object], shape: Shape) -> None:
    assert shape_of(path, body) is shape


def test_three_paths_are_served() -> None:
    assert set(PATHS) == {"/v1/moderations", "/v1/chat/moderations", "/v1/moderate"}


def test_before_the_body_is_read_both_vendors_of_a_path_can_read_the_error() -> None:
    problem = Problem(400, "No.", "json_too_deep")
    status, body = EITHER.error(problem, "1234")

    assert status == 400
    assert body["error"] == ASSISTERS.error(problem, "1234")[1]["error"]
    assert body == MODERATION_API.error(problem, "1234")[1] | body
    assert PATHS["/v1/moderate"] is EITHER
    assert BadRequestErrorData.model_validate(body).code == "json_too_deep"


def test_an_object_is_read() -> None:
    assert read_object(b'{"input": "a"}', Limits()) == {"input": "a"}


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"1", b"null", b"", b"{", b'{"a":1,"a":2}'])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_object(body, Limits())


def test_bounds_hold() -> None:
    limits = Limits(json_depth=4, json_members=3)

    assert read_object(b'{"a":[[[]]]}', limits)
    for body in (b'{"a":[[[[]]]]}', b'{"a":[1,2,3]}'):
        with pytest.raises(RequestError):
            read_object(body, limits)
