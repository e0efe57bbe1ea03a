"""Real sockets for tests: guardproxy as it is served, a scripted LLM API, a client of raw bytes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any, TypeAlias

import uvicorn
from starlette.types import ASGIApp

from guardproxy.cli.server import server_config
from guardproxy.settings import Settings

PATIENCE = 20.0
"""Seconds until a test gives up waiting; long, because a shared machine stalls."""

Headers: TypeAlias = list[tuple[bytes, bytes]]


def eventually(holds: Callable[[], object], what: str = "it") -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


# ---- guardproxy -------------------------------------------------------------------------------


@contextmanager
def served(app: ASGIApp, settings: Settings | None = None) -> Iterator[str]:
    """The app on a port of its own, by the server of `guardproxy serve`; gives `http://host:port`.

    It runs in a thread. `/v1` is not part of the address.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        server = uvicorn.Server(server_config(app, settings or Settings()))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started or not thread.is_alive(), "start-up")
            assert thread.is_alive(), "the server did not start"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def as_it_ends(url: str, act: Callable[[], object]) -> None:
    """Does something, in a thread, as soon as a server that ends takes no more connections."""

    def is_ending() -> bool:
        try:
            connect(url).close()
        except ConnectionError:
            return True
        return False

    def wait_and_act() -> None:
        eventually(is_ending, "the server's end")
        act()

    threading.Thread(target=wait_and_act, daemon=True).start()


def policy_file(folder: Path, text: str, name: str = "policy.yaml") -> str:
    """A policy file with this text; gives its path."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


# ---- an LLM API -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it came over the wire."""

    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> Headers:
        """Names in lower case, in order."""
        lines = self.head.split(b"\r\n")[1:]
        pairs = (line.split(b":", 1) for line in lines if line)
        return [(name.lower(), value.strip()) for name, value in pairs]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:  # noqa: ANN401 - JSON is of any type
        return json.loads(self.body)


class Wire:
    """The upstream's end of one connection."""

    def __init__(self, connection: socket.socket, reading: BufferedIOBase) -> None:
        self._connection = connection
        self._reading = reading
        self.closed = False

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(
        self,
        body: bytes | object,
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str | None = "application/json",
    ) -> None:
        """A whole answer; what is not bytes becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(data)}"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in headers]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data)

    def begin_stream(
        self,
        headers: Iterable[tuple[str, str]] = (),
        status: int = 200,
        content_type: str = "text/event-stream; charset=utf-8",
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} OK",
            f"Content-Type: {content_type}",
            "Transfer-Encoding: chunked",
            *(f"{name}: {value}" for name, value in headers),
        ]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        """One chunk of a chunked body; an empty one ends it."""
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def stream(self, *events: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        """A whole event stream."""
        self.begin_stream(headers)
        self.end_stream(*events)

    def end_stream(self, *events: bytes) -> None:
        """The last events of a stream that has begun."""
        for event in events:
            self.chunk(event)
        self.chunk(b"")

    def reset(self) -> None:
        """Ends the connection as a crash does."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self._reading.close()
            self._connection.close()

    def gone(self) -> bool:
        """Waits for the other side to close; whether it did."""
        self._connection.settimeout(PATIENCE)
        try:
            return not self._connection.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True


Script: TypeAlias = Callable[[RawRequest, Wire], None]


def said(text: str, **more: object) -> dict[str, Any]:
    """A chat completion that says this."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "example",
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        **more,
    }


def event(value: object) -> bytes:
    """One server-sent event with this JSON."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def delta(text: str | None, index: int = 0, finish: str | None = None, **more: object) -> bytes:
    """One chunk of a streamed chat completion."""
    choice = {
        "index": index,
        "delta": {**({} if text is None else {"content": text}), **more},
        "logprobs": None,
        "finish_reason": finish,
    }
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "example",
            "choices": [choice],
        }
    )


def _harmless(_: RawRequest, wire: Wire) -> None:
    wire.answer(said("It is sunny."))


