"""Bodies are read within bounds of size and time, and only as JSON that everybody reads alike."""

from __future__ import annotations

import pytest

from guardproxy.errors import OverloadedError, RequestError
from guardproxy.proxy.body import check_json, read_body, too_slow
from guardproxy.proxy.budget import ByteBudget
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.presence import ClientGone
from tests.asgi import GONE, Caller, body_messages

LIMIT = 10


async def read(caller: Caller, headers: Headers | None = None, *, budget: int = 100) -> bytes:
    with ByteBudget(budget).account() as account:
        return await read_body(caller.receive, headers or [], limit=LIMIT, account=account)


async def test_chunks_are_joined() -> None:
    assert await read(Caller(*body_messages(b"ab", b"", b"cd"))) == b"abcd"


async def test_a_body_may_be_as_large_as_its_limit() -> None:
    assert len(await read(Caller(*body_messages(b"12345", b"67890")))) == LIMIT


@pytest.mark.parametrize("chunks", [(b"12345678901",), (b"1234567890", b"1")])
async def test_one_byte_more_is_413_when_it_comes(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(RequestError) as refused:
        await read(Caller(*body_messages(*chunks)))

    assert (refused.value.status, refused.value.code) == (413, "body_too_large")


async def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(RequestError) as refused:
        await read(Caller(), [(b"content-length", b"11")])

    assert refused.value.status == 413


async def test_a_declared_length_at_the_limit_is_read() -> None:
    length = [(b"content-length", b"10")]

    assert await read(Caller(*body_messages(b"0123456789")), length) == b"0123456789"


def test_a_body_that_is_too_slow_is_a_408_that_says_how_long_was_waited() -> None:
    error = too_slow(10.04)

    assert (error.status, error.code) == (408, "body_too_slow")
    assert "10 s" in error.message


async def test_a_caller_who_leaves_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read(Caller(body_messages(b"a", b"b")[0], GONE))


async def test_a_body_is_paid_for_from_the_budget_of_the_process() -> None:
    assert await read(Caller(*body_messages(b"abc")), budget=3) == b"abc"
    with pytest.raises(OverloadedError):
        await read(Caller(*body_messages(b"abc", b"d")), budget=3)


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/json; charset=utf8",
        b'Application/JSON;charset="UTF-8"',
        b"application/json;",
    ],
)
def test_json_in_utf8_is_let_in(kind: bytes) -> None:
    check_json([(b"content-type", kind), (b"content-encoding", b"identity")])


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ("C12", []),
        ("C12", [b"application/json", b"application/json"]),
        ("C12", [b"application/json", b"text/plain"]),
        ("C12", [b"application/x-www-form-urlencoded"]),
        ("C12", [b"text/plain"]),
        ("C12", [b"application/json, text/plain"]),
        ("C12", [b""]),
        ("C12", [b"application/json\xff"]),
        ("C12", [b"application/json;x"]),
        ("C13", [b"multipart/form-data; boundary=" + b"x" * 5_000]),
        ("C9", [b"application/json; charset=utf-7"]),
        ("C9", [b"application/json; charset=utf-16"]),
        ("C9", [b"application/json; charset=shift_jis"]),
        ("C9", [b"application/json; charset=iso-2022-jp"]),
        ("C9", [b"application/json; charset=utf-8; charset=utf-7"]),
    ],
)
def test_every_other_content_type_is_415(row: str, kinds: list[bytes]) -> None:
    with pytest.raises(RequestError) as refused:
        check_json([(b"content-type", kind) for kind in kinds])

    assert (refused.value.status, refused.value.param) == (415, "content-type")


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, identity", b"x"])
def test_a_coded_body_is_415(coding: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        check_json([(b"content-type", b"application/json"), (b"content-encoding", coding)])

    assert (refused.value.status, refused.value.param) == (415, "content-encoding")


def test_two_codings_of_which_one_is_none_are_415() -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-encoding", b"identity"),
        (b"content-encoding", b"gzip"),
    ]

    with pytest.raises(RequestError):
        check_json(headers)
