"""In whose words an error is told that no dialect has had a hand in."""

from __future__ import annotations

import json

import pytest

from guardproxy.dialects.base import Fault
from guardproxy.dialects.routes import ERROR_WORDS as DIALECT_WORDS
from guardproxy.moderation.dispatch import ERROR_WORDS as MODERATION_WORDS
from guardproxy.proxy.words import words_for

KNOWN = {**DIALECT_WORDS, **MODERATION_WORDS}
FAULT = Fault(401, "no valid API key was presented", "authentication_error", None, "no_key")

OPENAI = {"error": {"message": FAULT.message, "type": FAULT.kind, "param": None, "code": "no_key"}}
MISTRAL = {
    "object": "error", "message": FAULT.message, "type": "invalid_request_error", "param": None,
    "code": "no_key",
}  # fmt: skip


def told(path: str) -> object:
    return json.loads(words_for(path, KNOWN)(FAULT))


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batches", "/v1/messages/a/b/c/d"])
def test_anthropics_paths_have_anthropics_shape(path: str) -> None:
    error = told(path)

    assert isinstance(error, dict)
    assert error["type"] == "error"
    assert error["error"]["type"] == "authentication_error"


@pytest.mark.parametrize("path", ["/api", "/api/chat", "/api/tags"])
def test_ollamas_paths_have_a_string_for_an_error(path: str) -> None:
    error = told(path)

    assert isinstance(error, dict)
    assert error["error"] == FAULT.message


def test_moderation_paths_have_their_vendors_shape() -> None:
    assert told("/v1/chat/moderations") == MISTRAL
    both = told("/v1/moderate")

    assert isinstance(both, dict)
    assert both["error"] == {
        "message": FAULT.message, "type": "invalid_request_error", "code": "invalid_request",
    }  # fmt: skip
    assert both["message"] == FAULT.message
    assert both["doc_url"].startswith("https://docs.moderationapi.com/")


@pytest.mark.parametrize(
    "path", ["", "/", "/v1", "/v1/chat/completions", "/v1/messagesx", "//", "x"]
)
def test_all_else_has_openais_shape(path: str) -> None:
    assert told(path) == OPENAI