@dataclass
class ScriptedUpstream:
    """An LLM API that does what its `script` says and remembers what it was sent."""

    url: str = ""
    script: Script = _harmless
    requests: list[RawRequest] = field(default_factory=list)
    connections: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def says(self, script: Script | object | bytes) -> None:
        """Forgets what was; from now on follows a script, or answers 200 with this body."""
        self.requests.clear()
        self.failures.clear()
        self.connections = 0
        if callable(script):
            self.script = script
        else:
            self.script = lambda _, wire: wire.answer(script)

    def streams(self, *events: bytes) -> None:
        """From now on answers with this stream."""
        self.says(lambda _, wire: wire.stream(*events))

    @property
    def last(self) -> RawRequest:
        return self.requests[-1]


@contextmanager
def upstream() -> Iterator[ScriptedUpstream]:
    """A scripted LLM API on a port of its own; its `url` ends in `/v1`."""
    api = ScriptedUpstream()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            api.connections += 1
            wire = Wire(self.connection, self.rfile)
            with contextlib.suppress(OSError, ValueError):
                while not wire.closed and (request := _read_request(self.rfile)) is not None:
                    api.requests.append(request)
                    try:
                        api.script(request, wire)
                    except AssertionError as error:
                        api.failures.append(error)
                        raise

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False
        request_queue_size = 256

        def handle_error(self, request: object, client_address: object) -> None:
            """Kept in `failures`."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield api
        finally:
            server.shutdown()


def _read_request(reading: BufferedIOBase) -> RawRequest | None:
    lines = []
    while (line := reading.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines:
        return None
    request = RawRequest(b"".join(lines), b"")
    length = int(request.header(b"content-length") or 0)
    return RawRequest(request.head, reading.read(length))


# ---- a client of raw bytes --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer; `status` 0: the connection was closed without one."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:  # noqa: ANN401 - JSON is of any type
        return json.loads(self.body)


def connect(url: str) -> socket.socket:
    """A connection to a server."""
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def request_bytes(
    body: bytes = b"",
    *,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    headers: Iterable[tuple[str, str]] = (),
    content_type: str | None = "application/json",
    length: bool = True,
) -> bytes:
    """A request, well formed unless told otherwise."""
    lines = [f"{method} {target} HTTP/1.1", "Host: guardproxy.test"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def ask(text: str = "What is the weather?", **more: object) -> bytes:
    """The body of a chat request."""
    return json.dumps(
        {"model": "example", "messages": [{"role": "user", "content": text}], **more}
    ).encode()


def read_answer(connection: socket.socket, method: str = "POST") -> RawAnswer:
    """The next answer on a connection."""
    with contextlib.closing(http.client.HTTPResponse(connection, method=method)) as response:
        try:
            response.begin()
            body = response.read()
        except (http.client.BadStatusLine, ConnectionError):
            return RawAnswer(0, [], b"")
    return _raw(response, body)


def _raw(response: http.client.HTTPResponse, body: bytes) -> RawAnswer:
    headers = [(k.lower().encode(), v.encode("latin-1")) for k, v in response.getheaders()]
    return RawAnswer(response.status, headers, body)


def send(url: str, data: bytes) -> RawAnswer:
    """Sends bytes on a connection of their own; gives what comes back."""
    with connect(url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return read_answer(connection, data.split(b" ", 1)[0].decode("latin-1"))


def hear(url: str, data: bytes, words: bytes, then: Callable[[], object]) -> RawAnswer:
    """As `send`; does something as soon as these words of the answer are there."""
    with connect(url) as connection:
        connection.sendall(data)
        with contextlib.closing(http.client.HTTPResponse(connection, method="POST")) as response:
            response.begin()
            body = b""
            while piece := response.read1(65_536):
                body += piece
                if words in body:
                    then()
            return _raw(response, body)


def post(url: str, body: bytes, **how: Any) -> RawAnswer:  # noqa: ANN401 - as request_bytes
    """Sends a request; see `request_bytes`."""
    return send(url, request_bytes(body, **how))
