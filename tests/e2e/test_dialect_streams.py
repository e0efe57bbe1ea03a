"""Every streamed route over real sockets: a forbidden word cut over events never comes out."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Event

import pytest

from guardproxy.classifiers.recognizers import pii_score
from guardproxy.content import Passage
from guardproxy.dialects.base import Dialect
from guardproxy.dialects.ndjson import LineDecoder
from guardproxy.dialects.routes import GUARDED
from guardproxy.sse import EventDecoder
from guardproxy.strict_json import string_leaves
from guardproxy.verdict import Scores
from tests.dialects.bodies import Json
from tests.dialects.recorded import recorded
from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import (
    DONE,
    PATIENCE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    connect,
    hear,
    policy_file,
    post,
    request_bytes,
)

CANARY = "vérboten"
"""What the classifier finds; it holds a character of two bytes."""

POLICY = """
name: dialect-streams
input: [{{block_on_error: true, moderation_llm_v2: {{action: block}}}}]
output: [{{block_on_error: true, moderation_llm_v2: {{action: block}}}}]
streaming: {{mode: {mode}}}
unscannable: {{image: allow, audio: allow, file: allow}}
"""
SSE, NDJSON = "text/event-stream", "application/x-ndjson"


def sse(value: Json, name: str = "") -> bytes:
    line = f"event: {name}\n".encode() if name else b""
    return line + b"data: " + json.dumps(value).encode() + b"\n\n"


def ndjson(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def legacy(text: str, *, last: bool = False) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop" if last else None}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
    return sse({**head, "choices": [choice]})


def chat(text: str, *, last: bool = False) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop" if last else None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return sse({**head, "choices": [choice]})


def conversation(field: str, kind: str, **more: object) -> Callable[..., bytes]:
    def say(text: str, *, last: bool = False) -> bytes:
        if last:
            done = {"type": "conversation.response.done", "usage": {}}
            return sse(done, "conversation.response.done")
        value = {"type": kind, "id": "e1", "output_index": 0, "created_at": "2025-05-27T13:00:01Z"}
        return sse({**value, **more, field: text}, kind)

    return say


def spoken(field: str) -> Callable[..., bytes]:
    def say(text: str, *, last: bool = False) -> bytes:
        message = {"role": "assistant", "content": "", field: text}
        return ndjson({"model": "m", "created_at": "2023-08-04", "message": message, "done": last})

    return say


def response(text: str, *, last: bool = False) -> bytes:
    return ndjson({"model": "m", "created_at": "2023-08-04", "response": text, "done": last})


@dataclass(frozen=True, slots=True)
class Talk:
    """A route that streams: how the upstream says something, and how a block ends it."""

    route: str
    say: Callable[..., bytes]
    ended: Callable[[bytes], bool]
    content_type: str = SSE
    tail: bytes = b""

    @property
    def request(self) -> bytes:
        body = next(iter(recorded(GUARDED[self.route]).requests.values()))
        return json.dumps({**body, "stream": True}).encode()

    @property
    def path(self) -> str:
        return self.route.replace("{conversation}", "conv_1").replace("{deployment}", "gpt-4o")

    def events(self, pieces: Sequence[Json]) -> list[bytes]:
        said = [self.say(piece) for piece in pieces]
        return [self.say("so "), *said, self.say("", last=True), self.tail]


def filtered(body: bytes) -> bool:
    *_, last, done, _ = body.split(b"\n\n")
    chunk = json.loads(last.removeprefix(b"data: "))
    return (
        done == DONE.strip()
        and {choice["finish_reason"] for choice in chunk["choices"]} == {"content_filter"}
        and chunk["guardrails"]["results"]["moderation_llm_v2"]["violated"]
    )


def broken_off(body: bytes) -> bool:
    name, data = body.split(b"\n\n")[-2].split(b"\n")
    value = json.loads(data.removeprefix(b"data: "))
    return (
        name == b"event: conversation.response.error"
        and value["code"] == 403
        and value["guardrails"]["results"]["moderation_llm_v2"]["violated"]
    )


def done(body: bytes) -> bool:
    value = json.loads(body.splitlines()[-1])
    return (
        value["done"] is True
        and value["done_reason"] == "content_filter"
        and value["guardrails"]["results"]["moderation_llm_v2"]["violated"]
    )


MESSAGE = conversation("content", "message.output.delta", role="assistant", content_index=0)
CALL = conversation("arguments", "function.call.delta", name="f", tool_call_id="c1")
AZURE = "/openai/deployments/{deployment}"
TALKS = [
    Talk("/v1/completions", legacy, filtered, tail=DONE),
    Talk(f"{AZURE}/completions", legacy, filtered, tail=DONE),
    Talk(f"{AZURE}/chat/completions", chat, filtered, tail=DONE),
    Talk("/openai/v1/chat/completions", chat, filtered, tail=DONE),
    Talk("/v1/fim/completions", chat, filtered, tail=DONE),
    Talk("/v1/agents/completions", chat, filtered, tail=DONE),
    Talk("/v1/conversations", MESSAGE, broken_off),
    Talk("/v1/conversations/{conversation}", CALL, broken_off),
    Talk("/v1/conversations/{conversation}/restart", MESSAGE, broken_off),
    Talk("/api/chat", spoken("content"), done, NDJSON),
    Talk("/api/chat", spoken("thinking"), done, NDJSON),
    Talk("/api/generate", response, done, NDJSON),
]
EVERY_TALK = pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.route)


@pytest.fixture(scope="module")
def proxies(
    api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Proxy]]:
    folder: Path = tmp_path_factory.mktemp("policies")
    with ExitStack() as stack:
        yield {
            mode: stack.enter_context(
                proxying(
                    api,
                    classifier=KeywordClassifier({CANARY: {"dangerous": 0.9}}),
                    policy=policy_file(folder, POLICY.format(mode=mode), f"{mode}.yaml"),
                )
            )
            for mode in ("hold", "buffer", "live")
        }


def streamed(proxy: Proxy, talk: Talk, events: list[bytes]) -> RawAnswer:
    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream(content_type=talk.content_type)
        wire.end_stream(*[event for event in events if event])

    proxy.api.says(script)
    return post(proxy.url, talk.request, target=talk.path)


def heard(body: bytes, content_type: str) -> str:
    """All that a client may put together: each field's text over all events."""
    decoder = LineDecoder(1 << 24) if content_type == NDJSON else EventDecoder(1 << 24)
    texts: dict[str, str] = {}
    if body.startswith(b"{") and content_type != NDJSON:
        # A refusal before the first event is no stream.
        return "\n".join(text for _, text in string_leaves(json.loads(body), keys=False))
    for event in decoder.feed(body + b"\n\n"):
        if event.data is not None and event.data.startswith("{"):
            for path, text in string_leaves(json.loads(event.data), keys=False):
                texts[path] = texts.get(path, "") + text
    return "\n".join(texts.values())


