from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.dialects.ndjson import LineDecoder
from guardproxy.errors import StreamError
from guardproxy.sse import ServerSentEvent

LARGE = 1 << 20

STREAMS = [
    pytest.param(b'{"a": 1}\n{"a": 2}\n', id="lf"),
    pytest.param(b'{"a": 1}\r\n{"a": 2}\r\n', id="crlf"),
    pytest.param(b'{"a": 1}\r{"a": 2}', id="cr ends no line"),
    pytest.param("\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e é 😀\n".encode(), id="no line ends"),
    pytest.param(b"\n\n \r\n\n", id="blank lines"),
    pytest.param(b'{"a": 1}\n{"a"', id="no end"),
    pytest.param(b"", id="empty"),
]


def decode(*chunks: bytes, limit: int = LARGE) -> list[ServerSentEvent]:
    decoder = LineDecoder(limit)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    rest = decoder.finish()
    return events if rest is None else [*events, rest]


def reference(stream: bytes) -> list[str | None]:
    """An independent reading: the whole text at once."""
    lines = stream.decode().split("\n")
    if not lines[-1]:
        lines.pop()
    return [line if line.strip() else None for line in lines]


def data_of(events: list[ServerSentEvent]) -> list[str | None]:
    return [None if event.data is None else event.data.removesuffix("\n") for event in events]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_cut_in_two_and_byte_by_byte_give_the_same_lines(stream: bytes) -> None:
    cuttings = [(stream[:cut], stream[cut:]) for cut in range(len(stream) + 1)]
    for chunks in (*cuttings, tuple(bytes([byte]) for byte in stream)):
        events = decode(*chunks)

        assert data_of(events) == reference(stream)
        assert b"".join(event.raw for event in events) == stream


@given(
    stream=st.lists(st.text("ab é\u2028\r", max_size=6)).map("\n".join),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_any_cutting_of_any_stream_agrees_with_the_reference(stream: str, cuts: list[int]) -> None:
    coded = stream.encode()
    places = [0, *sorted(min(cut, len(coded)) for cut in cuts), len(coded)]
    events = decode(*(coded[a:b] for a, b in pairwise(places)))

    assert data_of(events) == reference(coded)
    assert b"".join(event.raw for event in events) == coded


def test_a_line_is_given_with_its_end_and_not_before() -> None:
    decoder = LineDecoder(LARGE)

    assert decoder.feed(b'{"a": 1}') == []
    assert decoder.feed(b"\n{") == [ServerSentEvent('{"a": 1}\n', "", b'{"a": 1}\n', ())]
    assert decoder.finish() == ServerSentEvent("{", "", b"{", ())
    assert decoder.finish() is None


def test_s26_the_longest_line_passes_and_one_byte_more_is_refused() -> None:
    assert len(decode(b"12345\n" * 2, limit=5)) == 2
    for chunks in ([b"123456\n"], [b"1"] * 6, [b"123", b"456"]):
        with pytest.raises(StreamError, match="more than 5 bytes"):
            decode(*chunks, limit=5)


def test_lines_before_a_failure_are_given_and_none_after() -> None:
    decoder = LineDecoder(LARGE)

    (event,) = decoder.feed(b"{}\n\xff\n{}\n")
    assert event.data == "{}\n"
    for call in (lambda: decoder.feed(b"{}\n"), decoder.finish):
        with pytest.raises(StreamError):
            call()


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_what_is_not_utf8_is_refused_and_not_quoted(bad: bytes) -> None:
    for stream in (b"secret" + bad + b"\n", b"secret" + bad):
        with pytest.raises(StreamError) as caught:
            decode(stream)
        assert "secret" not in str(caught.value)


@given(chunks=st.lists(st.binary(max_size=40), max_size=8), limit=st.integers(1, 60))
def test_any_bytes_end_in_lines_or_our_own_error(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)

    def outcome(*parts: bytes) -> str:
        try:
            events = decode(*parts, limit=limit)
        except StreamError:
            return "refused"
        assert b"".join(event.raw for event in events) == whole
        return "read"

    assert outcome(*chunks) == outcome(whole)
