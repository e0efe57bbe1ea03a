from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.bench.gateways import Target, direct
from guardproxy.bench.processes import Server, free_port
from guardproxy.bench.streams import (
    Answer,
    Asked,
    Heard,
    delays,
    first_words,
    heard,
    listen,
    sent_by,
)
from tests.servers import DONE, Wire, delta, event, eventually, upstream

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(*events: bytes, head: bytes = HEAD, end: bytes = b"0\r\n\r\n") -> bytes:
    return head + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in events) + end


def fed(pieces: list[bytes]) -> Answer:
    """An answer whose first piece was there after one second, the next after two, ..."""
    answer = Answer(clock=lambda: float(now))
    for now, piece in enumerate(pieces, start=1):  # noqa: B007 - the clock reads it
        answer.feed(piece)
    return answer


STREAM = chunked(delta("", role="assistant"), delta("one "), delta("two "), delta(None), DONE)


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_however_a_stream_is_cut_its_words_are_heard_in_order(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    answer = fed([STREAM[start:end] for start, end in itertools.pairwise(places)])
    found = heard("p", 0.0, answer, 2)

    assert found.whole
    assert len(found.words) == 2
    assert list(found.words) == sorted(found.words)
    assert 0 < found.words[-1] <= found.total


def test_a_word_is_there_when_the_space_behind_it_is() -> None:
    pieces = [chunked(delta("on"), end=b""), chunked(delta("e two "), DONE, head=b"")]

    assert heard("p", 0.5, fed(pieces), 2) == Heard("p", 0.5, (1.5, 1.5), 1.5, whole=True)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(chunked(delta("one "), DONE), id="words are missing"),
        pytest.param(chunked(delta("one "), delta("two "), end=b""), id="no end"),
        pytest.param(STREAM.replace(b"200 OK", b"403 No"), id="another status"),
        pytest.param(chunked(b"data: " + b"\xff" * 9 + b"\n\n"), id="no text"),
        pytest.param(chunked(event([]), event({"choices": [1]}), event({})), id="no chunks"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_not_whole_says_so(data: bytes) -> None:
    assert not heard("p", 0.0, fed([data]), 2).whole


def test_streams_are_heard_word_by_word(api: Server) -> None:
    sent_by(api.url)
    prompts = ["first", "second"]
    streams = asyncio.run(listen(direct(api), Asked(4, 5), prompts))
    sent = sent_by(api.url)
    late = delays(streams, sent)

    assert [stream.prompt for stream in streams] == prompts
    assert all(stream.whole for stream in streams)
    assert set(sent) == set(prompts)
    assert len(late) == 8
    assert min(late) > 0
    assert first_words(streams) == [stream.words[0] for stream in streams]


def at(url: str) -> Target:
    return Target("gateway", Server("gateway", 0, url, 0.0), {"x-key": "k"})


def test_a_gateway_that_is_gone_is_a_broken_stream() -> None:
    gone = at(f"http://127.0.0.1:{free_port()}")
    (stream,) = asyncio.run(listen(gone, Asked(1, 0), ["hello"]))

    assert (stream.whole, stream.words, stream.total) == (False, (), 0.0)
    assert first_words([stream]) == []


def test_a_gateway_that_breaks_off_is_a_broken_stream() -> None:
    def breaks(_: object, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("one "))
        wire.close()

    with upstream() as api:
        api.script = breaks
        (stream,) = asyncio.run(listen(at(api.url.removesuffix("/v1")), Asked(2, 0), ["hello"]))
        (request,) = api.requests

    assert (stream.whole, len(stream.words)) == (False, 1)
    assert request.json()["model"] == "stream-2-0"
    assert request.header(b"x-key") == b"k"


def test_what_is_no_http_is_a_broken_stream() -> None:
    with upstream() as api:
        api.script = lambda _, wire: wire.send(b"SMTP at your service\r\n\r\n")
        (stream,) = asyncio.run(listen(at(api.url.removesuffix("/v1")), Asked(2, 0), ["hello"]))

    assert not stream.whole


def test_a_silent_gateway_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardproxy.bench.streams._PATIENCE_SECONDS", 0.1)

    left: list[bool] = []

    def silent(_: object, wire: Wire) -> None:
        left.append(wire.gone())

    with upstream() as api:
        api.script = silent
        (stream,) = asyncio.run(listen(at(api.url.removesuffix("/v1")), Asked(2, 0), ["hello"]))
        eventually(lambda: left, "the end of the connection")

    assert not stream.whole
    assert left == [True]


def test_the_wish_stands_in_the_name_of_the_model() -> None:
    assert Asked(100, 20).model == "stream-100-20"
    assert json.loads(json.dumps(Asked(1, 0).model)) == "stream-1-0"