@EVERY_TALK
@pytest.mark.parametrize("mode", ["hold", "buffer", "live"])
def test_s3_a_word_cut_in_two_is_found(proxies: dict[str, Proxy], talk: Talk, mode: str) -> None:
    for cut in range(len(CANARY)):
        pieces = [piece for piece in (CANARY[:cut], CANARY[cut:]) if piece]
        answer = streamed(proxies[mode], talk, talk.events(pieces))

        if answer.status == 403:
            assert answer.json()["guardrails"]["results"]["moderation_llm_v2"]["violated"]
        else:
            assert talk.ended(answer.body), answer.body
        if mode != "live":
            assert CANARY not in heard(answer.body, talk.content_type)
            assert CANARY.encode() not in answer.body


def test_s7_thinking_between_two_texts_hides_no_word(proxies: dict[str, Proxy]) -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": " and so on "}]}
    talks = [talk for talk in TALKS if talk.say in (chat, MESSAGE)]
    for talk in talks:
        for cut in range(1, len(CANARY)):
            first, last = ({"type": "text", "text": t} for t in (CANARY[:cut], CANARY[cut:]))
            chunks = [first, thinking, {**last, "summary": "and so on"}]
            for contents in ([chunks], [[each] for each in chunks]):
                answer = streamed(proxies["hold"], talk, talk.events(contents))

                assert answer.status == 403 or talk.ended(answer.body), answer.body


