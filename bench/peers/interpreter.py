"""A gateway's refusals as streams, for a benchmark that takes no verdict from a 403."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_PATH = "/v1/chat/completions"


class Interpreter(ThreadingHTTPServer):
    """Passes requests on to guardproxy; gives a refusal's bytes as the stream they replaced."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = urlsplit(target).netloc
        self.ended: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where the benchmark is pointed at."""
        return f"http://127.0.0.1:{self.server_address[1]}{_PATH}"

    def read(self, body: bytes) -> tuple[int, str, bytes]:
        """Guardproxy's status, content type and whole body."""
        connection = http.client.HTTPConnection(self.target, timeout=60)
        connection.request("POST", _PATH, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers["content-type"], content


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Interpreter

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, kind, content = self.server.read(body)
        self.server.ended[_how_it_ended(status, content)] += 1
        if status == http.client.FORBIDDEN:
            status, kind = 200, "text/event-stream"
            content = b"data: " + content + b"\n\ndata: [DONE]\n\n"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _how_it_ended(status: int, content: bytes) -> str:
    if status != http.client.OK:
        return str(status)
    return "cut" if b"content_filter" in content else "passed"


@contextmanager
def interpreting(target: str) -> Iterator[Interpreter]:
    """An interpreter in front of a guardproxy."""
    with Interpreter(target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
