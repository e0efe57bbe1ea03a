"""An LLM API that answers whatever openai-python's own tests ask, in the shapes of its types.

    python -m bench.peers.openai_mock PORT

The tests are written for a mock made from OpenAI's API description, which comes with none of its
packages. The types of the package say the same: an answer is an example of the type that the
client's method promises, with every field that the type has.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

from openai import types
from openai.types import chat, responses
from pydantic import BaseModel

_DEEPEST = 12
"""Nesting of an example; what may be left out deeper than this is left out."""
_DONE = b"data: [DONE]\n\n"


# Types have no type in common: a class, a union, a literal.
Type: TypeAlias = Any
Json: TypeAlias = Any


def example(kind: Type, depth: int = 0) -> Json:
    """A JSON value of a type: the first of its variants, its fields all given."""
    kind = getattr(kind, "__value__", kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in _MADE_OF:
        return _MADE_OF[origin](arguments, depth)
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        return _of_model(kind, depth)
    return _PLAIN[origin or kind]


_PLAIN = {str: "example", int: 1, float: 0.5, bool: True, object: {}, dict: {}, type(None): None}


def _of_union(variants: tuple[Type, ...], depth: int) -> Json:
    if type(None) in variants and depth >= _DEEPEST:
        return None
    return example(next(each for each in variants if each is not type(None)), depth + 1)


def _of_list(items: tuple[Type, ...], depth: int) -> Json:
    return [example(items[0], depth + 1)] if depth < _DEEPEST else []


def _of_model(model: type[BaseModel], depth: int) -> Json:
    return {
        field.alias or name: example(field.annotation, depth + 1)
        for name, field in model.model_fields.items()
        if field.is_required() or depth < _DEEPEST
    }


_MADE_OF: Mapping[Type, Callable[[tuple[Type, ...], int], Json]] = {
    Annotated: lambda arguments, depth: example(arguments[0], depth),
    Literal: lambda values, _: values[0],
    list: _of_list,
    Union: _of_union,
    UnionType: _of_union,
}


def _page(kind: Type) -> Json:
    item = example(kind)
    return {"object": "list", "data": [item], "first_id": "a", "last_id": "a", "has_more": False}


Route: TypeAlias = tuple[str, re.Pattern[str], Callable[[], Json], Type]


def _route(method: str, path: str, whole: Callable[[], Json], event: Type = None) -> Route:
    """`whole` makes the answer; `event` is the type of an event, where a stream may be asked."""
    return method, re.compile(path.replace("{id}", "[^/]+")), whole, event


def _of(kind: Type) -> Callable[[], Json]:
    return lambda: example(kind)


_CHAT, _RESPONSES = "/v1/chat/completions", "/v1/responses"
ROUTES = (
    _route("POST", _CHAT, _of(chat.ChatCompletion), chat.ChatCompletionChunk),
    _route("GET", _CHAT, lambda: _page(chat.ChatCompletion)),
    _route("GET", _CHAT + "/{id}", _of(chat.ChatCompletion)),
    _route("POST", _CHAT + "/{id}", _of(chat.ChatCompletion)),
    _route("DELETE", _CHAT + "/{id}", _of(chat.ChatCompletionDeleted)),
    _route("GET", _CHAT + "/{id}/messages", lambda: _page(chat.ChatCompletionStoreMessage)),
    _route("POST", "/v1/completions", _of(types.Completion), types.Completion),
    _route("POST", "/v1/embeddings", _of(types.CreateEmbeddingResponse)),
    _route("POST", "/v1/moderations", _of(types.ModerationCreateResponse)),
    _route("POST", _RESPONSES, _of(responses.Response), responses.ResponseStreamEvent),
    _route("POST", _RESPONSES + "/compact", _of(responses.CompactedResponse)),
    _route("POST", _RESPONSES + "/input_tokens", _of(responses.InputTokenCountResponse)),
    _route("GET", _RESPONSES + "/{id}", _of(responses.Response), responses.ResponseStreamEvent),
    _route("DELETE", _RESPONSES + "/{id}", lambda: None),
    _route("POST", _RESPONSES + "/{id}/cancel", _of(responses.Response)),
    _route("GET", _RESPONSES + "/{id}/input_items", lambda: _page(responses.ResponseItem)),
)


def events(kind: Type) -> bytes:
    """A stream with an example of every variant of an event's type."""
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    variants = get_args(inner) if get_origin(inner) in (Union, UnionType) else (inner,)
    said = [b"data: %s\n\n" % json.dumps(example(each)).encode() for each in variants]
    return b"".join(said) + _DONE


class Answers(BaseHTTPRequestHandler):
    """Answers by `ROUTES`."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        for method, path, whole, event in ROUTES:
            if method == self.command and path.fullmatch(target.path):
                asked = json.loads(body or b"{}")
                streamed = asked.get("stream") or "true" in parse_qs(target.query).get("stream", [])
                if event is not None and streamed:
                    self._reply(events(event), "text/event-stream")
                else:
                    self._reply(json.dumps(whole()).encode(), "application/json")
                return
        self._reply(b'{"error": {"message": "no such route"}}', "application/json", 404)

    do_GET = _answer  # noqa: N815 - the names that http.server calls
    do_POST = _answer  # noqa: N815 - as above
    do_DELETE = _answer  # noqa: N815 - as above

    def _reply(self, body: bytes, kind: str, status: int = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Mock(ThreadingHTTPServer):
    """The API on a port of its own."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Says nothing of clients that close a stream unread; the tests do."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Answers)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


if __name__ == "__main__":
    with Mock(int(sys.argv[1])) as mock:
        print(mock.url, flush=True)
        mock.serve_forever()