def test_i3_fields_of_many_names_are_one_text(api: ScriptedUpstream, tmp_path: Path) -> None:
    policy = policy_file(tmp_path, POLICY.format(mode="hold"))
    classifier = KeywordClassifier({"how\nto\nsay\nit": {"dangerous": 0.9}})
    words = ["how", "to", "say", "it"]
    talks = {talk.say: talk for talk in TALKS}
    with proxying(api, classifier=classifier, policy=policy) as proxy:
        for talk in talks.values():
            line = ndjson if talk.content_type == NDJSON else sse
            events = [line({f"k{at}": word}) for at, word in enumerate(words)]
            answer = streamed(proxy, talk, [*events, talk.say("", last=True), talk.tail])

            assert answer.status == 403 or talk.ended(answer.body), answer.body


def test_m12_a_number_in_arguments_does_not_leave(api: ScriptedUpstream, tmp_path: Path) -> None:
    """Arguments that come as an object, not as JSON in a string."""
    policy = policy_file(tmp_path, POLICY.format(mode="hold"))
    classifier = KeywordClassifier({'"card": 4556737586899855': {"pii": 0.9}})
    function: Json = {"name": "pay", "arguments": {"card": 4556737586899855}}
    calls: list[Json] = [{"index": 0, "id": "c", "type": "function", "function": function}]
    delta: Json = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}
    whole: Json = {"message": {"role": "assistant", "tool_calls": calls}, "done": False}
    talks = {talk.say: talk for talk in TALKS}
    with proxying(api, classifier=classifier, policy=policy) as proxy:
        for talk, call in (
            (talks[chat], sse({"id": "c", "object": "x", "created": 1, "choices": [delta]})),
            (talks[CALL], CALL({"card": 4556737586899855})),
            (next(each for each in TALKS if each.route == "/api/chat"), ndjson(whole)),
        ):
            answer = streamed(proxy, talk, [call, talk.say("", last=True), talk.tail])

            assert answer.status == 403 or talk.ended(answer.body), answer.body
            assert b"4556737586899855" not in answer.body


def block(text: str, *, last: bool = False) -> bytes:
    """What Anthropic's Messages say."""
    if last:
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
        return sse(ended, "message_delta") + sse({"type": "message_stop"}, "message_stop")
    delta = {"type": "text_delta", "text": text}
    value = {"type": "content_block_delta", "index": 0, "delta": delta}
    return sse(value, "content_block_delta")


def output(text: str, *, last: bool = False) -> bytes:
    """What OpenAI's Responses say."""
    if last:
        completed = {"type": "response.completed", "response": {"id": "r", "output": []}}
        return sse(completed, "response.completed")
    place = {"output_index": 0, "content_index": 0, "item_id": "m"}
    return sse({"type": "response.output_text.delta", **place, "delta": text})


def refused(body: bytes) -> bool:
    return body.count(b"message_stop") == 2 and b'"stop_reason":"refusal"' in squeezed(body)


def incomplete(body: bytes) -> bool:
    return b"response.incomplete" in body and b'"reason":"content_filter"' in squeezed(body)


def squeezed(body: bytes) -> bytes:
    return body.replace(b": ", b":")


class Slow(KeywordClassifier):
    """Takes its time over what is called slow."""

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        if any("slow" in passage.text for passage in passages):
            await asyncio.sleep(0.3)
        return await super().classify(passages)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "end later"])
