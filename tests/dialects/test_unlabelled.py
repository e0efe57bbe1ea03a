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


def test_media_in_events_are_media() -> None:
    answered = read_unlabelled(CHAT, STREAMS["audio"], LIMITS)

    assert [medium.kind for medium in answered.media] == [MediaKind.AUDIO]


@pytest.mark.parametrize("body", [b'x\ndata: {"a":1,"a":2}\n\n', EVENTS + b"data: \xff\n\n"])
def test_events_that_cannot_be_read_safely_are_refused(body: bytes) -> None:
    with pytest.raises(StreamError):
        read_unlabelled(CHAT, body, LIMITS)
