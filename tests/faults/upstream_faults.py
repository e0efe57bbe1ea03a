"""Ways in which an LLM API fails, and what its caller sees of each: the table behind the tests.

`make docs` prints it. A fault is a script for one connection; where it can befall a whole answer
and a stream, it asks the request which was wanted.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.servers import DONE, RawRequest, Script, Wire, delta, event, said

BEGINNING: Final = "A long and harmless beginning, which ends here. "
STREAM: Final = (delta(BEGINNING), delta("It is sunny."), delta(None, finish="stop"), DONE)
ANSWER: Final = said("It is sunny.")

Bytes: TypeAlias = Callable[[RawRequest], bytes]

FAILED = "502"
LATE = "504"
CUT = "200, then an error event; no `[DONE]`"
"""What has been judged may have left before the fault, or nothing has: then it is a 502."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and what a caller sees who asked for a whole answer, or for a stream.

    An outcome is a status (`502`), `CUT`, or `as sent`: status and bytes are the upstream's.
    """

    name: str
    script: Script
    whole: str = FAILED
    streamed: str = FAILED
    hasty: bool = False
    """It ends only by one of our own timeouts."""
    status: int | None = None
    """The upstream's own, if it is not 200."""
    meant: bool = True
    """What is passed on is the body that was asked for."""


AS_SENT = "as sent"


def is_streamed(request: RawRequest) -> bool:
    return request.json().get("stream") is True


def whole_body(request: RawRequest) -> bytes:
    """The body of the answer that the request asks for."""
    if is_streamed(request):
        return b"".join(STREAM)
    return json.dumps(ANSWER).encode()


def kind(request: RawRequest) -> str:
    return "text/event-stream" if is_streamed(request) else "application/json"


def head(request: RawRequest, *lines: str, status: str = "200 OK") -> bytes:
    """The head of an answer of the right content type, with more lines of its own."""
    all_lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind(request)}", *lines]
    return "\r\n".join(all_lines).encode("latin-1") + b"\r\n\r\n"


def raw(make: Bytes, *, reset: bool = False, close: bool = True) -> Script:
    """Sends bytes; then ends the connection, as asked or as a crash does."""

    def script(request: RawRequest, wire: Wire) -> None:
        wire.send(make(request))
        if reset:
            time.sleep(0.05)  # a reset overtakes what is on its way
            wire.reset()
        elif close:
            wire.close()

    return script


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def sized(request: RawRequest, difference: int = 0, body: bytes | None = None) -> bytes:
    """An answer with a length, that is right but for a difference."""
    body = whole_body(request) if body is None else body
    return head(request, f"Content-Length: {len(body) + difference}") + body


