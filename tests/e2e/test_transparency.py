"""What passes is what came: bodies, events, status, headers; nothing of a caller goes elsewhere."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Proxy, proxying
from tests.servers import (
    DONE,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    delta,
    policy_file,
    post,
    said,
)

MIB = 1024 * 1024
SIZES = (0, 1, 100, 16_383, 16_384, 65_537, MIB, 8 * MIB)
ROOMY = f"""
name: roomy
input: [{{moderation_llm_v2: {{action: block}}}}]
output: [{{moderation_llm_v2: {{action: block}}}}]
unscannable: {{image: allow}}
limits: {{body_bytes: {9 * MIB}, answer_bytes: {9 * MIB}}}
"""


@pytest.fixture(scope="module")
def roomy(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    policy = policy_file(tmp_path_factory.mktemp("policy"), ROOMY)
    with proxying(api, policy=policy) as running:
        yield running


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def words(size: int) -> str:
    """Harmless text of so many characters, different in every place."""
    chosen = random.Random(size)  # noqa: S311 - reproducible filler
    pieces = [f"{chosen.randrange(36**6):x} " for _ in range(size // 5 + 1)]
    return "".join(pieces)[:size]


@pytest.mark.parametrize("size", SIZES)
def test_requests_are_the_bytes_that_came_i1(roomy: Proxy, size: int) -> None:
    roomy.api.says(said("ok"))
    body = ask(words(size) or " ")

    assert post(roomy.url, body).status == 200
    assert digest(roomy.api.last.body) == digest(body)


@pytest.mark.parametrize("size", SIZES)
def test_answers_are_the_bytes_that_came_i1(roomy: Proxy, size: int) -> None:
    body = json.dumps(said(words(size))).encode() if size else b""
    roomy.api.says(body)
    answer = roomy.ask()

    assert answer.status == 200
    assert digest(answer.body) == digest(body)
    assert answer.header(b"content-length") == b"%d" % len(body)


@pytest.mark.parametrize("size", SIZES[1:])
def test_streams_are_the_bytes_that_came_i1(roomy: Proxy, size: int) -> None:
    text = words(size)
    step = max(1, size // 50)
    events = [delta(text[start : start + step]) for start in range(0, size, step)]
    whole = b"".join([*events, delta(None, finish="stop"), DONE])

    def in_odd_pieces(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        for start in range(0, len(whole), 30_011):
            wire.chunk(whole[start : start + 30_011])
        wire.chunk(b"")

    roomy.api.says(in_odd_pieces)
    answer = roomy.ask(stream=True)

    assert answer.status == 200
    assert digest(answer.body) == digest(whole)


ODD_EVENTS = (
    b"data:" + delta("no space")[6:],
    delta("crlf").replace(b"\n", b"\r\n"),
    delta("cr").replace(b"\n", b"\r"),
    b": a comment of theirs\n\n",
    b"event: message\nid: 7\nretry: 10\n" + delta("fields"),
    delta("\u2028 \u2029 \u0085 \x0b"),
    json.dumps({"not": "a chunk"}).join(("data: ", "\n\n")).encode(),
    b"\n\n\n",
    delta("emoji \U0001f600"),
)


def test_odd_events_are_the_bytes_that_came(proxy: Proxy) -> None:
    proxy.api.streams(*ODD_EVENTS, DONE)

    assert proxy.ask(stream=True).body == b"".join((*ODD_EVENTS, DONE))


def test_an_event_cut_anywhere_is_the_same_event(proxy: Proxy) -> None:
    whole = delta("emoji \U0001f600 here") + delta(None, finish="stop") + DONE

    def byte_by_byte(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        for start in range(len(whole)):
            wire.chunk(whole[start : start + 1])
        wire.chunk(b"")

    proxy.api.says(byte_by_byte)

    assert proxy.ask(stream=True).body == whole


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[{"role":"user","content":"a"}],"model":"m"}',
        b' {\n"model" : "m" ,\t"messages":[ {"content":"\\u00e9\\/","role":"user"} ] }\r\n',
        b'{"messages":[{"role":"user","content":"a"}],"seed":18446744073709551616}',
        b'{"messages":[{"role":"user","content":"a"}],"temperature":0.1000000000000000055}',
        b'{"messages":[{"role":"user","content":"a"}],"top_p":1e-5,"x":-0.0,"y":1E+2}',
        b'{"messages":[{"role":"user","content":"a"}],"__proto__":{"a":1},"unknown":[null,true]}',
        '{"messages":[{"role":"user","content":"\u00e9\u2028\U0001f600"}]}'.encode(),
    ],
)
def test_what_json_leaves_open_stays_as_it_was_written_j19_j20(proxy: Proxy, body: bytes) -> None:
    proxy.api.says(body)
    answer = post(proxy.url, body)

    assert answer.status == 200
    assert proxy.api.last.body == body
    assert answer.body == body


HARMLESS = b'{"messages":[{"role":"user","content":"a"}]}'
GUARDRAILS = b'"guardrails" : [ {"moderation_llm_v2": {"action": "block"}} ]'


@pytest.mark.parametrize(
    ("body", "onward"),
    [
        (b'{%s, "messages":[{"role":"user","content":"a"}]}', HARMLESS),
        (b'{"messages":[{"role":"user","content":"a"}] , %s}', HARMLESS),
        (
            b'{ "a":1.50 , %s,"messages":[{"role":"user","content":"\\u0061"}]}',
            b'{ "a":1.50 ,"messages":[{"role":"user","content":"\\u0061"}]}',
        ),
    ],
)  # fmt: skip
def test_inline_guardrails_are_cut_out_and_nothing_else_is_touched(
    proxy: Proxy, body: bytes, onward: bytes
) -> None:
    proxy.api.says(said("ok"))

    assert post(proxy.url, body % GUARDRAILS).status == 200
    sent = proxy.api.last.body
    assert b"guardrails" not in sent
    assert sent.replace(b" ", b"") == onward.replace(b" ", b"")
    assert b"1.50" not in onward or b"1.50" in sent


def test_inline_guardrails_stay_where_the_upstream_knows_them(
    api: ScriptedUpstream,
) -> None:
    api.says(said("ok", guardrails=[{"theirs": {}}]))
    body = b'{"messages":[{"role":"user","content":"a"}], %s}' % GUARDRAILS
    with proxying(api, forward_guardrails=True) as proxy:
        answer = post(proxy.url, body)

    assert api.last.body == body
    assert answer.json()["guardrails"] == [{"theirs": {}}]


STATUSES = [
    *(200, 201, 202, 203, 204, 206, 207, 226, 299),
    *(300, 301, 302, 303, 304, 307, 308),
    *(400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 418, 422, 429, 451, 499),
    *(500, 501, 502, 503, 504, 529, 599),
]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_relayed_s30(proxy: Proxy, status: int) -> None:
    body = b"" if status in (204, 304) else b'{"error": {"message": "theirs"}}'

    def script(_: RawRequest, wire: Wire) -> None:
        if status in (204, 304):
            wire.send(b"HTTP/1.1 %d X\r\n\r\n" % status)
        else:
            wire.answer(body, status)

    proxy.api.says(script)
    answer = proxy.ask()

    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_relayed_and_not_followed_s30(proxy: Proxy, status: int) -> None:
    elsewhere = [("Location", f"{proxy.api.url}/elsewhere")]
    proxy.api.says(lambda _, wire: wire.answer(b"{}", status, elsewhere))
    answer = proxy.ask()

    assert (answer.status, answer.header(b"location")) == (status, None)
    assert len(proxy.api.requests) == 1


def test_the_upstream_is_the_configured_one_whatever_the_request_says(proxy: Proxy) -> None:
    proxy.api.says(said("ok"))
    answer = post(
        proxy.url,
        ask("a", api_base="http://evil.example", base_url="http://evil.example"),
        headers=[("X-Upstream", "http://evil.example"), ("X-Api-Base", "http://evil.example")],
    )

    assert answer.status == 200
    assert proxy.api.last.target == "/v1/chat/completions"
    assert (proxy.api.last.header(b"host") or b"").startswith(b"127.0.0.1:")


def test_only_what_belongs_to_a_request_goes_upstream(proxy: Proxy) -> None:
    proxy.api.says(said("ok"))
    post(
        proxy.url,
        ask(),
        headers=[
            ("Authorization", "Bearer sk-caller"),
            ("OpenAI-Organization", "org"),
            ("Idempotency-Key", "abc"),
            ("User-Agent", "app/1"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, br"),
            ("Cookie", "session=1"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Proxy-Authorization", "Basic x"),
            ("X-Real-IP", "1.2.3.4"),
        ],
    )

    names = [name for name, _ in proxy.api.last.headers]
    assert sorted(names) == sorted(
        [
            b"host", b"content-type", b"content-length", b"authorization", b"openai-organization",
            b"idempotency-key", b"user-agent", b"accept", b"accept-encoding",
        ]
    )  # fmt: skip
    assert proxy.api.last.header(b"authorization") == b"Bearer sk-caller"
    assert proxy.api.last.header(b"accept-encoding") == b"identity"
    assert proxy.api.last.header(b"user-agent") == b"app/1"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_only_what_speaks_of_an_answer_reaches_the_caller_s31(
    proxy: Proxy, *, streamed: bool
) -> None:
    headers = [
        ("Set-Cookie", "session=1"),
        ("Server", "theirs"),
        ("X-Request-Id", "req-1"),
        ("openai-organization", "org"),
        ("x-ratelimit-remaining-tokens", "5"),
        ("Connection", "keep-alive, openai-version"),
        ("openai-version", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Alt-Svc", "h3"),
        ("ETag", "abc"),
        ("X-Guardproxy-Verdict", "passed by me"),
    ]

    def script(_: RawRequest, wire: Wire) -> None:
        if streamed:
            wire.stream(delta("ok"), DONE, headers=headers)
        else:
            wire.answer(said("ok"), 200, headers)

    proxy.api.says(script)
    answer = proxy.ask(stream=streamed)

    own = {b"x-guardproxy-request-id", b"x-guardproxy-policy", b"x-guardproxy-verdict"}
    framing = {b"date", b"transfer-encoding" if streamed else b"content-length"}
    assert {name for name, _ in answer.headers} == {
        b"content-type", b"x-request-id", b"openai-organization", b"x-ratelimit-remaining-tokens",
        *own, *framing,
    }  # fmt: skip
    assert answer.header(b"x-guardproxy-verdict") == b"passed"


def test_cookies_never_travel_from_one_caller_to_the_next(proxy: Proxy) -> None:
    proxy.api.says(lambda _, wire: wire.answer(said("ok"), 200, [("Set-Cookie", "session=1")]))
    first = proxy.ask()
    proxy.ask()

    assert first.header(b"set-cookie") is None
    assert all(request.header(b"cookie") is None for request in proxy.api.requests)


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        (("Authorization", "Bearer caller"), (b"authorization", b"Bearer configured")),
        (("api-key", "caller"), (b"api-key", b"configured")),
        (("x-api-key", "caller"), (b"x-api-key", b"configured")),
    ],
)
def test_a_configured_key_takes_the_place_of_the_callers(
    keyed: Proxy, header: tuple[str, str], sent: tuple[bytes, bytes]
) -> None:
    keyed.api.says(said("ok"))

    assert post(keyed.url, ask(), headers=[header]).status == 200
    assert keyed.api.last.header(sent[0]) == sent[1]
    assert b"caller" not in keyed.api.last.head


@pytest.mark.parametrize("headers", [[], [("Authorization", "Bearer wrong")]])
@pytest.mark.parametrize("target", ["/v1/chat/completions", "/v1/models", "/v1/moderations", "/x"])
def test_without_a_client_key_nothing_is_served(
    keyed: Proxy, headers: list[tuple[str, str]], target: str
) -> None:
    keyed.api.says(said("ok"))
    method = "GET" if target == "/v1/models" else "POST"
    answer = post(keyed.url, ask(), method=method, target=target, headers=headers)

    assert (answer.status, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert not keyed.api.requests


@pytest.fixture(scope="module")
def keyed(api: ScriptedUpstream) -> Iterator[Proxy]:
    with proxying(api, client_keys="caller, other", upstream_api_key="configured") as running:
        yield running


def test_models_pass_with_their_query_and_without_a_body(proxy: Proxy) -> None:
    proxy.api.says({"data": []})

    assert proxy.get("/v1/models?limit=5").body == b'{"data": []}'
    assert proxy.api.last.target == "/v1/models?limit=5"
    assert (proxy.api.last.method, proxy.api.last.body) == ("GET", b"")


def test_a_listed_route_passes_as_raw_text(api: ScriptedUpstream, tmp_path: Path) -> None:
    policy = policy_file(
        tmp_path,
        "name: listed\ninput: [{moderation_llm_v2: {action: block}}]\noutput: []\n"
        "passthrough: [{path: /v1/rerank, methods: [POST]}]\n",
    )
    api.says({"results": [{"index": 0}]})
    with proxying(api, policy=policy) as proxy:
        passed = post(proxy.url, b'{"query": "a cactus"}', target="/v1/rerank")
        refused = post(proxy.url, b'{"input": "a bomb"}', target="/v1/rerank")

    assert passed.body == b'{"results": [{"index": 0}]}'
    assert refused.status == 403
    assert [request.body for request in api.requests] == [b'{"query": "a cactus"}']


def test_nothing_of_all_this_went_unread_i2(proxy: Proxy) -> None:
    assert proxy.metric("guardproxy_forwarded_unscanned_bytes_total") == 0
