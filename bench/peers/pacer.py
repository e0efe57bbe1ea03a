"""Between a gateway and a model that says all at once: one event at a time, as models speak."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAUSE = 0.02
"""Seconds between two events, long enough for a judgement."""
_EVENT_END = b"\n\n"


class Pacer(ThreadingHTTPServer):
    """Asks the model behind `port`, and passes its stream on slowly."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Slowly)
        self.port = port

    @property
    def url(self) -> str:
        """The upstream's base URL for the gateway."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: object) -> None:
        """Says nothing of a gateway that hangs up; one that blocks an answer does."""


class _Slowly(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Pacer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("POST", self.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        events = answer.read().split(_EVENT_END)
        connection.close()
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"])
        self.send_header("connection", "close")
        self.end_headers()
        for event in filter(None, events):
            self.wfile.write(event + _EVENT_END)
            time.sleep(_PAUSE)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def pacing(port: int) -> Iterator[Pacer]:
    """A pacer in front of the model that will listen there."""
    with Pacer(port) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
