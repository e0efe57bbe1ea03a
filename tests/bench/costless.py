"""Gateways that cost nothing: the upstream itself, started as each of them would be."""

from __future__ import annotations

import sys

from guardproxy.bench import upstream
from guardproxy.bench.gateways import Gateway

NO_LOAD = """#!/bin/sh
echo 'guardproxy-bench {"requests":100,"microseconds":1000000,"connect":0,"read":0,"write":0,\
"status":0,"timeout":0,"p50":100,"p90":200,"p99":300,"longest":400}'
"""
"""Instead of wrk: says at once what it would have found."""


def costless(key: str, *, ours: bool = True, refuses: str | None = None) -> Gateway:
    """Named like a gateway, and answers like what would be behind it."""
    return Gateway(
        key,
        f"{key}, costless",
        "1.0",
        lambda start: upstream.command(start.port),
        "/",
        refuses=refuses,
        ours=ours,
        repeated=key.endswith("cached"),
    )


def silent() -> Gateway:
    """One that answers, but has no streams."""
    answers = (
        "import sys\nfrom guardproxy.bench import upstream\nfrom http.server import *\n"
        "class Handler(BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        self.send_response(200)\n"
        "        self.end_headers()\n"
        "        self.wfile.write(upstream.fixed_answer().encode())\n"
        "    do_GET = do_POST\n"
        "    def log_message(self, *_): pass\n"
        "HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
    )
    return Gateway(
        "silent",
        "silent, costless",
        "1.0",
        lambda start: [sys.executable, "-c", answers, str(start.port)],
        "/",
    )
