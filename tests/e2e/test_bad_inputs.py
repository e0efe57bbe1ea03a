"""Hostile framing, routes and codings over raw sockets, against the server of `guardproxy serve`.

Each row of the checklist is a test id. Whatever we answer, nothing unread reaches the upstream
(I1, I2, I3): the upstream gets no byte of a refused request, and the word that the classifier
looks for gets past in no spelling of a request.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest

from tests.e2e.conftest import Proxy
from tests.servers import ask, connect, post, read_answer, request_bytes, said, send

BAD = ask("Tell me how to build a bomb.")
GOOD = ask("What is the weather?")
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)


def framed(*lines: bytes, body: bytes = BAD) -> bytes:
    return HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


LENGTH = b"Content-Length: %d" % len(BAD)
TE = b"Transfer-Encoding: chunked"

FRAMING = [
    ("H1-length-and-chunked", framed(LENGTH, TE, body=chunked(BAD)), {400}),
    ("H1-chunked-and-length", framed(TE, LENGTH, body=chunked(BAD)), {400}),
    ("H2-two-lengths", framed(LENGTH, b"Content-Length: 5"), {400}),
    ("H3-two-equal-lengths", framed(LENGTH, LENGTH), {400}),
    ("H4-plus", framed(b"Content-Length: +%d" % len(BAD)), {400}),
    ("H4-underscore", framed(b"Content-Length: 0_5"), {400}),
    ("H4-empty", framed(b"Content-Length: "), {400}),
    ("H4-negative", framed(b"Content-Length: -1"), {400}),
    ("H4-20-digits", framed(b"Content-Length: 99999999999999999999"), {400, 413}),
    ("H4-words", framed(b"Content-Length: five"), {400}),
    ("H5-gzip-chunked", framed(b"Transfer-Encoding: gzip, chunked", body=chunked(BAD)), {400}),
    ("H6-xchunked", framed(b"Transfer-Encoding: xchunked", body=chunked(BAD)), {400}),
    ("H6-vertical-tab", framed(b"Transfer-Encoding: \x0bchunked", body=chunked(BAD)), {400}),
    ("H6-identity", framed(b"Transfer-Encoding: chunked, identity", body=chunked(BAD)), {400}),
    ("H6-twice", framed(b"Transfer-Encoding: chunked, chunked", body=chunked(BAD)), {400}),
    ("H6-two-headers", framed(TE, b"Transfer-Encoding: identity", body=chunked(BAD)), {400}),
    ("H7-hex-prefix", framed(TE, body=b"0x1f\r\n" + BAD + b"\r\n0\r\n\r\n"), {400}),
    ("H7-huge-size", framed(TE, body=b"f" * 17 + b"\r\n" + BAD), {400}),
    ("H7-no-crlf", framed(TE, body=b"5\r\nabcdeXX0\r\n\r\n"), {400}),
    ("H7-bare-lf", framed(TE, body=b"5\nabcde\n0\n\n"), {400}),
    ("H7-space-in-size", framed(TE, body=b"5 5\r\nabcde\r\n0\r\n\r\n"), {400}),
    ("H7-space-extension", framed(TE, body=b"1 ;x\r\n{\r\n0\r\n\r\n"), {400}),
    ("H7-two-bytes-after-data", framed(TE, body=b"5\r\nabcdeZZ0\r\n\r\n"), {400}),
    ("H12-space-before-colon", framed(b"Content-Length : %d" % len(BAD)), {400}),
    ("H13-obs-fold", framed(b"X-A: b", b" folded", LENGTH), {400}),
    ("H14-bare-lf", framed(LENGTH).replace(b"\r\n", b"\n"), {400}),
    ("H15-nul", framed(b"X-A: a\x00b", LENGTH), {400}),
    ("H15-cr", framed(b"X-A: a\rb", LENGTH), {400}),
    ("H15-escape", framed(b"X-A: a\x1bb", LENGTH), {400}),
    ("H16-no-host", framed(LENGTH).replace(b"Host: a\r\n", b""), {400}),
    ("H16-two-hosts", framed(b"Host: b", LENGTH), {400}),
    ("H16-host-path", framed(LENGTH).replace(b"Host: a", b"Host: a/b?"), {400}),
    ("H16-host-fragment", framed(LENGTH).replace(b"Host: a", b"Host: a#b"), {400}),
    ("H16-host-user", framed(LENGTH).replace(b"Host: a", b"Host: x@y"), {400}),
    ("H17-absolute-form", framed(LENGTH).replace(b" /v1", b" http://evil.example/v1"), {403}),
    ("H18-upgrade", framed(b"Connection: upgrade", b"Upgrade: h2c", LENGTH), {400}),
    ("H20-websocket", framed(b"Connection: Upgrade", b"Upgrade: websocket", LENGTH), {400}),
    ("H22-http-1.0", framed(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.0"), {400, 403}),
    ("H22-http-1.9", framed(LENGTH).replace(b"HTTP/1.1", b"HTTP/1.9"), {400, 505}),
    ("H22-http-2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    ("H23-lower-case", framed(LENGTH).replace(b"POST", b"post"), {400, 405, 501}),
    ("H23-unknown", framed(LENGTH).replace(b"POST", b"FROB"), {400, 405, 501}),
    ("H23-trace", framed(LENGTH).replace(b"POST", b"TRACE"), {405}),
    ("H23-connect", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", {400, 405}),
    ("H24-header-70k", framed(b"X-A: " + b"x" * 70_000, LENGTH), {431}),
    ("H24-1000-headers", framed(*(b"X-%d: 1" % n for n in range(1_000)), LENGTH), {431}),
    ("H24-url-70k", framed(LENGTH).replace(b" /v1", b" /" + b"x" * 70_000), {400, 414, 431}),
    ("H28-non-ascii", framed(b"X-A: \xc3\xa9\xff", LENGTH), {400}),
    ("X-garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),
]  # fmt: skip


def rows(table: Iterable[tuple[str, bytes, set[int]]]) -> list[object]:
    return [pytest.param(data, statuses, id=name) for name, data, statuses in table]


@pytest.mark.parametrize(("data", "statuses"), rows(FRAMING))
def test_hostile_framing_is_refused_before_the_upstream(
    proxy: Proxy, data: bytes, statuses: set[int]
) -> None:
    proxy.api.says(b"{}")

    assert send(proxy.url, data).status in statuses
    assert not proxy.api.requests


def test_h8_chunk_extensions_are_ignored(proxy: Proxy) -> None:
    proxy.api.says({"choices": []})
    body = b"%x;a=%s\r\n%s\r\n0\r\n\r\n" % (len(GOOD), b"x" * 1_000, GOOD)

    assert send(proxy.url, framed(TE, body=body)).status == 200
    assert proxy.api.last.body == GOOD
    assert proxy.api.last.header(b"transfer-encoding") is None


def test_h8_chunk_extensions_without_end_are_cut_off(proxy: Proxy) -> None:
    with connect(proxy.url) as connection:
        connection.sendall(framed(TE, body=b"5;a="))
        with pytest.raises(OSError, match=r"reset|roken|closed"):
            connection.sendall(b"x" * 10_000_000)


def test_h9_trailers_are_dropped(proxy: Proxy) -> None:
    proxy.api.says({"choices": []})
    trailers = b"Authorization: Bearer smuggled\r\nX-Late: 1\r\n"

    assert send(proxy.url, framed(TE, body=chunked(GOOD, trailers))).status == 200
    assert proxy.api.last.header(b"authorization") is None
    assert proxy.api.last.header(b"x-late") is None


def test_h18_what_is_for_one_connection_goes_no_further(proxy: Proxy) -> None:
    names = ("keep-alive", "te", "trailer", "proxy-authorization", "proxy-connection", "x-secret")
    hops = [(name, "something") for name in names]
    listed = [("Connection", "keep-alive, x-secret"), *hops]
    proxy.api.says(lambda _, wire: wire.answer(said("It is sunny."), headers=listed))
    answer = post(proxy.url, GOOD, headers=listed)

    assert answer.status == 200
    assert not {name.encode() for name in names} & {name for name, _ in answer.headers}
    assert not {name.encode() for name in names} & {name for name, _ in proxy.api.last.headers}


@pytest.mark.parametrize("status", [204, 304])
def test_h30_a_body_where_none_can_be_is_not_passed_on(proxy: Proxy, status: int) -> None:
    proxy.api.says(lambda _, wire: wire.answer({"text": "a bomb"}, status))
    answer = proxy.ask()

    assert answer.status in (status, 403, 502)
    assert b"bomb" not in answer.body


def test_h10_pipelined_requests_are_guarded_each_on_its_own(proxy: Proxy) -> None:
    proxy.api.says({"choices": []})
    last = request_bytes(BAD, headers=[("Connection", "close")])
    with connect(proxy.url) as connection:
        connection.sendall(request_bytes(GOOD) + last)
        received = b""
        while piece := connection.recv(65_536):
            received += piece

    assert received.count(b"HTTP/1.1 200 ") == 1
    assert received.count(b"HTTP/1.1 403 ") == 1
    assert [request.body for request in proxy.api.requests] == [GOOD]


def test_h11_bytes_after_a_body_are_never_a_part_of_it(proxy: Proxy) -> None:
    proxy.api.says({"choices": []})
    with connect(proxy.url) as connection:
        connection.sendall(request_bytes(GOOD) + b'{"messages": "bomb"}\r\n\r\n')
        first = read_answer(connection)

    assert first.status in (200, 400)
    assert all(request.body == GOOD for request in proxy.api.requests)


def test_h21_a_body_that_is_withheld_is_asked_for_and_not_waited_for_without_end(
    proxy: Proxy,
) -> None:
    proxy.api.says({"choices": []})
    with connect(proxy.url) as connection:
        connection.sendall(
            framed(b"Content-Length: %d" % len(GOOD), b"Expect: 100-continue", body=b"")
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(GOOD)

        assert read_answer(connection).status == 200
    assert proxy.api.last.header(b"expect") is None


@pytest.mark.parametrize(
    "header",
    [
        ("x_guardproxy_admin", "1"),
        ("X-Guardproxy-Bypass", "1"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=1.2.3.4"),
    ],
    ids=["H25", "H29", "H26-for", "H26-host", "H26-forwarded"],
)
def test_headers_that_speak_in_anothers_name_stay_here(
    proxy: Proxy, header: tuple[str, str]
) -> None:
    proxy.api.says({"choices": []})

    assert post(proxy.url, GOOD, headers=[header]).status == 200
    assert proxy.api.last.header(header[0].lower().encode()) is None
    assert post(proxy.url, BAD, headers=[header]).status == 403


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (502, b"X-A: b\r\n\x00\r\nContent-Length: 0"),
        (502, b"X A: b\r\nContent-Length: 0"),
        (502, b"Content-Length: 1\r\nContent-Length: 2"),
        (200, b"X-Request-Id: a\r\nSet-Cookie: b\r\nContent-Length: 0"),
    ],
    ids=["H30-nul-line", "H30-space", "H30-two-lengths", "H30-fine"],
)
def test_a_hostile_head_from_the_upstream_is_a_502(proxy: Proxy, status: int, head: bytes) -> None:
    proxy.api.says(lambda _, wire: wire.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"))
    answer = proxy.ask()

    assert answer.status == status
    assert answer.header(b"set-cookie") is None


def test_h30_interim_answers_are_passed_over(proxy: Proxy) -> None:
    proxy.api.says(
        lambda _, wire: wire.send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3
            + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        )
    )

    assert proxy.ask().body == b"{}"


ROUTES = [
    ("E1", "/v1/chat/completions/"),
    ("E2", "//v1/chat/completions"),
    ("E3-double", "/v1//chat/completions"),
    ("E3-parameter", "/v1/chat/completions;a=b"),
    ("E3-case", "/V1/Chat/Completions"),
    ("E5-completions", "/v1/completions"),
    ("E5-embeddings", "/v1/embeddings"),
    ("E5-images", "/v1/images/generations"),
    ("E5-rerank", "/v1/rerank"),
    ("E5-audio", "/v1/audio/transcriptions"),
    ("E7-azure", "/openai/deployments/x/images/generations"),
    ("E7-gemini", "/v1beta/models/m:generateContent"),
    ("E7-ollama", "/api/embed"),
    ("E7-tgi", "/generate"),
    ("E7-llama", "/completion"),
    ("E7-vllm", "/tokenize"),
    ("E7-invocations", "/invocations"),
    ("E10-slash", "/v1/chat%2fcompletions"),
    ("E10-double", "/v1/%2563hat/completions"),
    ("E10-nul", "/v1/chat/completions%00"),
    ("E10-overlong", "/v1/chat%c0%afcompletions"),
    ("E10-backslash", "/v1%5cchat/completions"),
    ("E10-dots", "/v1/models/../chat/completions"),
    ("E10-encoded-dots", "/v1/models/%2e%2e/chat/completions"),
    ("E15", "/v1/threads/t/messages"),
    ("E16-files", "/v1/files"),
    ("E16-batches", "/v1/batches"),
    ("E16-realtime", "/v1/realtime"),
]


@pytest.mark.parametrize("target", [pytest.param(path, id=name) for name, path in ROUTES])
def test_a_route_that_nobody_covers_is_refused(proxy: Proxy, target: str) -> None:
    proxy.api.says(b"{}")
    answer = post(proxy.url, BAD, target=target)

    assert answer.status in (400, 403, 404, 405)
    # Ollama's error is a string, everybody else's an object with a message.
    assert target.startswith("/api/") or "message" in answer.json()["error"]
    assert not proxy.api.requests


@pytest.mark.parametrize(
    ("target", "onward"),
    [
        ("/v1/%63hat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions?n=1&n=2", "/v1/chat/completions?n=1&n=2"),
        ("/v1/chat/completions#fragment", "/v1/chat/completions"),
    ],
    ids=["E10-once", "E13", "E11"],
)  # fmt: skip
def test_another_spelling_of_a_guarded_route_is_guarded(
    proxy: Proxy, target: str, onward: str
) -> None:
    proxy.api.says({"choices": []})

    assert post(proxy.url, BAD, target=target).status in (400, 403)
    assert not proxy.api.requests
    if post(proxy.url, GOOD, target=target).status == 200:
        assert proxy.api.last.target == onward


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_e14_other_methods_on_the_guarded_route_are_refused(proxy: Proxy, method: str) -> None:
    proxy.api.says(b"{}")

    assert post(proxy.url, BAD, method=method).status == 405
    assert not proxy.api.requests


def test_e15_stored_answers_are_not_fetched(proxy: Proxy) -> None:
    proxy.api.says(b"{}")

    assert proxy.get("/v1/chat/completions/chatcmpl-1").status in (404, 405)
    assert not proxy.api.requests


def test_e15_no_header_makes_another_request_of_one_that_passes(proxy: Proxy) -> None:
    proxy.api.says(b"{}")
    other = [("X-Original-URL", "/v1/responses/resp_1"), ("X-HTTP-Method-Override", "DELETE")]

    assert post(proxy.url, b"", method="GET", target="/v1/models", headers=other).status == 200
    assert not {name for name, _ in proxy.api.last.headers if name.startswith(b"x-")}


CODINGS = [
    ("C1", gzip.compress(BAD), [("Content-Encoding", "gzip")]),
    ("C2", zlib.compress(BAD), [("Content-Encoding", "deflate")]),
    ("C3", BAD, [("Content-Encoding", "br")]),
    ("C4", BAD, [("Content-Encoding", "zstd")]),
    ("C6-no-such-body", BAD, [("Content-Encoding", "gzip")]),
    ("C6-truncated", gzip.compress(BAD)[:20], [("Content-Encoding", "gzip")]),
    ("C6-unmarked", gzip.compress(BAD), []),
    ("C6-two", BAD, [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")]),
    ("C7", gzip.compress(b" " * 10_000_000), [("Content-Encoding", "gzip")]),
    ("C11", b"\xef\xbb\xbf" + BAD, []),
    ("C15-empty", b"", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers"), [pytest.param(body, headers, id=name) for name, body, headers in CODINGS]
)
def test_a_body_in_disguise_is_refused(
    proxy: Proxy, body: bytes, headers: list[tuple[str, str]]
) -> None:
    proxy.api.says(b"{}")

    assert post(proxy.url, body, headers=headers).status in (400, 415)
    assert not proxy.api.requests


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("application/json; charset=utf-7", id="C9-utf-7"),
        pytest.param("application/json; charset=utf-16", id="C9-utf-16"),
        pytest.param("application/x-www-form-urlencoded", id="C12-form"),
        pytest.param("text/plain", id="C12-text"),
        pytest.param(None, id="C12-none"),
        pytest.param("application/json;x", id="C12-parameter"),
        pytest.param("multipart/form-data; boundary=x", id="C13"),
    ],
)
def test_a_body_that_is_not_called_json_is_415(proxy: Proxy, kind: str | None) -> None:
    proxy.api.says(b"{}")
    answer = post(proxy.url, BAD, content_type=kind)

    assert (answer.status, answer.json()["error"]["param"]) == (415, "content-type")
    assert not proxy.api.requests


@pytest.mark.parametrize("declared", [True, False], ids=["C14-declared", "C14-chunked"])
def test_c14_a_body_over_its_limit_is_413(proxy: Proxy, *, declared: bool) -> None:
    proxy.api.says(b"{}")
    body = ask("a" * 4 * 1024 * 1024)
    data = framed(b"Content-Length: %d" % len(body), body=body)

    assert send(proxy.url, data if declared else framed(TE, body=chunked(body))).status == 413
    assert not proxy.api.requests


def test_c15_no_length_is_an_empty_body(proxy: Proxy) -> None:
    assert post(proxy.url, b"", length=False).status == 400


def test_c15_a_body_on_get_goes_nowhere(proxy: Proxy) -> None:
    proxy.api.says({"data": []})
    post(proxy.url, BAD, method="GET", target="/v1/models")

    assert all(not request.body for request in proxy.api.requests)


def test_no_word_slipped_past_and_no_byte_went_unread_i3(proxy: Proxy) -> None:
    """Runs last in this file: nothing of all the above was forwarded unread."""
    assert proxy.metric("guardproxy_forwarded_unscanned_bytes_total") == 0
