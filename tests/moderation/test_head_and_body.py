from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from guardproxy.errors import OverloadedError, RequestError
from guardproxy.moderation.head_and_body import check_head, read_body

JSON = ("content-type", "application/json")


def head(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in pairs])


def request(chunks: Iterable[bytes], *pairs: tuple[str, str], gone: bool = False) -> Request:
    """A request whose body comes in these chunks; then the caller is gone or falls silent."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return Request({"type": "http", "method": "POST", "headers": head(*pairs).raw}, receive)


async def body_of(asked: Request, *, most_bytes: int = 10) -> bytes:
    body = bytearray()
    await read_body(asked, into=body, most_bytes=most_bytes, idle_seconds=5)
    return bytes(body)


@pytest.mark.parametrize(
    "pairs",
    [
        [JSON],
        [("content-type", "application/json; charset=utf-8")],
        [("content-type", "application/json;")],
        [("content-type", "application/json; charset=utf-8;")],
        [("content-type", 'Application/JSON; Charset="UTF-8"')],
        [JSON, ("content-encoding", "identity")],
    ],
)
def test_json_in_utf_8_is_read(pairs: list[tuple[str, str]]) -> None:
    check_head("POST", head(*pairs))


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("content-type", "")],
        [("content-type", "text/plain")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "multipart/form-data; boundary=x")],
        [("content-type", "application/json; charset=utf-7")],
        [("content-type", "application/json; charset=utf-16")],
        [("content-type", "application/json;x")],
        [JSON, JSON],
        [JSON, ("content-type", "text/plain")],
        [JSON, ("content-encoding", "gzip")],
        [JSON, ("content-encoding", "identity"), ("content-encoding", "br")],
    ],
)
def test_anything_else_is_a_415(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestError) as caught:
        check_head("POST", head(*pairs))

    assert caught.value.status == 415


def test_another_method_is_a_405() -> None:
    with pytest.raises(RequestError) as caught:
        check_head("GET", head(JSON))

    assert caught.value.status == 405


async def test_a_body_is_read_whole() -> None:
    assert await body_of(request([b"01234", b"", b"56789"])) == b"0123456789"


@pytest.mark.parametrize(
    ("chunks", "pairs"),
    [
        ([b"01234", b"567890"], []),
        ([], [("content-length", "11")]),
        ([b"0123456789", b"0"], [("content-length", "1")]),
        ([b"01234567890"], [("content-length", "9" * 30)]),
        ([b"01234567890"], [("content-length", "-1")]),
    ],
)
async def test_one_byte_more_is_a_413(chunks: list[bytes], pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestError) as caught:
        await body_of(request(chunks, *pairs))

    assert caught.value.status == 413


async def test_a_silence_is_a_408() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    asked = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(RequestError) as caught:
        await read_body(asked, into=bytearray(), most_bytes=10, idle_seconds=0.01)

    assert caught.value.status == 408


async def test_a_caller_who_leaves_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await body_of(request([b"0"], gone=True))


async def test_what_is_held_is_said() -> None:
    class Small:
        held = 0

        def add(self, more: int) -> None:
            self.held += more
            if self.held > 6:
                raise OverloadedError

    account, body = Small(), bytearray()
    with pytest.raises(OverloadedError):
        await read_body(
            request([b"01234", b"56"]), into=body, most_bytes=10, idle_seconds=5, account=account
        )

    assert (account.held, bytes(body)) == (7, b"01234")
