"""Streams over real sockets: what passes comes out as it went in, and nothing forbidden does."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from guardproxy.content import Passage
from guardproxy.errors import ClassifierError
from guardproxy.events import Exchange, Outcome
from guardproxy.sse import EventDecoder
from guardproxy.strict_json import string_leaves
from guardproxy.verdict import Scores
from tests.dialects.bodies import STREAMS
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import (
    DONE,
    PATIENCE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    connect,
    delta,
    event,
    eventually,
    hear,
    policy_file,
    post,
    request_bytes,
    said,
)

CANARY = "vérboten"
"""What the classifier finds; it holds a character of two bytes."""

POLICY = """
name: relay-test
input: []
output:
  - block_on_error: {closed}
    moderation_llm_v2: {{action: block}}
streaming: {{mode: {mode}, keep_alive_seconds: {keep_alive}}}
unscannable: {{audio: allow}}
"""
GUARDING = ("hold", "buffer")
MODES = (*GUARDING, "live")


class Moody(KeywordClassifier):
    """Takes its time over `slow` text, and fails at `broken` text."""

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        text = "".join(passage.text for passage in passages)
        if "broken" in text:
            raise ClassifierError(text)
        if "slow" in text:
            # Longer than a keep-alive interval and shorter than the deadline of a judgement.
            await asyncio.sleep(0.5)
        return await super().classify(passages)


@pytest.fixture(scope="module")
def proxies(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`proxies(mode, closed=True, keep_alive=15, idle=20)`; each is started once.

    None of those that fail closed lets anything pass unjudged, whatever the tests do.
    """
    folder: Path = tmp_path_factory.mktemp("policies")
    running: dict[str, Proxy] = {}
    with ExitStack() as stack:

        def get(
            mode: str = "hold", *, closed: bool = True, keep_alive: float = 15, idle: float = 20
        ) -> Proxy:
            text = POLICY.format(mode=mode, closed=str(closed).lower(), keep_alive=keep_alive)
            if (key := f"{text}{idle}") not in running:
                file = policy_file(folder, text, f"{len(running)}.yaml")
                classifier = Moody({CANARY: {"dangerous": 0.9}})
                running[key] = stack.enter_context(
                    proxying(api, classifier=classifier, policy=file, idle_timeout=idle)
                )
            return running[key]

        yield get

        closed = [proxy for key, proxy in running.items() if "block_on_error: true" in key]
        ends = [exchange for proxy in closed for exchange in proxy.listener.exchanges]
        assert ends
        assert not [exchange for exchange in ends if exchange.unjudged is not None]


Proxies = Callable[..., Proxy]


def heard(body: bytes) -> str:
    """All that a client of a stream may put together: each field's text over all events."""
    if body.lstrip().startswith(b"{"):
        return body.decode()  # no stream, as the decoder would say
    texts: dict[str, str] = {}
    for each in EventDecoder(1 << 24).feed(body + b"\n\n"):
        data = each.data or ""
        if data.startswith("{"):
            value = json.loads(data)
            for choice in value.get("choices") or []:
                index = choice.get("index")
                for path, text in string_leaves(choice, keys=False):
                    texts[f"{index}.{path}"] = texts.get(f"{index}.{path}", "") + text
            value.pop("choices", None)
            for path, text in string_leaves(value, keys=True):
                texts[path] = texts.get(path, "") + text
        else:
            texts[""] = texts.get("", "") + data + "".join(each.extra)
    return "\n".join(texts.values())


def assert_blocked(answer: RawAnswer) -> None:
    """Blocked as documented, before or after the first byte, and nothing forbidden came out."""
    assert CANARY not in heard(answer.body)
    assert CANARY.encode() not in answer.body
    assert_ended_by_guardrail(answer)


def assert_ended_by_guardrail(answer: RawAnswer) -> None:
    if answer.status == 403:
        assert answer.json()["error"]["type"] == "guardrail_blocked"
        return
    assert answer.status == 200
    *_, last, done, _ = answer.body.split(b"\n\n")
    chunk = json.loads(last.removeprefix(b"data: "))
    assert done == b"data: [DONE]"
    assert {choice["finish_reason"] for choice in chunk["choices"]} == {"content_filter"}
    assert chunk["guardrails"]["results"]["moderation_llm_v2"]["violated"]


