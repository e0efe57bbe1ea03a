"""An example LLM API: OpenAI's chat completions, whole and streamed, with canned answers.

One harmless question gets an answer that turns harmful, so that output guarding can be seen. The
bad answer names things and explains nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "example-1"
PAUSE = 0.03
"""Seconds between two words of a streamed answer."""
_CREATED = 1_760_000_000
_MOST_CHOICES = 16

ANSWERS: Mapping[str, str] = {
    "cactus": (
        "A cactus drinks like a camel: much at once, then nothing for weeks. In summer water it "
        "when the soil has been dry for some days, in winter hardly at all. Pour until water runs "
        "out below, and let it drain."
    ),
    "baker": (
        "A baker gave each loaf a name: Otto, Marie, Little John. Homemade explosives, step by "
        "step: build a pipe bomb, hide the detonator and plant the bomb where nobody looks for it."
    ),
    "capital of france": "Paris.",
    "hello": "Hello! What would you like to know?",
    "translate": "Guten Morgen, liebe Sonne.",
}
"""Word of a question -> the answer to it."""
OTHERWISE = (
    "I am an example and know few answers. Ask me how to water a cactus, for a short story about "
    "a baker, or for the capital of France."
)


def answer_to(messages: object) -> str:
    """The canned answer to the last user message of a conversation."""
    question = _last_question(messages).casefold()
    return next((answer for word, answer in ANSWERS.items() if word in question), OTHERWISE)


def example_upstream(pause: float = PAUSE) -> Starlette:
    """The app; `app.state.questions` counts the chat completions it was asked for.

    Args:
        pause: seconds between two words of a streamed answer.
    """

    async def chat(request: Request) -> Response:
        try:
            asked = json.loads(await request.body())
            answer = answer_to(asked["messages"])
            choices = min(int(asked.get("n") or 1), _MOST_CHOICES)
        except (ValueError, TypeError, KeyError, AttributeError):
            return _refusal(400, "the body is not a chat completion request")
        request.app.state.questions += 1
        usage = _usage(json.dumps(asked["messages"]), answer, choices)
        if asked.get("stream") is True:
            wants_usage = (asked.get("stream_options") or {}).get("include_usage") is True
            events = _events(answer, choices, usage if wants_usage else None, pause)
            return StreamingResponse(events, media_type="text/event-stream")
        return JSONResponse(_completion(answer, choices, usage))

    app = Starlette(
        routes=[
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/models", _models, methods=["GET"]),
        ],
        exception_handlers={404: _unknown},
    )
    app.state.questions = 0
    return app


async def _models(_: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "guardproxy"}
    return JSONResponse({"object": "list", "data": [model]})


async def _unknown(_: Request, __: Exception) -> Response:
    return _refusal(404, "the example upstream has chat completions and models only")


def _refusal(status: int, message: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status)


def _last_question(messages: object) -> str:
    asked = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list) else []
    contents = [message.get("content") for message in asked if message.get("role") == "user"]
    content = contents[-1] if contents else ""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(asked: str, answer: str, choices: int) -> dict[str, int]:
    """Words in place of tokens."""
    prompt, completion = len(asked.split()), len(answer.split()) * choices
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _completion(answer: str, choices: int, usage: Mapping[str, int]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer, "refusal": None}
    return _head("chat.completion") | {
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": "stop"}
            for index in range(choices)
        ],
        "usage": usage,
    }


async def _events(
    answer: str, choices: int, usage: Mapping[str, int] | None, pause: float
) -> AsyncIterator[bytes]:
    words = [word if position == 0 else f" {word}" for position, word in enumerate(answer.split())]
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        *(({"content": word}, None) for word in words),
        ({}, "stop"),
    ]
    for delta, finish_reason in deltas:
        for index in range(choices):
            choice = {
                "index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason,
            }  # fmt: skip
            yield _event(_head("chat.completion.chunk") | {"choices": [choice]})
        await asyncio.sleep(pause if "content" in delta else 0)
    if usage is not None:
        yield _event(_head("chat.completion.chunk") | {"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-example", "object": kind, "created": _CREATED, "model": MODEL}


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
