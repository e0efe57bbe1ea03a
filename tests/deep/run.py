"""Drives the application in this process, case by case, and says what went wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message, Scope

from guardproxy.app import Application, build_classifier
from guardproxy.events import Outcome
from guardproxy.proxy.trail import Trail, trail_of
from guardproxy.settings import Settings
from guardproxy.verdict import Direction
from tests.asgi import HOST, body_messages
from tests.deep import headers
from tests.deep.answers import AnswerCase, answer_case
from tests.deep.canary import CanaryJudge
from tests.deep.headers import Headers
from tests.deep.policies import LIVE, POLICIES
from tests.deep.requests import RequestCase, request_case
from tests.upstreams import Answering

PATIENCE = 30.0
FINE = b'{"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}}]}'


class Script(httpx.AsyncByteStream):
    """The body of an answer: chunks, and perhaps a fault after them."""

    def __init__(self, chunks: Iterable[bytes], fault: Exception | None = None) -> None:
        self._chunks = chunks
        self._fault = fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._fault is not None:
            raise self._fault

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class Upstream:
    """An LLM API that gives the answer it is told to, and keeps what it is sent."""

    answer: AnswerCase | None = None
    sent: list[bytes] = field(default_factory=list)
    heads: list[tuple[bytes, bytes]] = field(default_factory=list)

    def is_asked(self, answer: AnswerCase | None) -> None:
        """Forgets what was, and gives this answer next; one of its own for None."""
        self.answer = answer
        self.sent.clear()
        self.heads.clear()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(await request.aread())
        self.heads += request.headers.raw
        answer = self.answer
        if answer is None:
            kind = {"content-type": "application/json"}
            return httpx.Response(200, headers=kind, stream=Script([FINE]))
        headers = list(answer.headers)
        return httpx.Response(
            answer.status, headers=headers, stream=Script(answer.chunks, answer.fault)
        )


class Complaints(logging.Handler):
    """What is logged as an error: with a traceback, or a classifier that failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        self.heard.append(f"logged: {record.getMessage()} {kind.__name__ if kind else ''}")


@dataclass
class Figures:
    """What a run came to: how many cases, how they ended, and what should not have been."""

    cases: int = 0
    canary_bytes: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def ended(self, kind: str) -> None:
        self.cases += 1
        self.ends[kind] = self.ends.get(kind, 0) + 1

    def add(self, other: Figures) -> None:
        self.cases += other.cases
        self.canary_bytes += other.canary_bytes
        self.findings += other.findings
        for kind, count in other.ends.items():
            self.ends[kind] = self.ends.get(kind, 0) + count


@dataclass(frozen=True, slots=True)
class Got:
    """What the client got: `writes` as they left, `trail` how it ended."""

    status: int
    headers: Headers
    writes: tuple[bytes, ...]
    whole: bool
    trail: Trail

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)


class Driver:
    """Applications of every policy, an upstream that is scripted, a client that records."""

    def __init__(
        self, apps: dict[str, ASGIApp], upstream: Upstream, complaints: Complaints
    ) -> None:
        self._apps = apps
        self._upstream = upstream
        self._complaints = complaints

    async def run(self, seed: str, figures: Figures) -> None:
        """Runs the case of a seed, a request's or an answer's."""
        findings = [*await self._request(seed, figures), *await self._answer(seed, figures)]
        figures.findings += [f"{seed}: {each}" for each in findings]

    async def _request(self, seed: str, figures: Figures) -> list[str]:
        case = request_case(seed)
        self._upstream.is_asked(None)
        got, findings = await self._call(case.ruling.policy, case)
        sent = b"".join(self._upstream.sent)
        if case.clean and not (self._upstream.sent and case.passed_as(sent)):
            findings.append(f"a clean request did not pass: {got.status} {got.body[:300]!r}")
        # A header that never travels may stay behind while its request goes on.
        spoken = headers.sing(case.song, tuple(self._upstream.heads)) if case.in_head else sent
        if not case.clean and spoken:
            figures.canary_bytes += len(case.song)
            findings.append("the sentence reached the upstream")
        if not case.clean and case.song and case.song.encode() in got.body:
            findings.append("a refusal repeats the sentence")
        figures.ended(f"request {case.ruling.policy} {_kind(case)} {got.status}")
        return [f"{each} [request: {', '.join(case.words)}]" for each in findings]

    async def _answer(self, seed: str, figures: Figures) -> list[str]:
        case = answer_case(seed)
        self._upstream.is_asked(case)
        got, findings = await self._call(case.mode, case.asked)
        if case.clean and (got.body != b"".join(case.chunks) or not got.whole):
            findings.append(f"a clean answer did not pass: {got.status} {got.body[-300:]!r}")
        hears = case.heard_in(got.body) or (case.in_head and headers.sing(case.song, got.headers))
        ending = f"{_kind(case)} {got.status}"
        if not case.clean and hears and case.mode == LIVE and got.trail.streamed:
            ending = f"cut {got.status}"
            findings += live_faults(case, got)
        elif not case.clean and hears:
            figures.canary_bytes += len(case.song)
            findings.append("the sentence reached the client")
        figures.ended(f"answer {case.mode} {ending}")
        return [f"{each} [answer: {', '.join(case.words)}]" for each in findings]

    async def _call(self, mode: str, case: RequestCase) -> tuple[Got, list[str]]:
        findings: list[str] = []
        client = Client(case)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._apps[mode](client.scope, client.receive, client.send)
        except TimeoutError:
            findings.append("hung")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            findings.append(f"raised {type(error).__name__}")
        got = client.got()
        told = self._upstream.answer.status if self._upstream.answer else 200
        if got.status in (0, 500) and got.status != told and not findings:
            findings.append(f"answered with status {got.status}")
        findings += self._complaints.heard
        self._complaints.heard.clear()
        return got, findings