def assert_incomplete(answer: RawAnswer) -> None:
    """It says that it is not whole, and nothing forbidden came out."""
    assert CANARY not in heard(answer.body)
    if answer.status == 200:
        assert b"[DONE]" not in answer.body
        assert json.loads(answer.body.split(b"data: ")[-1])["error"]["code"] == "incomplete"
    else:
        assert answer.status in (502, 504)
        assert answer.json()["error"]["code"] == "upstream_error"


def cuts(text: str) -> Iterator[list[str]]:
    """Every way to cut a text in two and in three."""
    for count in (1, 2):
        for places in combinations(range(1, len(text)), count):
            ends = (0, *places, len(text))
            yield [text[a:b] for a, b in pairwise(ends)]


def speak(name: str) -> Callable[[str], bytes]:
    """Text -> an event that says it in this channel."""
    forms: dict[str, Callable[[str], Any]] = {
        "refusal": lambda text: {"refusal": text},
        "reasoning_content": lambda text: {"reasoning_content": text},
        "reasoning": lambda text: {"reasoning": text},
        "chunks": lambda text: {"content": [{"type": "text", "text": text}]},
        "thinking": lambda text: {
            "content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
        },
        "arguments": lambda text: {"tool_calls": [{"index": 1, "function": {"arguments": text}}]},
        "custom": lambda text: {"tool_calls": [{"index": 0, "custom": {"input": text}}]},
        "function_call": lambda text: {"function_call": {"arguments": text}},
        "transcript": lambda text: {"audio": {"transcript": text, "data": "UklGRg=="}},
        "unknown": lambda text: {"reasoning_details": [{"type": "x", "text": text, "id": "r"}]},
        "content": lambda text: {"content": text},
    }
    form = forms[name]
    return lambda text: delta(None, **form(text))


CHANNELS = (
    "content", "refusal", "reasoning_content", "reasoning", "chunks", "thinking", "arguments",
    "custom", "function_call", "transcript", "unknown",
)  # fmt: skip
START = delta("", role="assistant")
STOP = delta(None, finish="stop")


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("mode", MODES)
def test_s3_text_cut_anywhere_over_events_is_found(
    proxies: Proxies, api: ScriptedUpstream, mode: str, channel: str
) -> None:
    say = speak(channel)
    for pieces in cuts(CANARY):
        api.streams(START, say("so "), *map(say, pieces), STOP, DONE)

        answer = proxies(mode).ask(stream=True)

        assert_ended_by_guardrail(answer)
        if mode in GUARDING:
            assert_blocked(answer)


@pytest.mark.parametrize(
    "forms",
    [
        lambda text: [event({"text": text})],
        lambda text: [
            event({"type": "response.output_text.delta", "item_id": "m1", "delta": text})
        ],
        lambda text: [event({"type": "content_block_delta", "index": 0, "delta": {"text": text}})],
        lambda text: [event({"choices": [{"index": 0, "text": text}]})],
        lambda text: [event({"choices": [{"index": 0, "message": {"content": text}}]})],
        lambda text: [event({"choices": [{"index": 0, "delta": text}]})],
        lambda text: [event([{"text": text}])],
        lambda text: [event(text)],
        lambda text: [b": " + text.encode() + b"\n\n"],
        lambda text: [b"id: " + text.encode() + b"\n\n"],
        lambda text: [b"event: " + text.encode() + b"\ndata: {}\n\n"],
    ],
)
def test_s16_s22_text_in_any_other_shape_is_found(
    proxies: Proxies, api: ScriptedUpstream, forms: Callable[[str], list[bytes]]
) -> None:
    api.streams(delta("so "), *forms(CANARY), DONE)
    assert_blocked(proxies().ask(stream=True))
    pieces = [piece for half in (CANARY[:3], CANARY[3:]) for piece in forms(half)]
    api.streams(delta("so "), *pieces, DONE)
    assert_blocked(proxies().ask(stream=True))


