"""The connections to the upstream: used again while they last, never by two, never after."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import certifi
import pytest

from guardproxy.proxy import upstream_pool
from guardproxy.proxy.upstream import Outgoing, Timeouts
from guardproxy.proxy.upstream_connection import BrokenAnswerError
from guardproxy.proxy.upstream_pool import UpstreamPool, certificates
from tests.servers import RawRequest, ScriptedUpstream, Wire, eventually

PATIENT = Timeouts(connect=10.0, idle=10.0, total=20.0)


@asynccontextmanager
async def pooled(url: str) -> AsyncIterator[UpstreamPool]:
    pool = UpstreamPool(url)
    try:
        yield pool
    finally:
        await pool.aclose()


def outgoing(method: str = "POST") -> Outgoing:
    return Outgoing(method, b"/", [(b"host", b"up"), (b"content-length", b"0")], b"")


async def fetch(pool: UpstreamPool, method: str = "POST") -> bytes:
    late = asyncio.get_running_loop().time() + PATIENT.total
    answer = await pool.ask(outgoing(method), PATIENT, late)
    try:
        return await answer.chunk(late)
    finally:
        answer.leave()


async def until(holds: Callable[[], bool]) -> None:
    """The loop's own events happen only while it is waited for."""
    await asyncio.sleep(0)
    await asyncio.to_thread(eventually, holds)


def closing_the_first(api: ScriptedUpstream) -> list[int]:
    """Answers each connection once; closes it when it is asked again. Counts what it saw."""
    seen: list[int] = []

    def script(_: RawRequest, wire: Wire) -> None:
        seen.append(api.connections)
        if seen.count(api.connections) > 1:
            wire.close()
        else:
            wire.answer(b"answer")

    api.says(script)
    return seen


async def test_a_connection_that_ended_while_idle_is_not_used(api: ScriptedUpstream) -> None:
    ended: list[Wire] = []

    def script(_: RawRequest, wire: Wire) -> None:
        wire.answer(b"answer")
        ended.append(wire)
        wire.close()

    api.says(script)
    async with pooled(api.url) as pool:
        assert await fetch(pool) == b"answer"
        (_, connection) = pool._idle[0]
        await until(lambda: not connection.is_open)
        assert await fetch(pool) == b"answer"

    assert api.connections == 2


async def test_nor_is_one_whose_end_the_loop_has_not_heard_of(api: ScriptedUpstream) -> None:
    """A busy loop hears of it later than it happened; a POST sent there would be lost."""
    ended = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.answer(b"answer")
        if api.connections == 1:
            held.wait(10)
            wire.close()
            ended.set()

    held = threading.Event()
    api.says(script)
    async with pooled(api.url) as pool:
        assert await fetch(pool) == b"answer"
        held.set()
        assert ended.wait(10)  # the loop is held: it cannot hear of it
        assert await fetch(pool) == b"answer"

    assert api.connections == 2


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_only_what_reads_is_asked_again_when_an_old_connection_ends(
    api: ScriptedUpstream, method: str
) -> None:
    seen = closing_the_first(api)
    async with pooled(api.url) as pool:
        assert await fetch(pool, method) == b"answer"
        if method == "GET":
            assert await fetch(pool, method) == b"answer"
        else:
            with pytest.raises(BrokenAnswerError):
                await fetch(pool, method)

    assert seen == ([1, 1, 2] if method == "GET" else [1, 1])


async def test_what_reads_is_not_asked_again_once_something_came(api: ScriptedUpstream) -> None:
    first = True

    def script(_: RawRequest, wire: Wire) -> None:
        nonlocal first
        if first:
            first = False
            wire.answer(b"answer")
        else:
            wire.send(b"HTTP/1.1 200 OK\r\n")
            wire.close()

    api.says(script)
    async with pooled(api.url) as pool:
        assert await fetch(pool, "GET") == b"answer"
        with pytest.raises(BrokenAnswerError):
            await fetch(pool, "GET")

    assert len(api.requests) == 2


async def test_idle_connections_grow_old(
    api: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_pool, "_KEEP_ALIVE_SECONDS", 0.05)
    api.says(b"answer")
    async with pooled(api.url) as pool:
        await asyncio.gather(*(fetch(pool) for _ in range(3)))
        await until(lambda: not pool._idle)
        assert pool._sweep is None
        await fetch(pool)

    assert api.connections == 4


async def test_the_sweep_goes_on_while_connections_are_idle(api: ScriptedUpstream) -> None:
    api.says(b"answer")
    async with pooled(api.url) as pool:
        await fetch(pool)
        assert pool._sweep is not None
        pool._sweep.cancel()
        pool._close_old()
        assert pool._sweep is not None
        assert len(pool._idle) == 1


async def test_a_connection_that_comes_back_after_the_end_is_closed(
    api: ScriptedUpstream,
) -> None:
    gone: list[bool] = []

    def script(_: RawRequest, wire: Wire) -> None:
        wire.answer(b"answer")
        gone.append(wire.gone())

    api.says(script)
    pool = UpstreamPool(api.url)
    late = asyncio.get_running_loop().time() + PATIENT.total
    answer = await pool.ask(outgoing(), PATIENT, late)
    await answer.chunk(late)
    await pool.aclose()
    answer.leave()
    await asyncio.to_thread(eventually, lambda: gone)

    assert gone == [True]


async def test_a_name_is_asked_for_once_in_a_while(
    api: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **how: int) -> object:
        asked.append(host)
        return await resolve(host, port, **how)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    api.says(lambda _, wire: wire.answer(b"answer", headers=[("Connection", "close")]))
    async with pooled(api.url.replace("127.0.0.1", "localhost")) as pool:
        await fetch(pool)
        await fetch(pool)

    assert asked == ["localhost"]
    assert api.connections == 2


NOBODY = Path(__file__).with_name("nobody.pem")


@asynccontextmanager
async def behind_tls(heard: list[bytes]) -> AsyncIterator[str]:
    """An upstream whose certificate nobody has signed; gives its URL, keeps what it hears."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(NOBODY)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_upstream_without_a_known_certificate_is_not_talked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[bytes] = []
    async with behind_tls(heard) as url:
        async with pooled(url) as pool:
            with pytest.raises(ssl.SSLCertVerificationError):
                await fetch(pool)
        assert not heard

        monkeypatch.setenv("SSL_CERT_FILE", str(NOBODY))
        async with pooled(url) as pool:
            assert await fetch(pool) == b"answer"
        assert len(heard) == 1


@pytest.mark.parametrize("variable", ["", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environment_may_say_whom_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    first = Path(certifi.where()).read_text().split("-----END CERTIFICATE-----")[0]
    (tmp_path / "one.pem").write_text(f"{first}-----END CERTIFICATE-----\n")
    if variable:
        path = tmp_path if variable.endswith("DIR") else tmp_path / "one.pem"
        monkeypatch.setenv(variable, str(path))
    context = certificates()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    # A folder is read when a certificate is needed, so nothing is loaded yet.
    loaded = len(context.get_ca_certs())
    assert {"SSL_CERT_FILE": loaded == 1, "SSL_CERT_DIR": loaded == 0}.get(variable, loaded > 1)