class Client:
    """One request by hand, and what is sent for it."""

    def __init__(self, case: RequestCase) -> None:
        self._messages = body_messages(*case.chunks)[::-1]
        self._sent: list[Message] = []
        self.scope = self._scope(case)

    @staticmethod
    def _scope(case: RequestCase) -> Scope:
        raw = case.raw_path.partition("#")[0] if "#" in case.raw_path else case.raw_path
        return {
            "type": "http",
            "method": case.method,
            "path": unquote(raw),
            "raw_path": raw.encode("latin-1"),
            "query_string": case.query,
            "headers": [HOST, *case.headers],
        }

    async def receive(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop()

    async def send(self, message: Message) -> None:
        self._sent.append(message)

    def got(self) -> Got:
        trail = trail_of(self.scope)
        if not self._sent:
            return Got(0, (), (), whole=False, trail=trail)
        writes = tuple(message.get("body", b"") for message in self._sent[1:])
        status, sent = self._sent[0]["status"], tuple(self._sent[0]["headers"])
        return Got(status, sent, writes, not self._sent[-1].get("more_body", False), trail)


def live_faults(case: AnswerCase, got: Got) -> list[str]:
    """What is wrong with a live stream in which the client heard the sentence.

    Live, a text leaves before it is judged, so it may be heard. What is promised is that nothing
    follows it: the write that completes the sentence is the last of the upstream's, then the
    stream ends in its API's own words, which name the guardrails, and log and metrics say blocked.
    The judge of these cases answers at once, so that no other write can come between.
    """
    said, ending = b"".join(got.writes[:-1]), got.writes[-1]
    faults = []
    if got.trail.outcome is not Outcome.BLOCKED or got.trail.direction is not Direction.OUTPUT:
        faults.append(f"live: heard, and told as {got.trail.outcome}")
    if not got.whole or b"guardrails" not in ending or case.heard_in(ending):
        faults.append(f"live: heard, and not ended: {ending[-200:]!r}")
    if case.heard_in(b"".join(got.writes[:-2])):
        faults.append("live: went on after it was heard")
    # A CR that ends the last event is given its LF.
    if not b"".join(case.chunks).startswith(said.removesuffix(b"\n")):
        faults.append("live: not what the upstream said")
    return faults


def _kind(case: RequestCase | AnswerCase) -> str:
    return "clean" if case.clean else "canary"


@asynccontextmanager
async def driving(folder: Path) -> AsyncIterator[Driver]:
    """A driver; its policies are written to a folder."""
    upstream, complaints = Upstream(), Complaints()
    logger = logging.getLogger("guardproxy")
    logger.addHandler(complaints)
    try:
        async with _apps(folder, upstream) as apps:
            yield Driver(apps, upstream, complaints)
    finally:
        logger.removeHandler(complaints)


@asynccontextmanager
async def _apps(folder: Path, upstream: Upstream) -> AsyncIterator[dict[str, ASGIApp]]:
    apps: dict[str, ASGIApp] = {}
    over = asyncio.Event()
    # Every application opens the model, none of these asks it: one is enough.
    async with build_classifier(Settings()) as embedded, asyncio.TaskGroup() as tasks:
        with patch("guardproxy.app.build_classifier", lambda *_, **__: nullcontext(embedded)):
            for name, policy in POLICIES.items():
                file = folder / f"{name}.yaml"
                file.write_text(policy, encoding="utf-8")
                settings = Settings(upstream="http://upstream.test/v1", policy=str(file))
                transport = Answering(upstream.handle)
                app = Application(settings, transport=transport, classifier=CanaryJudge())
                started = asyncio.Event()
                tasks.create_task(_live(app, started, over))
                await started.wait()
                apps[name] = app
        try:
            yield apps
        finally:
            over.set()


async def _live(app: ASGIApp, started: asyncio.Event, over: asyncio.Event) -> None:
    """The lifespan of an application, as a server would have it."""
    begun = False

    async def receive() -> Message:
        nonlocal begun
        if begun:
            await over.wait()
            return {"type": "lifespan.shutdown"}
        begun = True
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            raise AssertionError(message["message"])
        started.set()

    await app({"type": "lifespan"}, receive, send)


async def run_cases(folder: Path, seed: str, numbers: Iterable[int]) -> Figures:
    """Runs the cases of some numbers, one after the other."""
    figures = Figures()
    async with driving(folder) as driver:
        for number in numbers:
            await driver.run(f"{seed}:{number}", figures)
    return figures


def rendered(figures: Figures) -> str:
    return json.dumps(figures.ends, indent=1, sort_keys=True)
