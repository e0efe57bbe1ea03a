"""Golden bodies, questions put to the pure parts, and a real server on a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from guardproxy.moderation.mapping import default_guardrails, judge
from guardproxy.moderation.question import Body, Question, Shape
from tests.fakes import KeywordClassifier, WordCounter

WIRE = Path(__file__).parent.parent / "wire" / "moderation"


def golden(name: str) -> dict[str, Any]:
    """A golden body."""
    body: dict[str, Any] = json.loads((WIRE / f"{name}.json").read_text(encoding="utf-8"))
    return body


def answered(shape: Shape, body: Body) -> dict[str, Any]:
    """The answer of a shape when keywords judge, without any HTTP."""
    question: Question = shape.read(body)
    classifier = KeywordClassifier()
    guardrails = default_guardrails(classifier.default_thresholds)
    judged = [judge(guardrails, classifier.score(item.text)) for item in question.passages]
    tokens = sum(WordCounter().count_tokens(item.text) for item in question.passages)
    return question.answer(judged, answer_id="0" * 32, tokens=tokens)


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """A real server in a thread, on a port of its own; gives its URL."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
