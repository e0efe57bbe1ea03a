"""An upstream that answers at once: the floor that a proxy in front of it is measured against.

    python bench/instant_upstream.py PORT

`POST` with `"stream": true` answers with 50 deltas, 20 ms apart; any other with one whole answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_DELTAS, _PAUSE = 50, 0.02
_TEXT = "Water it when the soil is dry, and give it light."


def _head(extra: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + extra + b"\r\n"


def _whole() -> bytes:
    message = {"role": "assistant", "content": _TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "instant",
            "choices": [choice],
            "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        }
    ).encode()
    head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return _head(head) + body


def _chunk(delta: dict[str, str], finish: str | None) -> bytes:
    data = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "instant",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    event = b"data: " + json.dumps(data).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


_WHOLE = _whole()
_STREAM_HEAD = _head(b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n")


async def _stream(writer: asyncio.StreamWriter) -> None:
    words = (_TEXT.split() * _DELTAS)[:_DELTAS]
    writer.write(_STREAM_HEAD + _chunk({"role": "assistant", "content": ""}, None))
    for number, word in enumerate(words):
        writer.write(_chunk({"content": f"{word} "}, None))
        await writer.drain()
        if number + 1 < len(words):
            await asyncio.sleep(_PAUSE)
    done = b"data: [DONE]\n\n"
    writer.write(_chunk({}, "stop") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(done), done))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            if b'"stream":true' in body.replace(b" ", b""):
                await _stream(writer)
            else:
                writer.write(_WHOLE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
