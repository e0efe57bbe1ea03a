"""The way to the LLM API: where it goes is configured, faults say nothing of it, all of it ends."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from guardproxy.errors import UpstreamError
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.upstream import Timeouts, Transport, Upstream
from guardproxy.proxy.upstream_connection import BrokenAnswerError
from guardproxy.proxy.upstream_pool import UpstreamPool
from tests.servers import RawRequest, ScriptedUpstream, Wire, delta, eventually
from tests.upstreams import Answering

PATIENT = Timeouts(connect=10.0, idle=10.0, total=20.0)
PATH = "/v1/chat/completions"
AZURE = "/openai/deployments/gpt-4o/chat/completions"


@asynccontextmanager
async def reached(
    url: str,
    timeouts: Timeouts = PATIENT,
    transport: Transport | None = None,
) -> AsyncIterator[Upstream]:
    upstream = Upstream(url, transport or UpstreamPool(url), timeouts)
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def fetch(upstream: Upstream, body: bytes = b"{}", limit: int = 1_000) -> tuple[int, bytes]:
    async with upstream.send("POST", PATH, b"", [], body) as answer:
        return answer.status, await answer.read(limit)


async def fault(upstream: Upstream) -> UpstreamError:
    with pytest.raises(UpstreamError) as failed:
        await fetch(upstream)
    return failed.value


@pytest.mark.parametrize(
    ("base", "path", "query", "url"),
    [
        ("https://a.example/v1", PATH, b"", "https://a.example/v1/chat/completions"),
        ("https://a.example", PATH, b"", "https://a.example/v1/chat/completions"),
        ("https://a.example/", PATH, b"", "https://a.example/v1/chat/completions"),
        ("https://a.example/x/v4/", PATH, b"", "https://a.example/x/v4/chat/completions"),
        ("https://a.example/v1", PATH, b"a=1&b=%20", "https://a.example/v1/chat/completions?a=1&b=%20"),
        ("https://a.example/v1", "/api/chat", b"", "https://a.example/api/chat"),
        ("http://127.0.0.1:11434", "/api/chat", b"", "http://127.0.0.1:11434/api/chat"),
        ("https://a.example/x/v4", "/v1beta/models", b"", "https://a.example/v1beta/models"),
        ("https://n.azure.example", AZURE, b"api-version=1", f"https://n.azure.example{AZURE}?api-version=1"),
        ("https://n.azure.example/openai/v1", AZURE, b"", f"https://n.azure.example{AZURE}"),
        ("https://n.azure.example/openai/v1", PATH, b"", "https://n.azure.example/openai/v1/chat/completions"),
        ("https://a.example:8443/v1", "/v1/models/a:b@c", b"", "https://a.example:8443/v1/models/a:b@c"),
    ],
)  # fmt: skip
async def test_a_path_goes_to_the_configured_base(
    base: str, path: str, query: bytes, url: str
) -> None:
    transport = Answering(lambda _: httpx.Response(200))
    async with (
        reached(base, transport=transport) as upstream,
        upstream.send("GET", path, query, [], b""),
    ):
        (asked,) = transport.asked
        host = dict(asked.headers)[b"host"]
        assert b"https://" + host + asked.target == url.replace("http://", "https://").encode()


async def test_the_request_goes_out_as_it_is_given() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, stream=httpx.ByteStream(b"answer"), headers={"X-A": "1"})

    headers: Headers = [(b"authorization", b"Bearer k"), (b"x-a", b"b")]
    async with (
        reached("http://up.example/v1", transport=Answering(handler)) as upstream,
        upstream.send("POST", PATH, b"q=1", headers, b"body") as answer,
    ):
        assert (answer.status, await answer.read(6)) == (201, b"answer")
        assert (b"x-a", b"1") in answer.headers
    (request,) = seen
    assert str(request.url) == "http://up.example/v1/chat/completions?q=1"
    assert (request.content, request.headers["x-a"]) == (b"body", "b")
    assert request.headers["host"] == "up.example"


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (b"a=%20&b=c/d?e", b"?a=%20&b=c/d?e"),
        (b'a="<>#', b"?a=%22%3C%3E%23"),
        (b"a= \xff\x00", b"?a=%20%FF%00"),
    ],
)
async def test_what_no_url_can_hold_is_encoded(query: bytes, target: bytes) -> None:
    upstream = Upstream("http://up.example", Answering(lambda _: httpx.Response(200)), PATIENT)

    assert upstream.target(PATH, query) == PATH.encode() + target


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://up.example:80", b"up.example"),
        ("http://up.example:443", b"up.example:443"),
        ("https://[::1]:8443/v1", b"[::1]:8443"),
        ("https://b\u00fccher.example", b"xn--bcher-kva.example"),
    ],
)
async def test_the_host_is_named_as_the_base_url_has_it(base: str, host: bytes) -> None:
    transport = Answering(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"")))
    async with reached(base, transport=transport) as upstream:
        await fetch(upstream)

    assert transport.asked[0].headers[0] == (b"host", host)


@pytest.mark.parametrize("value", [b"a\r\nx-b: c", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_would_become_two_is_not_sent(
    api: ScriptedUpstream, value: bytes
) -> None:
    api.says(b"answer")
    async with reached(api.url) as upstream:
        with pytest.raises(UpstreamError):
            async with upstream.send("POST", PATH, b"", [(b"x-a", value)], b""):
                pytest.fail("it was sent")

    assert not api.requests


async def test_an_answer_is_left_when_it_cannot_be_read() -> None:
    transport = Answering(lambda _: httpx.Response(600))
    async with reached("http://up.example", transport=transport) as upstream:
        await fault(upstream)

    assert transport.left == 1


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 3_000_000])
async def test_a_body_of_any_size_goes_out_whole_with_its_length(
    api: ScriptedUpstream, size: int
) -> None:
    api.says(b"answer")
    async with reached(api.url) as upstream:
        await fetch(upstream, b"a" * size)

    assert api.last.body == b"a" * size
    assert api.last.header(b"content-length") == b"%d" % size
    assert api.last.header(b"transfer-encoding") is None


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        ("Text/Event-Stream; charset=utf-8", "text/event-stream"),
        ("application/json", "application/json"),
        (None, ""),
    ],
)
async def test_the_media_type_is_read_without_parameters(
    value: str | None, media_type: str
) -> None:
    headers = {} if value is None else {"content-type": value}
    transport = Answering(lambda _: httpx.Response(200, headers=headers))
    async with (
        reached("http://up.example", transport=transport) as upstream,
        upstream.send("POST", PATH, b"", [], b"{}") as answer,
    ):
        assert answer.content_type == media_type


@pytest.mark.parametrize(("limit", "fits"), [(6, True), (5, False)])
async def test_an_answer_has_a_largest_size(*, limit: int, fits: bool) -> None:
    transport = Answering(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"answer")))
    async with reached("http://up.example", transport=transport) as upstream:
        if fits:
            assert await fetch(upstream, limit=limit) == (200, b"answer")
        else:
            with pytest.raises(UpstreamError, match="larger than 5 bytes"):
                await fetch(upstream, limit=limit)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_answer_is_not_read_c8(coding: str) -> None:
    transport = Answering(
        lambda _: httpx.Response(
            200, headers={"content-encoding": coding}, stream=httpx.ByteStream(b"x")
        )
    )
    async with reached("http://up.example", transport=transport) as upstream:
        assert "compressed" in (await fault(upstream)).message


@pytest.mark.parametrize("status", [101, 600, 999])
async def test_a_status_that_nobody_can_pass_on_is_a_fault(status: int) -> None:
    transport = Answering(lambda _: httpx.Response(status))
    async with reached("http://up.example", transport=transport) as upstream:
        assert (await fault(upstream)).status == 502


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionResetError("sk-secret up.example"), 502),
        (ssl.SSLError("sk-secret up.example"), 502),
        (BrokenAnswerError("ConnectionClosed"), 502),
        (OSError("sk-secret up.example"), 502),
        (ValueError("sk-secret up.example"), 502),
        (TimeoutError("sk-secret up.example"), 504),
    ],
)
async def test_a_fault_names_neither_host_nor_key(error: Exception, status: int) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    async with reached("http://up.example", transport=Answering(handler)) as upstream:
        failed = await fault(upstream)

    assert failed.status == status
    assert "secret" not in str(failed)
    assert "example" not in str(failed)


# ---- over real sockets ------------------------------------------------------------------------


async def test_connections_are_used_again(api: ScriptedUpstream) -> None:
    api.says(b"answer")
    async with reached(api.url) as upstream:
        for _ in range(5):
            assert await fetch(upstream) == (200, b"answer")

    assert (len(api.requests), api.connections) == (5, 1)


async def test_many_requests_at_once_do_not_wait_for_each_other(api: ScriptedUpstream) -> None:
    def wait_for_all(request: RawRequest, wire: Wire) -> None:
        eventually(lambda: len(api.requests) == 20, "all requests at once")
        wire.answer(request.body)

    api.says(wait_for_all)
    async with reached(api.url) as upstream, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(fetch(upstream, b"%d" % n)) for n in range(20)]

    assert [task.result() for task in running] == [(200, b"%d" % n) for n in range(20)]


async def test_nothing_is_added_to_a_request_but_what_http_needs(api: ScriptedUpstream) -> None:
    api.says(b"")
    async with reached(api.url) as upstream:
        await fetch(upstream, b"{}")

    assert [name for name, _ in api.last.headers] == [b"host", b"content-length"]


async def test_cookies_are_never_kept(api: ScriptedUpstream) -> None:
    api.says(lambda _, wire: wire.answer(b"", headers=[("Set-Cookie", "session=1; Path=/")]))
    async with reached(api.url) as upstream:
        await fetch(upstream)
        await fetch(upstream)

    assert api.last.header(b"cookie") is None


async def test_proxies_of_the_environment_are_not_used(
    api: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    api.says(b"answer")
    async with reached(api.url) as upstream:
        assert await fetch(upstream) == (200, b"answer")


async def test_redirects_are_not_followed(api: ScriptedUpstream) -> None:
    elsewhere = [("Location", f"{api.url}/elsewhere")]
    api.says(lambda _, wire: wire.answer(b"", 307, elsewhere))
    async with reached(api.url) as upstream:
        assert (await fetch(upstream))[0] == 307

    assert len(api.requests) == 1


@pytest.mark.parametrize("read", [True, False])
async def test_an_answer_that_is_left_closes_its_connection(
    api: ScriptedUpstream, *, read: bool
) -> None:
    gone: list[bool] = []

    def endless(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("a"))
        gone.append(wire.gone())

    api.says(endless)
    async with reached(api.url) as upstream:
        async with upstream.send("POST", PATH, b"", [], b"{}") as answer:
            if read:
                assert await anext(answer.chunks()) == delta("a")
        await asyncio.to_thread(eventually, lambda: gone)

    assert gone == [True]


async def test_a_cancelled_request_closes_its_connection(api: ScriptedUpstream) -> None:
    gone: list[bool] = []
    api.says(lambda _, wire: gone.append(wire.gone()))
    async with reached(api.url) as upstream:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(fetch(upstream))
            await asyncio.to_thread(eventually, lambda: api.requests)
            task.cancel()
        await asyncio.to_thread(eventually, lambda: gone)

    assert gone == [True]


async def test_an_upstream_that_says_nothing_is_given_up(api: ScriptedUpstream) -> None:
    api.says(lambda _, wire: wire.gone())
    async with reached(api.url, Timeouts(10.0, 10.0, 0.1)) as upstream:
        assert (await fault(upstream)).status == 504


async def test_an_answer_may_take_longer_to_begin_than_a_silence_may_last(
    api: ScriptedUpstream,
) -> None:
    def think(_: RawRequest, wire: Wire) -> None:
        time.sleep(0.3)
        wire.answer(b"answer")

    api.says(think)
    async with reached(api.url, Timeouts(10.0, 0.1, 20.0)) as upstream:
        assert await fetch(upstream) == (200, b"answer")


async def test_an_upstream_that_falls_silent_is_given_up(api: ScriptedUpstream) -> None:
    def begin(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(b"a")
        wire.gone()

    api.says(begin)
    async with reached(api.url, Timeouts(10.0, 0.1, 20.0)) as upstream:
        assert (await fault(upstream)).status == 504


@pytest.mark.parametrize("begin", [True, False])
async def test_the_whole_has_a_deadline_however_much_is_said(
    api: ScriptedUpstream, *, begin: bool
) -> None:
    def drip(_: RawRequest, wire: Wire) -> None:
        if begin:
            wire.begin_stream()
        while True:
            wire.chunk(b"a") if begin else wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            if wire.closed:
                return

    api.says(drip)
    async with reached(api.url, Timeouts(10.0, 10.0, 0.2)) as upstream:
        with pytest.raises(UpstreamError) as failed:
            await fetch(upstream, limit=10**9)

    assert failed.value.status == 504


async def test_a_refused_connection_is_a_502_without_an_address() -> None:
    async with reached("http://127.0.0.1:9/v1") as upstream:
        failed = await fault(upstream)

    assert failed.status == 502
    assert "127.0.0.1" not in str(failed)


async def test_a_name_that_does_not_exist_is_a_502_without_the_name() -> None:
    async with reached("http://host.invalid/v1") as upstream:
        failed = await fault(upstream)

    assert failed.status in (502, 504)
    assert "invalid" not in str(failed)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
    ],
    ids=["nothing", "short", "cut-chunk", "no-chunk", "two-lengths", "nul", "not-http"],
)
@pytest.mark.parametrize("reset", [True, False])
async def test_a_broken_answer_is_a_fault_and_never_a_short_one_s28(
    api: ScriptedUpstream, answer: bytes, *, reset: bool
) -> None:
    def break_off(_: RawRequest, wire: Wire) -> None:
        wire.send(answer)
        wire.reset() if reset else wire.close()

    api.says(break_off)
    async with reached(api.url) as upstream:
        assert (await fault(upstream)).status == 502