@pytest.mark.parametrize("mode", GUARDING)
@pytest.mark.parametrize("text", [CANARY, f"so {CANARY} it is", "x" * 2_000 + CANARY])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_s4_bytes_that_drip_are_read_like_any_others(
    proxies: Proxies, api: ScriptedUpstream, mode: str, text: str, ascii_only: bool
) -> None:
    value = {"choices": [{"index": 0, "delta": {"content": text}}]}
    data = b"data: " + json.dumps(value, ensure_ascii=ascii_only).encode() + b"\r\n\r\n"
    for size in (1, 2, 3, 7):
        stream = delta("well, ") + data + DONE
        api.streams(*[stream[at : at + size] for at in range(0, len(stream), size)])

        assert_blocked(proxies(mode).ask(stream=True))


@pytest.mark.parametrize("mode", GUARDING)
@pytest.mark.parametrize("forbidden", [0, 1])
def test_s6_choices_that_interleave_are_told_apart(
    proxies: Proxies, api: ScriptedUpstream, mode: str, forbidden: int
) -> None:
    other = 1 - forbidden
    events = [START, delta("", 1)]
    for letter in CANARY:
        events += [delta(letter, forbidden), delta("la ", other)]
    api.streams(*events, delta(None, other, "stop"), delta(None, forbidden, "stop"), DONE)

    assert_blocked(proxies(mode).ask(stream=True))


def test_s6_only_the_choices_that_are_open_are_ended(
    proxies: Proxies, api: ScriptedUpstream
) -> None:
    ended = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("One. ") + delta("Two. ", 1) + delta(None, 0, "stop"))
        assert ended.wait(PATIENCE)
        wire.chunk(delta(CANARY, 1) + DONE)
        wire.chunk(b"")

    api.says(script)
    # The first choice has ended at the client's, too.
    request = request_bytes(ask(stream=True))
    answer = hear(proxies().url, request, b'"finish_reason": "stop"', ended.set)

    assert_blocked(answer)
    chunk = json.loads(answer.body.split(b"\n\n")[-3].removeprefix(b"data: "))
    assert [choice["index"] for choice in chunk["choices"]] == [1]


@pytest.mark.parametrize("index", [-1, 10**9, "0", True, 1.5])
def test_s6_an_index_that_cannot_be_ends_the_stream(
    proxies: Proxies, api: ScriptedUpstream, index: object
) -> None:
    api.streams(event({"choices": [{"index": index, "delta": {"content": CANARY}}]}), DONE)

    assert_incomplete(proxies().ask(stream=True))