def half(request: RawRequest) -> bytes:
    """A chunked answer up to its middle."""
    body = whole_body(request)
    return head(request, "Transfer-Encoding: chunked") + chunked(body[: len(body) // 2])


def drip(request: RawRequest, wire: Wire) -> None:
    """A byte now and then, for ever."""
    wire.send(head(request, "Transfer-Encoding: chunked"))
    while True:
        wire.chunk(b" " if not is_streamed(request) else b":\n")
        time.sleep(0.05)


def slowly(request: RawRequest, wire: Wire) -> None:
    """A right answer, in many small pieces."""
    wire.send(head(request, "Transfer-Encoding: chunked"))
    body = whole_body(request)
    for start in range(0, len(body), 16):
        wire.chunk(body[start : start + 16])
        time.sleep(0.002)
    wire.chunk(b"")


def silent(_: RawRequest, wire: Wire) -> None:
    wire.gone()


def begun_and_silent(request: RawRequest, wire: Wire) -> None:
    wire.send(half(request))
    wire.gone()


def endless_1xx(_: RawRequest, wire: Wire) -> None:
    while True:
        wire.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 50)
        time.sleep(0.01)


def broken_utf8(request: RawRequest) -> bytes:
    return sized(request, body=whole_body(request).replace(b"sunny", b"s\xffnny"))


def mixed_up(request: RawRequest, wire: Wire) -> None:
    """Says of a whole answer that it is a stream, and the other way round."""
    body = whole_body(request)
    other = "application/json" if is_streamed(request) else "text/event-stream"
    wire.answer(body, content_type=other)


FAULTS: Final = (
    Fault("closes before it answers", raw(lambda _: b"")),
    Fault("resets before it answers", raw(lambda _: b"", reset=True)),
    Fault("never answers", silent, LATE, LATE, hasty=True),
    Fault("closes within the head", raw(lambda r: head(r)[:40])),
    Fault("resets within the head", raw(lambda r: head(r)[:40], reset=True)),
    Fault("closes after the head", raw(lambda r: head(r, "Content-Length: 99"))),
    Fault("resets after the head", raw(lambda r: head(r, "Content-Length: 99"), reset=True)),
    Fault("closes within a body with a length", raw(lambda r: sized(r, 50)), streamed=AS_SENT),
    Fault("closes within a chunked body", raw(half), streamed=CUT),
    Fault("resets within a chunked body", raw(half, reset=True), streamed=CUT),
    Fault(
        "closes between two chunks, no last one",
        raw(lambda r: head(r, "Transfer-Encoding: chunked") + chunked(whole_body(r))),
        streamed=AS_SENT,
    ),
    Fault("falls silent within the body", begun_and_silent, LATE, CUT, hasty=True),
    Fault("sends a byte now and then, for ever", drip, LATE, LATE, hasty=True),
    Fault("answers in small pieces, slowly", slowly, AS_SENT, AS_SENT),
    Fault(
        "sends more than its length says",
        raw(lambda r: sized(r) + b"HTTP/1.1 200 OK\r\n", close=False),
        AS_SENT,
        AS_SENT,
    ),
    Fault(
        "sends a length that cuts the body", raw(lambda r: sized(r, -20), close=False), FAILED, CUT
    ),
    Fault(
        "HTTP/1.0, whose end is the connection's",
        raw(lambda r: head(r).replace(b"/1.1", b"/1.0") + whole_body(r)),
        AS_SENT,
        AS_SENT,
    ),
    Fault(
        "two lengths", raw(lambda r: head(r, "Content-Length: 5", "Content-Length: 6") + b"hello")
    ),
    Fault(
        "a length and chunks",
        raw(
            lambda r: (
                head(r, "Content-Length: 5", "Transfer-Encoding: chunked")
                + chunked(whole_body(r), b"")
            )
        ),
    ),
    Fault(
        "a chunk whose size is no number",
        raw(lambda r: head(r, "Transfer-Encoding: chunked") + b"zz\r\n" + whole_body(r)),
    ),
    Fault("no HTTP at all", raw(lambda _: b"220 mail.example ESMTP\r\n")),
    Fault("a status that is no number", raw(lambda _: b"HTTP/1.1 2oo OK\r\n\r\n")),
    Fault(
        "a head of a megabyte",
        raw(lambda r: head(r, *(f"X-{n}: {'x' * 1000}" for n in range(1000)))),
    ),
    Fault(
        "a head without end", raw(lambda _: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20, close=False)
    ),
    Fault(
        "a hundred 1xx first",
        raw(lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + sized(r), close=False),
        AS_SENT,
        AS_SENT,
    ),
    Fault("1xx without end", endless_1xx, LATE, LATE, hasty=True),
    Fault(
        "switches protocols",
        raw(
            lambda _: (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
            )
        ),
    ),
    Fault(
        "204 with a body",
        raw(lambda r: sized(r).replace(b"200 OK", b"204 No Content"), close=False),
        AS_SENT,
        AS_SENT,
        status=204,
        meant=False,
    ),
    Fault(
        "500 with a JSON body",
        lambda _, wire: wire.answer({"error": {"message": "sorry"}}, 500),
        AS_SENT,
        AS_SENT,
        status=500,
        meant=False,
    ),
    Fault(
        "503 without a body",
        lambda _, wire: wire.answer(b"", 503),
        AS_SENT,
        AS_SENT,
        status=503,
        meant=False,
    ),
    Fault(
        "502 with a page",
        lambda _, wire: wire.answer(b"<h1>Bad Gateway</h1>", 502, content_type="text/html"),
        AS_SENT,
        AS_SENT,
        status=502,
        meant=False,
    ),
    Fault("a status of 999", raw(lambda r: sized(r).replace(b"200 OK", b"999 Odd"), close=False)),
    Fault(
        "redirects elsewhere",
        lambda _, wire: wire.answer(b"", 307, [("Location", "http://127.0.0.1:1/")]),
        AS_SENT,
        AS_SENT,
        status=307,
        meant=False,
    ),
    Fault(
        "200 without a body",
        lambda r, wire: wire.answer(b"", content_type=kind(r)),
        AS_SENT,
        AS_SENT,
        meant=False,
    ),
    Fault("JSON called a stream, a stream called JSON", mixed_up, FAILED, AS_SENT),
    Fault(
        "JSON that is none",
        raw(lambda r: sized(r, body=whole_body(r).replace(b'"id"', b"id")), close=False),
    ),
    Fault("text that is not UTF-8", raw(broken_utf8, close=False), streamed=CUT),
    Fault(
        "a coded body",
        lambda r, wire: wire.answer(
            gzip.compress(whole_body(r)), 200, [("Content-Encoding", "gzip")], content_type=kind(r)
        ),
    ),
    Fault(
        "a coded body that does not say so",
        lambda r, wire: wire.answer(gzip.compress(whole_body(r)), content_type=kind(r)),
    ),
    Fault(
        "ends without `[DONE]`",
        raw(lambda r: sized(r, body=whole_body(r).removesuffix(DONE)), close=False),
        AS_SENT,
        AS_SENT,
    ),
    Fault(
        "ends within an event",
        raw(lambda r: sized(r, body=whole_body(r)[:-30]), close=False),
        FAILED,
        CUT,
    ),
    Fault(
        "an event of two megabytes",
        raw(lambda r: sized(r, body=event({"x": "y" * 2**21})), close=False),
    ),
)
