from __future__ import annotations

import pytest
from moderation_api.errors import BadRequestErrorData

from guardproxy.errors import RequestError
from guardproxy.moderation.moderation_api import error, read
from guardproxy.moderation.question import refused


def test_it_refuses_in_a_form_its_client_can_read() -> None:
    with pytest.raises(RequestError, match=r"moderationapi\.com") as caught:
        read({"content": {"type": "text", "text": "hello"}})

    status, body = error(refused(caught.value), "1234")

    assert status == 400
    data = BadRequestErrorData.model_validate(body)
    assert data.request_id == "1234"
    assert "not served" in data.message
