"""An LLM API that answers at once, or as slowly as asked: what proxies are measured in front of.

    python -m guardproxy.bench.upstream PORT

The model's name says what is wanted, because every gateway passes it on:

    fixed               one whole answer, always the same
    new                 one whole answer of new words
    stream-100-20       a stream of 100 words, 20 ms apart (0: all at once)

`GET /sent` gives, and forgets, when each word of each stream was sent: an object, prompt -> seconds
of the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, Final

from guardproxy.bench.words import Prompts

ANSWER_WORDS: Final = 16
"""Length of a whole answer."""
_FIXED: Final = "Water it when the soil is dry, and give it light."
_LENGTH: Final = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_STREAM: Final = re.compile(r"stream-(\d+)-(\d+)$")
_HEAD_BYTES: Final = 64 * 1024
_BACKLOG: Final = 1024


def command(port: int) -> list[str]:
    """How to run it, by this interpreter."""
    return [sys.executable, "-m", "guardproxy.bench.upstream", str(port)]


def whole_answer(text: str) -> str:
    """A chat completion, as JSON; nginx serves it with a text of its own."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 40, "completion_tokens": 16, "total_tokens": 56},
        }
    )


def fixed_answer() -> str:
    """The answer that is always the same, as JSON."""
    return whole_answer(_FIXED)


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    data = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return _framed(b"data: " + json.dumps(data).encode() + b"\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _response(content_type: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    return head % (content_type, len(body)) + body


_FIXED_RESPONSE: Final = _response(b"application/json", fixed_answer().encode())
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_STREAM_END: Final = _chunk({}, "stop") + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Upstream:
    """Serves connections; remembers when it sent the words of streams."""

    def __init__(self, texts: Prompts) -> None:
        self._texts = texts
        self._sent: dict[str, list[float]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its client leaves."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                await self._answer(head, body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /sent"):
            found, self._sent = self._sent, {}
            writer.write(_response(b"application/json", json.dumps(found).encode()))
        elif not body:
            writer.write(_response(b"text/plain", b"ready"))
        else:
            request = json.loads(body)
            if stream := _STREAM.fullmatch(request["model"]):
                await self._stream(request, int(stream[1]), int(stream[2]) / 1000, writer)
            elif request["model"] == "fixed":
                writer.write(_FIXED_RESPONSE)
            else:
                answer = whole_answer(self._texts.new(ANSWER_WORDS))
                writer.write(_response(b"application/json", answer.encode()))

    async def _stream(
        self, request: dict[str, Any], count: int, pause: float, writer: asyncio.StreamWriter
    ) -> None:
        times = self._sent.setdefault(str(request["messages"][-1]["content"]), [])
        writer.write(_STREAM_HEAD + _chunk({"role": "assistant", "content": ""}))
        begun = time.monotonic()
        for number, word in enumerate(self._texts.new(count).split()):
            # By the clock, not by pauses, which would add up to a slower stream on a busy machine.
            if (wait := begun + number * pause - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            times.append(time.monotonic())
            writer.write(_chunk({"content": f"{word} "}))
            await writer.drain()
        writer.write(_STREAM_END)


async def _main(port: int) -> None:
    server = await asyncio.start_server(
        Upstream(Prompts(time.time_ns())).serve,
        "127.0.0.1",
        port,
        limit=_HEAD_BYTES,
        backlog=_BACKLOG,
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
