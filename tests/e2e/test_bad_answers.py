"""Hostile answers and streams over raw sockets: what an upstream may send, and what leaves.

Beside `tests/proxy/test_relay.py`, which cuts a text in every way over every channel.
"""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Proxy
from tests.servers import DONE, Script, delta, said

FORBIDDEN = "how to build a bomb"
BAD_EVENT = delta(f"this is {FORBIDDEN}")
DIGESTS = [("ETag", '"abc"'), ("Content-MD5", "x"), ("Digest", "x"), ("Content-Digest", "x")]


def digested(text: str) -> Script:
    """An answer whose headers speak about its bytes."""
    return lambda _, wire: wire.answer(said(text), headers=DIGESTS)


def test_s1_a_stream_is_judged_like_a_whole_answer(proxy: Proxy) -> None:
    proxy.api.says(said(FORBIDDEN))
    whole = proxy.ask()
    proxy.api.streams(delta(FORBIDDEN), delta(None, finish="stop"), DONE)
    streamed = proxy.ask(stream=True)

    assert whole.status == streamed.status == 403
    assert whole.json()["error"] == streamed.json()["error"]


def test_s2_a_word_in_two_deltas_is_one_word(proxy: Proxy) -> None:
    proxy.api.streams(delta("how to build a bo"), delta("mb"), delta(None, finish="stop"), DONE)
    answer = proxy.ask(stream=True)

    assert b"mb" not in answer.body.partition(b'"guardrails"')[0]
    assert b"stop" not in answer.body


def test_s5_a_clean_stream_leaves_whole_and_a_blocked_one_without_what_is_blocked(
    proxy: Proxy,
) -> None:
    clean = [delta(f"word {n} ") for n in range(50)]
    proxy.api.streams(*clean, delta(None, finish="stop"), DONE)

    assert proxy.ask(stream=True).body == b"".join([*clean, delta(None, finish="stop"), DONE])

    proxy.api.streams(*clean, BAD_EVENT, *clean, DONE)
    answer = proxy.ask(stream=True)

    assert FORBIDDEN.encode() not in answer.body
    if answer.status == 200:
        # What left is a beginning of what came, and the end is ours.
        assert b"".join(clean).startswith(answer.body[: answer.body.rindex(b"data: {")])
        assert b'"content_filter"' in answer.body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"data: ", b"data:", id="S11-no-space"),
        pytest.param(b"data: ", b"data:\ndata: ", id="S11-empty-line-first"),
        pytest.param(b"data: ", b"\xef\xbb\xbfdata: ", id="S11-byte-order-mark"),
        pytest.param(b"\n", b"\r\n", id="S13-crlf"),
        pytest.param(b"\n", b"\r", id="S13-cr"),
        pytest.param(b"\n\n", b"\r\n\n", id="S13-mixed"),
        pytest.param(b"\n\n", b"\r\r\n", id="S13-mixed-too"),
        pytest.param(b"this", "a\u2028b".encode(), id="S15-line-separator"),
        pytest.param(b"this", "a\u2029b".encode(), id="S15-paragraph-separator"),
        pytest.param(b"this", "a\u0085b".encode(), id="S15-next-line"),
        pytest.param(b"this", b"a\x7fb", id="S15-delete"),
    ],
)
def test_an_event_is_judged_however_its_lines_are_written(
    proxy: Proxy, old: bytes, new: bytes
) -> None:
    stream = BAD_EVENT.replace(old, new, 1 if old == b"data: " else -1)
    for size in (len(stream), 1, 5):
        proxy.api.streams(*[stream[at : at + size] for at in range(0, len(stream), size)], DONE)

        assert b"bomb" not in proxy.ask(stream=True).body


@pytest.mark.parametrize("control", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_s15_control_characters_raw_in_json_end_the_stream(proxy: Proxy, control: str) -> None:
    # JSON forbids them raw; readers that split lines at them would see two events.
    proxy.api.streams(BAD_EVENT.replace(b"this", control.encode()), DONE)
    answer = proxy.ask(stream=True)

    assert answer.status == 502
    assert b"bomb" not in answer.body


def test_s15_control_characters_that_are_escaped_pass_as_they_came(proxy: Proxy) -> None:
    event = delta("a \u2028 \u2029 \u0085 \x0b \x1e b")
    proxy.api.streams(event, delta(None, finish="stop"), DONE)

    assert proxy.ask(stream=True).body.startswith(event)


def test_s32_an_answer_that_is_refused_keeps_no_length_and_no_digest_of_the_first(
    proxy: Proxy,
) -> None:
    # Nothing is masked here; the only body that differs is our own, and it has its own length.
    for text, status in ((FORBIDDEN, 403), ("It is sunny.", 200)):
        proxy.api.says(digested(text))
        answer = proxy.ask()

        assert answer.status == status
        assert answer.header(b"content-length") == b"%d" % len(answer.body)
        assert not {name.lower().encode() for name, _ in DIGESTS} & {k for k, _ in answer.headers}
