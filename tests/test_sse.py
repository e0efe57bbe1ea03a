from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardproxy.errors import StreamError, UpstreamError
from guardproxy.sse import EventDecoder, ServerSentEvent

LARGE = 1 << 20

Seen = tuple[str | None, str, tuple[str, ...]]


def decode(*chunks: bytes, limit: int = LARGE) -> list[ServerSentEvent]:
    decoder = EventDecoder(limit)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    rest = decoder.finish()
    return events if rest is None else [*events, rest]


def seen(events: list[ServerSentEvent]) -> list[Seen]:
    """What events say; a last one that is only the late LF of the one before says nothing."""
    late_lf = [e.raw[-1:] for e in events[-2:]] == [b"\r", b"\n"] and events[-1].raw == b"\n"
    return [(e.data, e.event, e.extra) for e in (events[:-1] if late_lf else events)]


def one(stream: bytes) -> ServerSentEvent:
    (event,) = decode(stream)
    return event


# An independent, slow reading of the specification: the whole text at once, by regular expression.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def reference(stream: bytes) -> list[Seen]:
    text = stream.decode("utf-8").removeprefix("\ufeff")
    lines = re.split("\r\n|\r|\n", text)
    rest = lines.pop()
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line == "":
            blocks.append([])
        else:
            blocks[-1].append(line)
    if rest:
        blocks[-1].append(rest)
    if not blocks[-1] and stream != BYTE_ORDER_MARK:
        # A byte order mark alone ends no event, but its bytes must not be lost.
        blocks.pop()
    return [read_block(block) for block in blocks]


def read_block(block: list[str]) -> Seen:
    data: list[str] = []
    names: list[str] = []
    extra: list[str] = []
    for line in block:
        found = re.fullmatch("([^:]*)(?::( ?)(.*))?", line, re.DOTALL)
        assert found
        name, value = found[1], found[3] or ""
        if name == "data":
            data.append(value)
        elif name == "event":
            extra += names
            names = [value]
        else:
            extra.append(value if name in {"", "id", "retry"} else line)
    return ("\n".join(data) if data else None, "".join(names), tuple(extra))


