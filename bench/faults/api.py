"""An LLM API that answers at once, in a process of its own.

    python -m bench.faults.api PORT

Every answer is of other words, so that none is judged from memory. The body's `model` says how:
`whole`; `known`, always the same; `card`, with the number of a card; `stream`, 20 deltas, 50 ms
apart; `long`, a stream that does not stop.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile(rb'"model": *"(\w+)"')
_DELTAS, _PAUSE = 20, 0.05
CARD = "4111 1111 1111 1111"
"""A number that every payment system knows for a test."""
_SOME = "garden water river summer bread window music travel winter coffee letter mountain school"
_MORE = "market bridge orange morning picture kitchen journey weather table flower village paper"
WORDS = f"{_SOME} {_MORE}".split()


def sentence(words: int) -> str:
    """Harmless words in an order that has not been before."""
    return " ".join(random.choices(WORDS, k=words))


def _whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]})
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    return f"{head}{len(body)}\r\n\r\n{body}".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta(text: str | None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if text is None else None}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}
    return _chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


async def _stream(writer: asyncio.StreamWriter, deltas: int | None) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    if deltas is None:
        # As fast as it is taken, in events of about 4 kB.
        event = _delta(sentence(700))
        while True:
            writer.write(event)
            await writer.drain()
            # Draining waits only while the buffer is full; others are to have their turn.
            await asyncio.sleep(0)
    for _ in range(deltas):
        writer.write(_delta(f"{sentence(1)} "))
        await writer.drain()
        await asyncio.sleep(_PAUSE)
    writer.write(_delta(None) + _chunk(b"data: [DONE]\n\n") + _chunk(b""))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            model = _MODEL.search(body)
            match model and model[1]:
                case b"stream":
                    await _stream(writer, _DELTAS)
                case b"long":
                    await _stream(writer, None)
                case b"known":
                    writer.write(_whole("It is sunny."))
                case b"card":
                    writer.write(_whole(f"{sentence(5)} {CARD}"))
                case _:
                    writer.write(_whole(sentence(30)))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main(port: int) -> None:
    async with await asyncio.start_server(_serve, "127.0.0.1", port, backlog=4096) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