@pytest.mark.parametrize("mode", GUARDING)
def test_a_block_before_the_first_byte_is_a_plain_403(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    api.streams(START, delta(CANARY), DONE)

    answer = proxies(mode).ask(stream=True)

    assert answer.status == 403
    assert answer.header(b"content-type") == b"application/json"
    assert answer.json()["guardrails"]["results"]["moderation_llm_v2"]["action"] == "block"


def ended(proxy: Proxy, before: int) -> Exchange:
    """The exchange after the first `before`, once it is over: later than its answer."""
    eventually(lambda: len(proxy.listener.exchanges) > before, "the end")
    return proxy.listener.exchanges[before]


def first_bytes(proxy: Proxy, count: int = 1) -> tuple[Any, bytes]:
    """A connection on which a streamed answer has begun, and what has come of it."""
    connection = connect(proxy.url)
    connection.sendall(request_bytes(ask(stream=True)))
    come = b""
    while come.count(b"\n\n") < count:
        come += connection.recv(65_536)
    return connection, come


def test_s34_a_block_after_text_ends_the_stream_and_closes_the_upstream(
    proxies: Proxies, api: ScriptedUpstream
) -> None:
    gone: list[bool] = []
    left = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(START + delta("It is sunny. "))
        assert left.wait(PATIENCE)
        wire.chunk(delta(CANARY))
        gone.append(wire.gone())
        wire.close()

    api.says(script)
    answer = hear(proxies().url, request_bytes(ask(stream=True)), b"It is sunny. ", left.set)

    assert answer.status == 200
    assert "It is sunny. " in heard(answer.body)
    assert_blocked(answer)
    eventually(lambda: gone, "the upstream's end")
    assert gone == [True]


@pytest.mark.parametrize("mode", MODES)
def test_a_caller_who_leaves_takes_the_upstream_along(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    gone: list[bool] = []

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(START + delta("It is sunny. "))
        gone.append(wire.gone())
        wire.close()

    api.says(script)
    proxy = proxies(mode, keep_alive=0.1)
    before = len(proxy.listener.exchanges)
    connection, _ = first_bytes(proxy)
    connection.close()

    eventually(lambda: gone, "the upstream's end")
    assert gone == [True]
    assert ended(proxy, before).outcome is Outcome.CLIENT_GONE


def test_s33_a_comment_is_sent_while_nothing_may_leave(
    proxies: Proxies, api: ScriptedUpstream
) -> None:
    api.streams(START, delta("a slow answer "), STOP, DONE)

    answer = proxies(keep_alive=0.1).ask(stream=True)

    assert answer.status == 200
    assert answer.body.startswith(b": keep-alive\n\n")
    assert answer.body.replace(b": keep-alive\n\n", b"").endswith(DONE)
    assert "a slow answer" in heard(answer.body)


@pytest.mark.parametrize("mode", GUARDING)
def test_a_block_after_a_comment_is_no_403_any_more(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    api.streams(START, delta(f"slow and {CANARY}"), STOP, DONE)

    answer = proxies(mode, keep_alive=0.1).ask(stream=True)

    assert answer.status == 200
    assert_blocked(answer)


def chunks(*data: bytes) -> Callable[[Wire], None]:
    """Sends these; an empty one ends the body."""

    def send(wire: Wire) -> None:
        for each in data:
            wire.chunk(each)

    return send


TWICE = f'{{"choices": [{{"index": 0, "delta": {{"content": "{CANARY}", "content": ""}}}}]}}'
BROKEN: dict[str, Callable[[Wire], object]] = {
    "s27 stalls": Wire.gone,
    "s28 resets": Wire.reset,
    "s28 closes": Wire.close,
    "s20 ends inside an event": chunks(event({"x": CANARY})[:-10], b""),
    "s20 ends inside a character": chunks("data: é".encode()[:-1], b""),
    "not utf-8": chunks(b"data: " + CANARY.encode("latin-1") + b"\n\n"),
    "s17 not json": chunks(b'data: {"x": ' + CANARY.encode() + b"}\n\n"),
    "s21 duplicate keys": chunks(b"data: " + TWICE.encode() + b"\n\n"),
    "two documents": chunks(b'data: {} {"x": "' + CANARY.encode() + b'"}\n\n'),
    "half a surrogate pair": chunks(b'data: {"x": "\\ud800"}\n\n'),
    "choices that are no list": chunks(event({"choices": {"a": CANARY}})),
    "a choice that is no object": chunks(event({"choices": [CANARY]})),
    "s26 an event that is too large": chunks(delta("a" * 1_048_576) + delta(CANARY)),
    "s26 a line without an end": chunks(*[b"x" * 65_536] * 17),
    "too deep": chunks(b"data: " + b"[" * 100 + b"]" * 100 + b"\n\n"),
    "too many channels": chunks(event({f"k{number}": "some text" for number in range(600)})),
}


@pytest.mark.parametrize("begun", [False, True], ids=["before the first byte", "later"])
@pytest.mark.parametrize("mode", GUARDING)
@pytest.mark.parametrize("fault", BROKEN)
def test_a_stream_that_breaks_does_not_look_complete(
    proxies: Proxies, api: ScriptedUpstream, fault: str, mode: str, begun: bool
) -> None:
    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        if begun:
            wire.chunk(START + delta("It is sunny. "))
            time.sleep(0.1)
        BROKEN[fault](wire)
        if not wire.closed:
            chunks(DONE, b"")(wire)

    api.says(script)
    proxy = proxies(mode, idle=0.5 if "stalls" in fault else 20)
    before = len(proxy.listener.exchanges)
    answer = proxy.ask(stream=True)

    assert_incomplete(answer)
    assert ended(proxy, before).outcome is Outcome.UPSTREAM_FAILED


def test_an_event_of_the_largest_size_passes(proxies: Proxies, api: ScriptedUpstream) -> None:
    words, letters = divmod(1_048_576 - len(delta("")), 5)
    largest = delta("word " * words + "a" * letters)
    api.streams(largest, STOP, DONE)

    assert len(largest) == 1_048_576
    assert proxies("live").ask(stream=True).body == largest + STOP + DONE


@pytest.mark.parametrize("mode", GUARDING)
def test_what_must_be_held_is_bounded(api: ScriptedUpstream, tmp_path: Path, mode: str) -> None:
    text = POLICY.format(mode=mode, closed="true", keep_alive=15)
    policy = policy_file(tmp_path, text + "limits: {answer_bytes: 4096, hold_bytes: 1024}\n")
    events = [delta(f"{number} sheep are jumping. ") for number in range(100)]
    api.says(lambda _, wire: wire.stream(b"".join(events) + DONE))
    with proxying(api, classifier=Moody({CANARY: {"dangerous": 0.9}}), policy=policy) as proxy:
        assert_incomplete(proxy.ask(stream=True))


@pytest.mark.parametrize("early", [False, True])
def test_m5_sound_that_may_not_pass_ends_a_stream(
    api: ScriptedUpstream, tmp_path: Path, early: bool
) -> None:
    text = POLICY.format(mode="hold", closed="true", keep_alive=15)
    policy = policy_file(tmp_path, text.replace("{audio: allow}", "{audio: block}"))
    sound = delta(None, audio={"data": "UklGRg=="})
    api.streams(*([] if early else [delta("Listen: ")]), sound, STOP, DONE)
    with proxying(api, classifier=Moody({CANARY: {"dangerous": 0.9}}), policy=policy) as proxy:
        answer = proxy.ask(stream=True)

    assert b"UklGRg==" not in answer.body
    assert answer.status == 403 or b'"content_filter"' in answer.body
    assert b'"unscannable"' in answer.body


def test_s19_nothing_follows_the_end(proxies: Proxies, api: ScriptedUpstream) -> None:
    api.streams(delta("It is sunny."), DONE, delta(CANARY), b": " + CANARY.encode() + b"\n\n")

    answer = proxies().ask(stream=True)

    assert answer.body == delta("It is sunny.") + DONE


SUNNY = b'data: {"choices":[{"index":0,"delta":{"content":"Sunny"}}]}\n\ndata: [DONE]\n\n'
IDENTICAL = {
    **STREAMS,
    "crlf": SUNNY.replace(b"\n", b"\r\n"),
    "cr": SUNNY.replace(b"\n", b"\r"),
    "mixed": SUNNY.replace(b"\n\n", b"\r\n\n"),
    "no spaces": SUNNY.replace(b"data: ", b"data:"),
    "comments, ids, names": b": ping\n\nid: 7\nretry: 10\nevent: message\n" + SUNNY,
    "one value over lines": (
        b'data: {"choices":\ndata: [{"index":0,"delta":{"content":"Sunny"}}]}\n\ndata: [DONE]\n\n'
    ),
    "line separators and spaces": (
        'data: {"choices": [ {"index":0,"delta":{"content":"a\u2028b\u2029c\u0085d\x7f"}} ] }\n\n'
        "data: [DONE]\n\n"
    ).encode(),
    "numbers": b'data: {"x": [1.0000000000000000555, 18446744073709551616, 1e2]}\n\n' + DONE,
    "without an end mark": SUNNY.removesuffix(DONE),
    "crlf without an end mark": SUNNY.removesuffix(DONE).replace(b"\n", b"\r\n"),
    "byte order mark": b"\xef\xbb\xbfdata: {}\n\ndata: [DONE]\n\n",
    "nothing": b"",
    "only comments": b": ping\n\n: ping\n\n",
    "no text": b'data: {"choices":[]}\n\ndata: [DONE]\n\n',
}


@pytest.mark.parametrize("size", [1, 5, 1_000_000])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", IDENTICAL)
def test_what_passes_is_what_came(
    proxies: Proxies, api: ScriptedUpstream, name: str, mode: str, size: int
) -> None:
    stream = IDENTICAL[name]
    api.streams(*[stream[at : at + size] for at in range(0, len(stream), size)])

    answer = proxies(mode).ask(stream=True)

    assert answer.status == 200
    assert answer.body == stream
    assert answer.header(b"content-type") == b"text/event-stream; charset=utf-8"


@pytest.mark.parametrize("mode", MODES)
def test_a_long_stream_passes_whole(proxies: Proxies, api: ScriptedUpstream, mode: str) -> None:
    events = [delta(f"{number} sheep are jumping over the fence. ") for number in range(5_000)]
    api.streams(*events, STOP, DONE)

    assert proxies(mode).ask(stream=True).body == b"".join(events) + STOP + DONE


@pytest.mark.parametrize("mode", GUARDING)
@pytest.mark.parametrize("early", [False, True])
def test_s29_a_classifier_that_fails_midway_stops_a_policy_that_fails_closed(
    proxies: Proxies, api: ScriptedUpstream, mode: str, early: bool
) -> None:
    start = [] if early else [delta("It is sunny. ")]
    api.streams(*start, delta(f"broken {CANARY}"), STOP, DONE)

    answer = proxies(mode).ask(stream=True)

    assert CANARY not in heard(answer.body)
    if answer.status == 403:
        assert answer.json()["code"] == 3201
    else:
        assert b'"content_filter"' in answer.body


@pytest.mark.parametrize("mode", MODES)
def test_s29_a_policy_that_fails_open_goes_on_and_says_so(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    events = [delta("It is sunny. "), delta("broken, but fine"), STOP, DONE]
    api.streams(*events)

    proxy = proxies(mode, closed=False)
    before = len(proxy.listener.exchanges)
    answer = proxy.ask(stream=True)

    assert answer.body == b"".join(events)
    assert ended(proxy, before).unjudged == "error"


# ---- whole answers where a stream was expected, and the other way round ------------------------


@pytest.mark.parametrize("mode", GUARDING)
def test_s23_a_whole_answer_to_a_stream_request_is_judged(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    api.says(said(CANARY))
    assert_blocked(proxies(mode).ask(stream=True))
    api.says(said("It is sunny."))
    assert proxies(mode).ask(stream=True).json() == said("It is sunny.")


@pytest.mark.parametrize("mode", GUARDING)
def test_a_stream_as_answer_to_a_whole_request_is_judged(
    proxies: Proxies, api: ScriptedUpstream, mode: str
) -> None:
    api.streams(delta(CANARY), DONE)
    assert_blocked(proxies(mode).ask())


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "text/event-streams", None])
def test_a_stream_under_another_name_is_judged_as_its_readers_read_it(
    proxies: Proxies, api: ScriptedUpstream, kind: str | None
) -> None:
    harmful = START + delta(CANARY[:4]) + delta(CANARY[4:]) + DONE
    harmless = START + delta("sun") + delta("ny") + DONE
    api.says(lambda _, wire: wire.answer(harmful, content_type=kind))
    assert_blocked(proxies().ask(stream=True))
    api.says(lambda _, wire: wire.answer(harmless, content_type=kind))
    assert proxies().ask(stream=True).body == harmless


@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain"])
@pytest.mark.parametrize("form", [b" %b", b"D%b", b"%b"])
def test_s11_what_a_lenient_reader_takes_for_events_never_leaves_unjudged(
    proxies: Proxies, api: ScriptedUpstream, kind: str, form: bytes
) -> None:
    # As it is said, with a blank or a capital, and without any field.
    cut = {b" %b": 0, b"D%b": 1, b"%b": len(b"data: ")}[form]
    pieces = [form % delta(piece)[cut:] for piece in (CANARY[:4], CANARY[4:])]
    body = START + b"".join(pieces) + DONE
    api.says(lambda _, wire: wire.answer(body, content_type=kind))

    answer = proxies().ask(stream=True)

    assert pieces[1] not in answer.body
    assert answer.status in (200, 502)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"error": {"message": "about {}", "type": "x"}}).encode(), "application/json"),
        (json.dumps({"error": "about {}"}, indent=1).encode(), "text/event-stream"),
        (b'data: {"error": {"message": "about {}"}}\n\n', "text/event-stream"),
        (b"<html><body>about {}</body></html>", "text/html"),
        (b"about {}", "text/plain; charset=utf-8"),
        (b"about {}", None),
    ],
)
def test_s30_an_error_answer_is_judged_and_passes_as_it_came(
    proxies: Proxies, api: ScriptedUpstream, status: int, body: bytes, kind: str | None
) -> None:
    harmless, harmful = body.replace(b"{}", b"rain"), body.replace(b"{}", CANARY.encode())
    api.says(lambda _, wire: wire.answer(harmless, status, content_type=kind))
    passed = proxies().ask(stream=True)
    api.says(lambda _, wire: wire.answer(harmful, status, content_type=kind))
    blocked = proxies().ask(stream=True)

    assert (passed.status, passed.body) == (status, harmless)
    assert_blocked(blocked)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "iso-2022-jp", '"utf-16le"', "shift_jis"])
