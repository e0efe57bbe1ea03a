"""Events in an answer that is not called a stream."""

from __future__ import annotations

import pytest

from guardproxy.content import MediaKind, Role, TextPart
from guardproxy.dialects.base import Answered
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.unlabelled import read_unlabelled
from guardproxy.errors import StreamError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import STREAMS

CHAT, LIMITS = ChatCompletions(), Limits()
SAID = (TextPart(Role.ASSISTANT, "bomb", "choices[0].content"),)
EVENTS = b"".join(
    b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % piece
    for piece in (b"bo", b"mb")
)


@pytest.mark.parametrize(
    "body",
    [
        EVENTS,
        EVENTS.rstrip(),
        EVENTS.replace(b"\n", b"\r"),
        EVENTS.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + EVENTS,
        EVENTS + b"data: [DONE]\n\n",
        # What follows the end is passed on as well, so it is read.
        b"data: [DONE]\n\n" + EVENTS,
    ],
)
def test_pieces_over_events_are_one_text(body: bytes) -> None:
    assert read_unlabelled(CHAT, body, LIMITS) == Answered(SAID)


@pytest.mark.parametrize("body", [b"", b"<p>no data: here</p>", b'{"data": 1}', b"metadata:\n"])
def test_what_holds_no_events_says_nothing_more(body: bytes) -> None:
    assert read_unlabelled(CHAT, body, LIMITS) == Answered(())


LINES = [b'{"choices":[{"index":0,"delta":{"content":"%s"}}]}' % piece for piece in (b"bo", b"mb")]
PATH = "choices[0].delta.content"


@pytest.mark.parametrize(
    "form", [b" data: %b", b"Data:%b", b"x\n%b", b"x\n\t%b", b"x\xe2\x80\xa8data: %b"]
)
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n", b"\r"])
def test_lines_that_only_a_lenient_reader_takes_for_data_are_one_text(
    form: bytes, end: bytes
) -> None:
    answered = read_unlabelled(CHAT, b"".join(form % line + end for line in LINES), LIMITS)

    assert TextPart(Role.ASSISTANT, "bomb", PATH) in answered.texts


def test_events_among_such_lines_are_refused() -> None:
    body = b"data: %b\n\n data: %b\n\n" % tuple(LINES)
    with pytest.raises(StreamError):
        read_unlabelled(CHAT, body, LIMITS)


def test_lines_of_a_page_are_no_events() -> None:
    page = b"<script>\nx = {\n  data: {\n  a: [\n{}\n],\n[DONE]\n</script>\n"

    assert read_unlabelled(CHAT, page, LIMITS) == Answered(())


def test_a_line_that_two_readers_see_differently_is_refused() -> None:
    with pytest.raises(StreamError):
        read_unlabelled(CHAT, b'x\n{"a": "b", "a": "c"}\n', LIMITS)


@pytest.mark.parametrize("body", [b'{\n "a": [\n{"b": "c"},\n{"b": "d"}\n]}', b'[\n{"b": "c"}\n]'])
def test_json_is_read_whole_and_not_by_its_lines(body: bytes) -> None:
    assert read_unlabelled(CHAT, body, LIMITS) == Answered(())


def test_media_in_events_are_media() -> None:
    answered = read_unlabelled(CHAT, STREAMS["audio"], LIMITS)

    assert [medium.kind for medium in answered.media] == [MediaKind.AUDIO]


@pytest.mark.parametrize("body", [b'x\ndata: {"a":1,"a":2}\n\n', EVENTS + b"data: \xff\n\n"])
def test_events_that_cannot_be_read_safely_are_refused(body: bytes) -> None:
    with pytest.raises(StreamError):
        read_unlabelled(CHAT, body, LIMITS)
