"""The hold-back under `chunk-invariance`: cutting a stream differently changes nothing.

Two cuts are made: of the bytes, as a network makes them, and of the text, as a model makes them.
What passes must be the input, byte for byte; what is blocked must be blocked however it is cut, and
no part of the value may have left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest
from chunk_invariance import all_splits, assert_chunk_invariant
from chunk_invariance.strategies import splits_of
from hypothesis import given, settings

from guardproxy.classifiers.recognizers import pii_score
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.normalize import readings
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.stream_guard import Question, StreamGuard
from guardproxy.verdict import StreamMode
from tests.profiles import examples
from tests.servers import DONE, delta

BLOCKED = b"blocked"
PII_ONLY = 0.35
"""The threshold of the shipped policy `pii-only`."""

VALUES = (
    "jane.roe@acme.io",
    "jane%2Eroe%40acme.io",
    "4111 1111 1111 1111",
    "+49 151 23456789",
    "DE89 3704 0044 0532 0130 00",
    "536-90-4399",
    "sk-proj-Ab3dEf6hIj9kLmNoPqRsTu",
)


def arguments(text: str) -> bytes:
    call = {"index": 0, "function": {"arguments": text}}
    return delta(None, tool_calls=[call])


def spoken(pieces: Iterable[str]) -> bytes:
    """A stream that says the pieces one by one."""
    return b"".join(delta(piece) for piece in pieces) + delta(None, finish="stop") + DONE


class Guarded:
    """One stream on its way through decoder, dialect and hold-back; personal data is blocked."""

    def __init__(self, mode: StreamMode = StreamMode.HOLD) -> None:
        self.reader = ChatCompletions().open_stream(Limits())
        self.guard = StreamGuard(mode, hold_values=True)
        self.left = bytearray()
        self.blocked = False

    def through(self, chunks: Iterable[bytes]) -> bytes:
        """Passes the chunks on; what left if all passed, or that something was blocked."""
        decoder = self.reader.decoder()
        for chunk in chunks:
            self.hold(decoder.feed(chunk))
        rest = decoder.finish()
        self.guard.end()
        self.hold([rest] if rest else [])
        return BLOCKED if self.blocked else bytes(self.left)

    def hold(self, events: Iterable[ServerSentEvent]) -> None:
        for event in events:
            read = self.reader.read(event)
            pieces = [(piece.channel, piece.text) for piece in read.pieces]
            self.guard.hold(event.raw, pieces, media=read.media, finished=read.finished)
        question = None if self.blocked else self.guard.question()
        if question is not None:
            self.blocked = holds_personal_data(question)
            if not self.blocked:
                self.guard.passed(question)
        if not self.blocked:
            self.left += b"".join(event.raw for event in self.guard.release())

    def said(self) -> str:
        """The text that left, channel by channel."""
        reader, channels = ChatCompletions().open_stream(Limits()), dict[str, str]()
        for event in EventDecoder(1 << 20).feed(bytes(self.left)):
            for piece in reader.read(event).pieces:
                channels[piece.channel] = channels.get(piece.channel, "") + piece.text
        return "\n".join(channels.values())


def holds_personal_data(question: Question) -> bool:
    texts = (*question.complete, *question.partial)
    return any(pii_score(reading) > PII_ONLY for part in texts for reading in readings(part.text))


def whole(stream: bytes) -> bytes:
    return Guarded().through([stream])


def cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield Guarded().through(chunks)


HARMLESS = spoken(["Grüße, 日本: 4111 ", "1111 eggs."])
INTERLEAVED = (
    delta("Two ", 0) + delta("Deux ", 1) + b": a comment\n\n" + arguments('{"city": "Par')
    + delta("eggs.", 0, "stop") + arguments('is"}') + delta("œufs.", 1, "stop") + DONE
)  # fmt: skip
TELLING = spoken(["jane.", "roe@ac", "me.io."])


@pytest.mark.parametrize("stream", [INTERLEAVED, HARMLESS.replace(b"\n", b"\r\n")])
def test_any_cut_of_its_bytes_lets_a_harmless_stream_out_as_it_came(stream: bytes) -> None:
    assert whole(stream) == stream
    assert assert_chunk_invariant(cut, whole, stream) == len(stream)


def test_any_cut_of_its_bytes_leaves_a_telling_stream_blocked() -> None:
    assert whole(TELLING) == BLOCKED
    assert assert_chunk_invariant(cut, whole, TELLING) == len(TELLING)


@settings(max_examples=examples(150))
@given(splits_of(INTERLEAVED))
def test_many_cuts_of_the_bytes_change_nothing(chunks: list[bytes]) -> None:
    assert_chunk_invariant(cut, whole, INTERLEAVED, splits=[chunks])


@settings(max_examples=examples(150))
@given(splits_of(TELLING))
def test_many_cuts_of_a_telling_stream_change_nothing(chunks: list[bytes]) -> None:
    assert_chunk_invariant(cut, whole, TELLING, splits=[chunks])


def test_the_decoder_gives_the_same_events_for_every_three_pieces() -> None:
    stream = b"event: a\r\ndata: \xc3\xbc\r\ndata: 2\r\n\r\n: x\n\nid: 7\ndata"

    def read(chunks: Iterable[bytes]) -> Iterator[bytes]:
        decoder = EventDecoder(1_000)
        events = [event for chunk in chunks for event in decoder.feed(chunk)]
        events += [rest] if (rest := decoder.finish()) else []
        yield json.dumps([(event.data, event.event, event.extra) for event in events]).encode()

    def read_whole(text: bytes) -> bytes:
        return b"".join(read([text]))

    assert assert_chunk_invariant(read, read_whole, stream, splits=3) > 1_000


def said_in(pieces: Iterable[str], mode: StreamMode) -> str:
    """The verdict on a model that says these pieces, each read, judged and released alone."""
    guarded = Guarded(mode)
    events = [*map(delta, pieces), delta(None, finish="stop"), DONE]
    ended = guarded.through(events)
    if ended != BLOCKED:
        return guarded.said()
    assert guarded.said() in ("", "Note: ")
    return BLOCKED.decode()


@pytest.mark.parametrize("length", [400, 1_000, 2_000, 9_000])
@pytest.mark.parametrize("size", [4, 20, 60, 200])
def test_no_part_of_a_token_leaves_however_long_it_is(length: int, size: int) -> None:
    claims, signature = "eyJpc3MiOiJodHRwczovL2xvZ2luLm" * (length // 30), "Ab3dEf6hIj9kLmNo" * 20
    token = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.{claims}.{signature}"
    pieces = [token[at : at + size] for at in range(0, len(token), size)]

    assert said_in(["Note: ", *pieces, " "], StreamMode.HOLD) == BLOCKED.decode()


@pytest.mark.parametrize("mode", [StreamMode.HOLD, StreamMode.BUFFER])
@pytest.mark.parametrize("value", VALUES)
def test_however_a_model_cuts_a_value_no_part_of_it_leaves(value: str, mode: StreamMode) -> None:
    """In a stream held, what stood before the value may have left; in one buffered, nothing."""

    def streamed(pieces: Iterable[str]) -> Iterator[str]:
        yield said_in(pieces, mode)

    text = f"Note: {value} "
    most = 3 if mode is StreamMode.HOLD else 2
    splits = [["Note: ", *pieces, " "] for pieces in all_splits(value, most)]

    assert said_in([text], mode) == BLOCKED.decode()
    tried = assert_chunk_invariant(streamed, lambda _: BLOCKED.decode(), text, splits=splits)
    assert tried == len(splits)


def test_every_split_of_a_short_text_is_said_as_it_was() -> None:
    def streamed(pieces: Iterable[str]) -> Iterator[str]:
        yield said_in(pieces, StreamMode.HOLD)

    text = "a@b 41 +4"

    assert assert_chunk_invariant(streamed, lambda same: same, text, splits="all") == 2**8