def test_in_live_mode_no_end_overtakes_the_verdict(
    api: ScriptedUpstream, tmp_path: Path, later: bool
) -> None:
    """What comes with the end may be held with it; what came before has left."""
    talks = {talk.say: talk for talk in TALKS}.values()
    policy = policy_file(tmp_path, POLICY.format(mode="live"))
    with proxying(api, classifier=Slow({CANARY: {"dangerous": 0.9}}), policy=policy) as proxy:
        for talk in (
            *talks,
            Talk("/v1/messages", block, refused),
            Talk("/v1/responses", output, incomplete),
        ):
            end, left = talk.say("", last=True), Event()

            def script(
                _: RawRequest,
                wire: Wire,
                talk: Talk = talk,
                end: bytes = end,
                left: Event = left,
            ) -> None:
                wire.begin_stream(content_type=talk.content_type)
                wire.chunk(talk.say("slow ") + (talk.say(CANARY) if later else b""))
                assert left.wait(PATIENCE)
                wire.chunk(end if later else talk.say(CANARY) + end)
                time.sleep(0.1 if later else 0)
                wire.end_stream(*([talk.tail] if talk.tail else []))

            api.says(script)
            request = request_bytes(talk.request, target=talk.path)
            answer = hear(proxy.url, request, b"rboten" if later else b"slow ", left.set)

            assert not later or CANARY in heard(answer.body, talk.content_type)
            assert end not in answer.body
            assert talk.ended(answer.body), answer.body


class Recognizing(KeywordClassifier):
    """Finds what the recognizers find."""

    def score(self, text: str) -> Scores:
        return {**super().score(text), "pii": pii_score(text)}


def said_by(**fields: Json) -> bytes:
    """A chunk of a chat."""
    choice = {"index": 0, "delta": fields, "finish_reason": None}
    return sse({"object": "chat.completion.chunk", "choices": [choice]})