STREAMS = [
    pytest.param(b"data: a\n\ndata: b\n\n", id="lf"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", id="crlf"),
    pytest.param(b"data: a\r\rdata: b\r\r", id="cr"),
    pytest.param(b"data: a\r\n\rdata: b\n\r\ndata: c\r\r\n", id="mixed"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", id="byte order mark"),
    pytest.param(BYTE_ORDER_MARK, id="byte order mark alone"),
    pytest.param(b"\xef\xbb\xbf\n\ndata: a\n\n", id="byte order mark alone on its line"),
    pytest.param(
        "data: \u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e é 😀\n\n".encode(), id="no line ends"
    ),
    pytest.param(b": hi\nid: 1\nretry: 2\nevent: x\ndata\ndata:\ndata: y\nz: 1\n\n", id="fields"),
    pytest.param(b"\n\n\r\r\r\n\r\n", id="blank lines"),
    pytest.param(b"data: a\n\ndata: cut", id="no end"),
    pytest.param(b"data: a\n\ndata: cut\r", id="no blank line"),
    pytest.param(b"", id="empty"),
]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_cut_in_two_gives_the_same_events(stream: bytes) -> None:
    expected = reference(stream)
    for cut in range(len(stream) + 1):
        events = decode(stream[:cut], stream[cut:])

        assert seen(events) == expected
        assert b"".join(event.raw for event in events) == stream


@pytest.mark.parametrize("stream", STREAMS)
def test_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    events = decode(*(bytes([byte]) for byte in stream))

    assert seen(events) == reference(stream)
    assert b"".join(event.raw for event in events) == stream


def test_an_event_is_given_with_its_blank_line_and_not_before() -> None:
    decoder = EventDecoder(LARGE)

    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\ndata: b") == [ServerSentEvent("a", "", b"data: a\n\n", ())]
    assert decoder.finish() == ServerSentEvent("b", "", b"data: b", ())
    assert decoder.finish() is None


def test_a_cr_at_the_end_of_a_read_does_not_delay_the_event() -> None:
    decoder = EventDecoder(LARGE)

    assert decoder.feed(b"data: a\r\n\r") == [ServerSentEvent("a", "", b"data: a\r\n\r", ())]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [
        ServerSentEvent("b", "", b"\ndata: b\r\n\r\n", ())
    ]
    assert decoder.finish() is None


def test_a_late_lf_alone_is_what_is_left() -> None:
    assert decode(b"data: a\r\r", b"\n")[-1] == ServerSentEvent(None, "", b"\n", ())


def test_a_late_lf_inside_an_event_ends_no_line() -> None:
    assert [event.data for event in decode(b"data: a\r", b"\ndata: b\n\n")] == ["a\nb"]


def test_data_lines_are_joined_and_may_lack_the_space() -> None:
    assert one(b"data:a\ndata:  b\ndata\n\n").data == "a\n b\n"


def test_a_block_without_data_has_none_and_an_empty_data_line_is_empty() -> None:
    assert one(b": ping\n\n").data is None
    assert one(b"data\n\n").data == ""


def test_whatever_a_browser_ignores_stands_in_extra() -> None:
    event = one(b": one\nevent: two\nid:three\nretry: four\nevent: last\nfive: 5\n sixth\n\n")

    assert event.event == "last"
    assert event.extra == ("one", "three", "four", "two", "five: 5", " sixth")
    assert event.ids == ("three", "four", "two")


def test_only_the_first_byte_order_mark_is_dropped() -> None:
    first, second = decode(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfid: b\n\n")

    assert (first.data, first.extra) == ("a", ())
    assert (second.data, second.extra) == (None, ("\ufeffid: b",))


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("drip", [False, True])
def test_the_largest_event_passes_and_one_byte_more_is_refused(end: bytes, drip: bool) -> None:
    stream = (b"data: x" + end) * 2
    largest = len(b"data: x" + end.removesuffix(b"\n")) + (end[-2:] == b"\n\n")
    chunks = [stream[i : i + 1] for i in range(len(stream))] if drip else [stream]

    assert [e.data for e in decode(*chunks, limit=largest) if e.raw != b"\n"] == ["x", "x"]
    with pytest.raises(StreamError, match=f"more than {largest - 1} bytes"):
        decode(*chunks, limit=largest - 1)


def test_a_line_that_never_ends_is_refused() -> None:
    decoder = EventDecoder(100)
    assert decoder.feed(b"data: " + b"x" * 94) == []
    with pytest.raises(StreamError):
        decoder.feed(b"x")


def test_lines_that_never_make_an_event_are_refused() -> None:
    with pytest.raises(StreamError):
        decode(b": x\n" * 26, limit=100)


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf0\x9f\x98"])
def test_what_is_not_utf8_is_refused_and_not_quoted(bad: bytes) -> None:
    for stream in (b"data: secret" + bad + b"\n\n", b": secret" + bad):
        with pytest.raises(UpstreamError) as caught:
            decode(stream)
        assert caught.value.status == 502
        assert "secret" not in str(caught.value)


def test_events_before_a_failure_are_given_and_none_after() -> None:
    decoder = EventDecoder(LARGE)

    (event,) = decoder.feed(b"data: a\n\ndata: \xff\n\ndata: b\n\n")
    assert event.data == "a"
    for _ in range(2):
        with pytest.raises(StreamError):
            decoder.feed(b"data: c\n\n")
    with pytest.raises(StreamError):
        decoder.finish()


LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.one_of(
    st.sampled_from([b"", b"data", b"data:", b":", b"\xef\xbb\xbf"]),
    st.builds(
        lambda name, text: name + text.encode(),
        st.sampled_from([b"data: ", b"data:", b"event: ", b"id:", b"retry: ", b": ", b"other: "]),
        st.text(max_size=8).filter(lambda text: not set("\r\n\0[{") & set(text)),
    ),
)
PIECES = st.lists(st.tuples(LINES, LINE_ENDS).map(b"".join), max_size=12)


@given(pieces=PIECES, rest=LINES, cuts=st.lists(st.integers(0, 300), max_size=8))
@example(pieces=[b"data: a\r", b"\r"], rest=b"", cuts=[])
def test_any_cutting_of_any_stream_agrees_with_the_reference(
    pieces: list[bytes], rest: bytes, cuts: list[int]
) -> None:
    stream = b"".join(pieces) + rest
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    events = decode(*(stream[a:b] for a, b in pairwise(places)))

    assert seen(events) == reference(stream)
    assert b"".join(event.raw for event in events) == stream


@given(chunks=st.lists(st.binary(max_size=40), max_size=8), limit=st.integers(1, 60))
def test_any_bytes_end_in_events_or_our_own_error(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)

    def outcome(*parts: bytes) -> tuple[list[Seen], str]:
        decoder, events = EventDecoder(limit), []
        try:
            for part in parts:
                events += decoder.feed(part)
            rest = decoder.finish()
        except StreamError as error:
            return seen(events), str(error)
        events += [] if rest is None else [rest]
        assert b"".join(event.raw for event in events) == whole
        return seen(events), ""

    assert outcome(*chunks) == outcome(whole)


def test_a_nul_byte_ends_the_stream() -> None:
    with pytest.raises(StreamError, match="NUL"):
        EventDecoder(1_000).feed("data: {}\n\n".encode("utf-16-le"))


@pytest.mark.parametrize("body", [b'{"a": 1}', b"\n \n[1]", b"\xef\xbb\xbf\r\n\t{\n"])
def test_json_is_no_event_stream_whatever_it_is_called(body: bytes) -> None:
    decoder = EventDecoder(1_000)
    with pytest.raises(StreamError, match="no field"):
        # Twice: blank lines before it are events that say nothing, and are given first.
        _ = [decoder.feed(chunk) for chunk in (body + b"\n\n", b"")]


@pytest.mark.parametrize(
    "line",
    [
        ' data: {"a": 1}',
        "\u00a0data:x",
        "\ufeffdata: x",
        "Data: x",
        "DATA : x",
        '{"a": 1}',
        "\t[1]",
        '\ufeff {"a": 1}',
        ": x\u2028data: x",
        'id: 1\x0b{"a": 1}',
        "event: x\u0085 Data: x",
    ],
)
def test_what_only_a_lenient_reader_takes_for_data_is_refused(line: str) -> None:
    for rest in ("", "\n\n"):
        with pytest.raises(StreamError, match="no field"):
            decode(b": x\ndata: a\n\n", (line + rest).encode(), b"")


@pytest.mark.parametrize("line", ["[DONE]", "database: x", ": {}", "id: [1]", "x {", "error: {}"])
def test_what_no_reader_takes_for_data_is_a_line_of_a_stream(line: str) -> None:
    assert one(f"{line}\n\n".encode()).data is None