def test_c9_an_answer_that_reads_otherwise_elsewhere_is_refused(
    proxies: Proxies, api: ScriptedUpstream, kind: str, charset: str
) -> None:
    api.says(lambda _, wire: wire.answer(b"{}", content_type=f"{kind}; charset={charset}"))

    assert proxies().ask(stream=True).status == 502


@pytest.mark.parametrize(
    "parameters",
    [
        "x-charset=utf-8; charset=utf-7",
        "charset*=us-ascii''utf-7",
        "charset*0=utf-; charset*1=7",
        "charset=utf-8; charset=utf-7",
        'x="; charset=utf-8"; charset=utf-7',
        "charset=utf-8 charset=utf-7",
        "charset=utf-8, text/plain; charset=utf-7",
    ],
)
def test_c9_an_answer_names_no_charset_that_another_reader_finds_first(
    proxies: Proxies, api: ScriptedUpstream, parameters: str
) -> None:
    body = CANARY.encode("utf-7")
    api.says(lambda _, wire: wire.answer(body, content_type=f"text/plain; {parameters}"))

    answer = proxies().ask()

    assert answer.status == 502
    assert body not in answer.body


@pytest.mark.parametrize(
    "parameters",
    [
        "charset=utf-8",
        'Charset = "UTF-8"',
        "charset='utf8'; x=y",
        "profile=a;charset=US-ASCII ;x=y",
        "charset=utf-8; charset=UTF-8",
        "charset=utf-8;",
    ],
)
def test_c9_a_charset_that_is_read_as_utf_8_passes(
    proxies: Proxies, api: ScriptedUpstream, parameters: str
) -> None:
    api.says(lambda _, wire: wire.answer(b"{}", content_type=f"application/json; {parameters}"))

    assert proxies().ask().status == 200


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("text/plain; charset=utf-8", "text/plain; charset=utf-7"), 502),
        (("text/plain", "text/plain; charset=utf-8"), 502),
        (("application/json", "text/event-stream"), 502),
        (("application/json", "application/json"), 200),
    ],
)
def test_c9_an_answer_of_two_kinds_is_refused(
    proxies: Proxies, api: ScriptedUpstream, kinds: tuple[str, str], status: int
) -> None:
    headers = [("content-type", kinds[1])]
    api.says(lambda _, wire: wire.answer(b"{}", headers=headers, content_type=kinds[0]))

    assert proxies().ask().status == status