def called(arguments: str) -> bytes:
    return said_by(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": arguments}}])


def chunk(kind: str, text: Json) -> bytes:
    return said_by(content=[{"type": kind, kind: text}])


def thought(text: str) -> bytes:
    delta = {"type": "thinking_delta", "thinking": text}
    return sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")


TOKEN = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.{'eyJpc3MiOiJodHRwczovL2xvZ2lu' * 40}.{'aB3-' * 80}"
CHAT, MESSAGES = Talk("/v1/agents/completions", chat, filtered), Talk("/v1/messages", block, done)
ELSEWHERE = {
    "reasoning": (CHAT, chat, said_by(reasoning_content="hm ")),
    "a tool call": (CHAT, chat, called("{}")),
    "a chunk of thoughts": (
        CHAT,
        lambda text: chunk("text", text),
        chunk("thinking", [{"type": "text", "text": "hm "}]),
    ),
    "an early end": (CHAT, chat, chat("", last=True)),
    "a block of thoughts": (MESSAGES, block, thought("hm ")),
    "a line of thoughts": (TALKS[9], spoken("content"), spoken("thinking")("hm ")),
}


@pytest.mark.parametrize("value", [
    ["sk-proj-abcDEF1234", "567890abcd", "efghij1234567890"],
    ["4111 1111 ", "1111 111", "1"],
    ["marie.dupont@ora", "nge.f", "r"],
    [TOKEN[at : at + 90] for at in range(0, 900, 90)],
], ids=["key", "card", "address", "token"])  # fmt: skip
@pytest.mark.parametrize("between", [False, True], ids=["alone", "between"])
def test_s5_nothing_of_a_value_leaves_while_another_channel_speaks(
    api: ScriptedUpstream, tmp_path: Path, value: list[str], between: bool
) -> None:
    policy = policy_file(tmp_path, POLICY.format(mode="hold"))
    with proxying(api, classifier=Recognizing({}), policy=policy) as proxy:
        for name, (talk, say, other) in ELSEWHERE.items():

            def script(
                _: RawRequest,
                wire: Wire,
                talk: Talk = talk,
                say: Callable[[str], bytes] = say,
                other: bytes = other if between else b"",
            ) -> None:
                wire.begin_stream(content_type=talk.content_type)
                wire.chunk(say("It is "))
                time.sleep(0.1)  # so that this leaves alone
                for piece in value:
                    wire.chunk(say(piece) + other)
                    time.sleep(0.03)
                wire.end_stream(say(" ok"), talk.tail or DONE if talk is CHAT else b"")

            api.says(script)
            answer = post(proxy.url, talk.request, target=talk.path)

            assert value[0].encode() not in answer.body, name
            assert b"guardrails" in answer.body, name


@pytest.mark.parametrize("line", [": {}", "note: {}", "id: {}", "event: {}", "retry: {}"])
@pytest.mark.parametrize("value", [
    ["The key is sk-proj-abcDEF1234", "567890abcd efghij1234567890"],
    ["My card is 4111 1111", "1111 1111"],
    ["Write to marie.dupont@ora", "nge.fr or not"],
], ids=["key", "card", "address"])  # fmt: skip
def test_s16_nothing_of_a_value_leaves_beside_the_answer(
    api: ScriptedUpstream, tmp_path: Path, value: list[str], line: str
) -> None:
    policy = policy_file(tmp_path, POLICY.format(mode="hold"))
    with proxying(api, classifier=Recognizing({}), policy=policy) as proxy:

        def script(_: RawRequest, wire: Wire) -> None:
            wire.begin_stream()
            for piece in ("so", *value):
                wire.chunk(f"{line.format(piece)}\n\n".encode() + chat("It is "))
                time.sleep(0.05)
            wire.end_stream(chat("", last=True), DONE)

        api.says(script)
        answer = post(proxy.url, CHAT.request, target=CHAT.path)

        assert value[0].encode() not in answer.body
        assert b"guardrails" in answer.body


@pytest.mark.parametrize("beside", [
    ": ping\n\n",
    ": OPENROUTER PROCESSING\n\n",
    ": ping - 2026-01-01 12:00:0{}.123456+00:00\r\n\r\n",
    ": keepalive 178900000{}\n\n",
    "id: {}\nevent: message\n:HTTP_STATUS/200\n",
    "id: 1789000000{}-0\n",
    "id: req_01jbd6g2qdfw2adyrt2az8hz4{}\n",
])  # fmt: skip
def test_what_frames_an_answer_delays_nothing(
    api: ScriptedUpstream, tmp_path: Path, beside: str
) -> None:
    """Every event is heard before the next one is said, where personal data is blocked."""
    policy = policy_file(tmp_path, POLICY.format(mode="hold"))
    events = [beside.format(at).encode() + chat("It is. ") for at in range(5)]
    left = Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        for event in events:
            left.clear()
            wire.chunk(event)
            assert left.wait(PATIENCE), "it was held"
        wire.end_stream(DONE)

    with proxying(api, classifier=Recognizing({}), policy=policy) as proxy:
        api.says(script)
        with connect(proxy.url) as connection:
            connection.sendall(request_bytes(CHAT.request, target=CHAT.path))
            response = http.client.HTTPResponse(connection, method="POST")
            response.begin()
            heard = b""
            for upto in accumulate(map(len, events)):
                while len(heard) < upto and (more := response.read1()):
                    heard += more
                left.set()
            assert heard + response.read() == b"".join(events) + DONE
    assert not api.failures


@pytest.mark.parametrize(
    "talk",
    [*TALKS, MESSAGES, Talk("/v1/responses", output, incomplete)],
    ids=lambda talk: talk.route,
)
def test_b5_no_field_goes_on_in_another_case(proxies: dict[str, Proxy], talk: Talk) -> None:
    """As clients in Go read them: one field, whatever its case."""
    begin, other = talk.say(CANARY[:3]), talk.say(CANARY[3:])
    name = json.dumps(CANARY[3:]).encode() if talk.content_type == SSE else CANARY[3:].encode()
    keys = re.findall(rb'"(\w+)": (?=[\[{]|"?' + re.escape(name) + b")", other)
    assert keys
    for key in keys:
        shouted = other.replace(b'"%s":' % key, b'"%s":' % key.title())
        answer = streamed(proxies["hold"], talk, [begin, shouted, talk.say("", last=True)])

        assert answer.status == 502 or b"in two cases" in answer.body
        assert name not in answer.body


@pytest.mark.parametrize("talk", [talk for talk in TALKS if talk.ended is filtered])
def test_i3_a_word_cut_over_choices_does_not_leave(proxies: dict[str, Proxy], talk: Talk) -> None:
    """As clients read it who take the first choice of each chunk for the only one."""
    letters = [
        talk.say(letter).replace(b'"index": 0', b'"index": %d' % (at % 2))
        for at, letter in enumerate(CANARY)
    ]
    answer = streamed(proxies["hold"], talk, [talk.say("so "), *letters, talk.say("", last=True)])

    assert answer.status == 403 or talk.ended(answer.body), answer.body


def backwards(field: str, event: dict[str, Json]) -> list[bytes]:
    """An event for each letter, whose numbers put it before the one that came before."""
    name = str(event["type"])
    letters = enumerate(reversed(CANARY))
    return [sse({**event, "output_index": 9 - at, field: each}, name) for at, each in letters]


def test_i3_parts_that_come_backwards_do_not_leave(proxies: dict[str, Proxy]) -> None:
    delta = {"type": "response.output_text.delta", "content_index": 0, "item_id": "m"}
    streams = {
        "/v1/responses": backwards("delta", delta),
        "/v1/conversations": backwards("content", {"type": "message.output.delta", "id": "m"}),
    }
    for route, events in streams.items():
        answer = streamed(proxies["hold"], Talk(route, chat, filtered), events)

        # The first letter may have left.
        assert answer.body.count(b"output_index") <= 1
        assert b"goes back" in answer.body or answer.status == 502


def test_i3_a_last_event_in_another_order_does_not_leave(proxies: dict[str, Proxy]) -> None:
    parts = (CANARY[4:], CANARY[:4])
    delta = {"type": "response.output_text.delta", "content_index": 0}
    events = [
        sse({**delta, "output_index": at, "delta": each}, str(delta["type"]))
        for at, each in enumerate(parts)
    ]
    content = [[{"type": "output_text", "text": each}] for each in reversed(parts)]
    output = [{"type": "message", "role": "assistant", "content": each} for each in content]
    ended = sse({"type": "response.completed", "response": {"output": output}})
    answer = streamed(proxies["hold"], Talk("/v1/responses", chat, filtered), [*events, ended])

    assert b"response.completed" not in answer.body
    assert answer.status == 403 or b"content_filter" in answer.body


@EVERY_TALK
def test_what_passes_comes_out_as_it_went_in(proxies: dict[str, Proxy], talk: Talk) -> None:
    events = talk.events(["it ", "is", " sunny."])
    for proxy in proxies.values():
        answer = streamed(proxy, talk, events)

        assert answer.status == 200
        assert answer.body == b"".join(events)
        assert proxy.api.last.target == talk.path
        assert proxy.api.last.body == talk.request


@pytest.mark.parametrize("talk", [*TALKS[:1], *TALKS[6:7], *TALKS[9:10]], ids=lambda t: t.route)
def test_s5_a_block_after_the_first_byte_is_the_apis_own(
    proxies: dict[str, Proxy], talk: Talk
) -> None:
    proxy = proxies["hold"]

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream(content_type=talk.content_type)
        wire.chunk(talk.say("It is sunny. "))
        # The first piece has left before the second comes.
        released.wait(PATIENCE)
        wire.end_stream(talk.say(CANARY), talk.say("", last=True))

    released = Event()
    proxy.api.says(script)
    with connect(proxy.url) as connection:
        connection.sendall(request_bytes(talk.request, target=talk.path))
        body = b""
        while b"It is sunny." not in body:
            body += connection.recv(65_536)
        released.set()
        while more := connection.recv(65_536):
            body += more
            if b"guardrails" in body and body.endswith(b"0\r\n\r\n"):
                break

    assert CANARY.encode() not in body
    assert b"guardrails" in body


@pytest.mark.parametrize("talk", TALKS[9:10] + TALKS[11:], ids=lambda talk: talk.route)
def test_s17_a_line_that_is_no_json_ends_the_stream(proxies: dict[str, Proxy], talk: Talk) -> None:
    answer = streamed(proxies["hold"], talk, [talk.say("It is sunny."), b"v\xc3\xa9rboten\n"])

    assert CANARY.encode() not in answer.body
    if answer.status == 200:
        assert "error" in json.loads(answer.body.splitlines()[-1])
    else:
        assert answer.status == 502


WHOLE: dict[str, Callable[[str], Json]] = {
    "/v1/completions": lambda text: {"choices": [{"index": 0, "text": text}]},
    "/v1/embeddings": lambda text: {"data": [{"embedding": [0.1], "note": text}]},
    f"{AZURE}/embeddings": lambda text: {"data": [], "note": text},
    f"{AZURE}/chat/completions": lambda text: {"choices": [{"message": {"content": text}}]},
    f"{AZURE}/completions": lambda text: {"choices": [{"text": text}]},
    "/openai/v1/chat/completions": lambda text: {"choices": [{"message": {"content": text}}]},
    "/openai/v1/completions": lambda text: {"choices": [{"text": text}]},
    "/openai/v1/embeddings": lambda text: {"data": text},
    "/v1/fim/completions": lambda text: {"choices": [{"message": {"content": text}}]},
    "/v1/agents/completions": lambda text: {"choices": [{"message": {"content": text}}]},
    "/v1/conversations": lambda text: {"outputs": [{"content": [{"type": "text", "text": text}]}]},
    "/v1/conversations/{conversation}": lambda text: {"outputs": [{"arguments": {"q": text}}]},
    "/v1/conversations/{conversation}/restart": lambda text: {"outputs": [{"content": text}]},
    "/api/chat": lambda text: {"message": {"role": "assistant", "content": text}},
    "/api/generate": lambda text: {"response": text},
}


def bodies(dialect: Dialect) -> list[bytes]:
    """Recorded requests, without inline guardrails: those have tests of their own."""
    requests = recorded(dialect).requests.values()
    plain = [{key: body[key] for key in body if key != "guardrails"} for body in requests]
    return [json.dumps(body).encode() for body in plain]


@pytest.mark.parametrize("route", WHOLE)
def test_whole_answers_pass_as_they_came_or_are_blocked(
    proxies: dict[str, Proxy], route: str
) -> None:
    proxy, talk = proxies["hold"], Talk(route, chat, filtered)
    for request in bodies(GUARDED[route]):
        for text, status in (("It is sunny.", 200), (f"so {CANARY} it is", 403)):
            answer = json.dumps(WHOLE[route](text)).encode()
            proxy.api.says(answer)
            got = post(proxy.url, request, target=talk.path)

            assert got.status == status
            assert proxy.api.last.body == request
            if status == 200:
                assert got.body == answer
            else:
                assert CANARY.encode() not in got.body


@pytest.mark.parametrize("route", WHOLE)
def test_a_forbidden_request_never_goes_upstream(proxies: dict[str, Proxy], route: str) -> None:
    proxy, talk = proxies["hold"], Talk(route, chat, filtered)
    for request in bodies(GUARDED[route]):
        proxy.api.says(b"{}")
        body = {**json.loads(request), "metadata": {"note": f"so {CANARY} it is"}}
        got = post(proxy.url, json.dumps(body).encode(), target=talk.path)

        assert got.status == 403
        assert not proxy.api.requests


def test_azures_version_and_key_go_on(proxies: dict[str, Proxy]) -> None:
    proxy = proxies["hold"]
    proxy.api.says(b'{"choices": []}')
    target = "/openai/deployments/my-gpt.4o/chat/completions?api-version=2024-10-21"
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
    got = post(proxy.url, body, target=target, headers=[("api-key", "azure-key")])

    assert got.status == 200
    assert proxy.api.last.target == target
    assert proxy.api.last.header(b"api-key") == b"azure-key"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_e14_e15_a_stored_conversation_is_not_fetched(
    proxies: dict[str, Proxy], method: str
) -> None:
    proxy = proxies["hold"]
    proxy.api.says(b"{}")
    for path, status in (
        ("/v1/conversations/conv_1", 405),
        ("/v1/conversations/conv_1/history", 404),
        ("/v1/conversations/conv_1/messages", 404),
        ("/api/chat", 405),
        ("/api/tags", 404),
        ("/api/version", 404),
    ):
        assert post(proxy.url, b"", method=method, target=path).status == status
    assert not proxy.api.requests
