"""The moderation endpoints: one for all vendors, at every path they use.

    head, body -> strict JSON -> whose call? -> question -> classifier -> decisions -> answer

Whatever goes wrong is said in the vendor's own words. There is no answer without a judgement: a
classifier that does not answer is a 503, never a score.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, OverloadedError, RequestError
from guardproxy.events import Outcome
from guardproxy.guard import Classifier
from guardproxy.moderation import dispatch
from guardproxy.moderation.head_and_body import Account, check_head, read_body
from guardproxy.moderation.mapping import Judged, default_guardrails, judge
from guardproxy.moderation.question import (
    Problem,
    Question,
    Shape,
    TokenCounter,
    overloaded,
    refused,
    unanswered,
)
from guardproxy.policy.config import Limits
from guardproxy.policy.decide import Guardrail
from guardproxy.verdict import Scores

_T = TypeVar("_T")

JUDGED_AT_ONCE = 16
"""Inputs in one question to the classifier, whose deadline is for one question: a request with as
many inputs as a vendor allows is judged in several, and other callers get their turn between."""

RETRY_SECONDS = 1
"""What an overloaded classifier asks for: a full queue is worked off in about that time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What an endpoint knows of an exchange when its answer is ready."""

    route: str
    outcome: Outcome
    code: str
    request_bytes: int


def _fresh_id(scope: Scope) -> str:
    del scope
    return uuid.uuid4().hex


def _ignore(scope: Scope, heard: Heard) -> None:
    del scope, heard


def _unbounded() -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the endpoints need besides a classifier.

    Args:
        limits: gives the bounds of a request's body and JSON that are in force.
        idle_seconds: longest silence while a body is read.
        hold: opens the account of the bytes that one request holds, if there is a budget.
        request_id: 32 hex digits for a request; also the id of its answer.
        note: told of every exchange, before its answer is sent.
        clock: seconds, rising.
    """

    limits: Callable[[], Limits] = Limits
    idle_seconds: float = 60.0
    hold: Callable[[], AbstractContextManager[Account | None]] = _unbounded
    request_id: Callable[[Scope], str] = _fresh_id
    note: Callable[[Scope, Heard], None] = _ignore
    clock: Callable[[], float] = time.perf_counter


def routes(
    classifier: Classifier, counter: TokenCounter, surroundings: Surroundings | None = None
) -> list[Route]:
    """The routes to put into the application.

    Args:
        classifier: the one that guards the proxy.
        counter: its tokenizer, for `usage`.
        surroundings: everything else; the defaults if not given.

    Raises:
        PolicyError: the classifier has no default threshold for a category.
    """
    guardrails = default_guardrails(classifier.default_thresholds)
    around = surroundings or Surroundings()
    return [
        # No `methods`: another method is refused in the vendor's words, not in starlette's.
        Route(path, _Endpoint(path, classifier, counter, guardrails, around))
        for path in dispatch.PATHS
    ]


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: dict[str, object]
    headers: dict[str, str]
    outcome: Outcome = Outcome.PASSED
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One path, as an ASGI application."""

    path: str
    classifier: Classifier
    counter: TokenCounter
    guardrails: tuple[Guardrail, ...]
    around: Surroundings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self.around.clock()
        request_id = self.around.request_id(scope)
        raw = bytearray()
        try:
            with self.around.hold() as account:
                reply = await self._reply(Request(scope, receive), request_id, raw, account)
        except ClientDisconnect:
            self._note(scope, Outcome.CLIENT_GONE, "", len(raw))
            return
        self._note(scope, reply.outcome, reply.code, len(raw))
        response = JSONResponse(reply.body, reply.status, headers=reply.headers)
        took = round((self.around.clock() - began) * 1000)
        response.headers["x-request-id"] = request_id
        response.headers["x-processing-time-ms"] = str(took)
        await response(scope, receive, send)

    async def _reply(
        self, request: Request, request_id: str, raw: bytearray, account: Account | None
    ) -> _Reply:
        shape = dispatch.PATHS[self.path]
        limits = self.around.limits()
        try:
            check_head(request.method, request.headers)
            await read_body(
                request,
                into=raw,
                most_bytes=limits.body_bytes,
                idle_seconds=self.around.idle_seconds,
                account=account,
            )
            body = dispatch.read_object(bytes(raw), limits)
            shape = dispatch.shape_of(self.path, body)
            question = shape.read(body)
            judged, tokens = await _unless_gone(request, self._judge(question))
        except RequestError as error:
            return _problem(shape, refused(error), request_id, Outcome.REFUSED)
        except OverloadedError:
            return _problem(shape, overloaded(), request_id, Outcome.OVERLOADED)
        except ClassifierError as error:
            problem = unanswered(error)
            outcome = Outcome.OVERLOADED if problem.retry else Outcome.FAILED
            return _problem(shape, problem, request_id, outcome)
        answer = question.answer(judged, answer_id=request_id, tokens=tokens)
        return _Reply(200, answer, _marks(question))

    def _note(self, scope: Scope, outcome: Outcome, code: str, request_bytes: int) -> None:
        self.around.note(scope, Heard(self.path, outcome, code, request_bytes))

    async def _judge(self, question: Question) -> tuple[list[Judged], int]:
        most = self.classifier.context_characters
        asked = [*enumerate(question.passages), *question.joined, *question.alone]
        readings: list[list[Scores]] = [[] for _ in question.passages]
        for start in range(0, len(asked), JUDGED_AT_ONCE):
            group = asked[start : start + JUDGED_AT_ONCE]
            passages = [Passage(item.text, _end(item.context, most)) for _, item in group]
            scores = await self.classifier.classify(passages)
            for (index, _), item in zip(group, scores, strict=True):
                readings[index].append(item)
        judged = [judge(self.guardrails, *each) for each in readings]
        if not question.counts_tokens:
            return judged, 0
        # In a thread: megabytes of text keep a tokenizer busy for seconds.
        return judged, await asyncio.to_thread(self._count_tokens, question)

    def _count_tokens(self, question: Question) -> int:
        return sum(self.counter.count_tokens(passage.text) for passage in question.passages)


def _end(text: str, characters: int) -> str:
    """The end of a text: of a conversation, what was said last."""
    return text[-characters:] if characters else ""


async def _unless_gone(request: Request, work: Awaitable[_T]) -> _T:
    """The result of `work`, which is given up when the caller goes.

    Raises:
        ClientDisconnect: he went.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(_until_gone(request))
            result = await work
            watching.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return result


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def _problem(shape: Shape, problem: Problem, request_id: str, outcome: Outcome) -> _Reply:
    status, body = shape.error(problem, request_id)
    headers = {}
    if status == 405:
        headers["allow"] = "POST"
    if status >= 500:
        headers["x-should-retry"] = str(problem.retry).lower()
    if problem.retry:
        headers["retry-after"] = str(RETRY_SECONDS)
    return _Reply(status, body, headers, outcome, problem.code)


def _marks(question: Question) -> dict[str, str]:
    """What the vendor's answer has no place for."""
    marks = {}
    if question.unjudged:
        marks["x-guardproxy-unjudged-parts"] = str(question.unjudged)
    if question.deprecated is not None:
        since, until, advice = question.deprecated
        marks |= {"deprecation": since, "sunset": until, "x-guardproxy-warning": advice}
    return marks