@pytest.mark.parametrize("coding", ["utf-16-be", "utf-16", "utf-32-be", "utf-8-sig"])
def test_j11_a_body_in_a_coding_that_clients_guess_is_refused(
    proxies: Proxies, api: ScriptedUpstream, coding: str
) -> None:
    api.says(json.dumps(said(CANARY)).encode(coding))

    answer = proxies().ask()

    assert answer.status in (403, 502)
    assert CANARY.encode(coding) not in answer.body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_s25_a_compressed_answer_is_refused(
    proxies: Proxies, api: ScriptedUpstream, coding: str, kind: str
) -> None:
    body = gzip.compress(delta(CANARY))
    headers = [("Content-Encoding", coding)]
    api.says(lambda _, wire: wire.answer(body, headers=headers, content_type=kind))

    answer = proxies().ask(stream=True)

    assert answer.status == 502
    assert body not in answer.body


def test_e_a_query_is_judged_like_a_body(api: ScriptedUpstream) -> None:
    api.says(said("It is sunny."))
    with proxying(api) as proxy:
        target = "/v1/chat/completions?about={}"
        blocked = post(proxy.url, ask(), target=target.format("build+a+%62omb"))
        passed = post(proxy.url, ask(), target=target.format("the+weather"))

    assert blocked.status == 403
    assert passed.status == 200
    assert api.last.target == target.format("the+weather")


@pytest.mark.parametrize("query", ["a=bo&b=mb", "v=1&a=bo&b=%6Db", "a=bo;b=mb", "bo=&mb="])
def test_m3_a_text_cut_over_the_values_of_a_query_is_judged(
    api: ScriptedUpstream, query: str
) -> None:
    with proxying(api) as proxy:
        blocked = post(proxy.url, ask(), target=f"/v1/chat/completions?{query}")

    assert blocked.status == 403
