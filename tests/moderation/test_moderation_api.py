from __future__ import annotations

import pytest
from moderation_api.errors import (
    AuthenticationErrorData,
    BadRequestErrorData,
    InternalServerErrorData,
)
from pydantic import BaseModel

from guardproxy.errors import RequestError
from guardproxy.moderation.moderation_api import error, read
from guardproxy.moderation.question import Problem, refused


def test_it_refuses_in_a_form_its_client_can_read() -> None:
    with pytest.raises(RequestError, match=r"moderationapi\.com") as caught:
        read({"content": {"type": "text", "text": "hello"}})

    status, body = error(refused(caught.value), "1234")

    assert status == 400
    data = BadRequestErrorData.model_validate(body)
    assert data.request_id == "1234"
    assert "not served" in data.message


@pytest.mark.parametrize(
    ("status", "form"), [(401, AuthenticationErrorData), (500, InternalServerErrorData)]
)
def test_an_error_has_the_type_that_its_client_wants_for_the_status(
    status: int, form: type[BaseModel]
) -> None:
    _, body = error(Problem(status, "no", "code"), "1234")

    form.model_validate(body)
