"""Passes a stream on, event by event, as the stream guard lets go of it.

Three tasks share one connection: `_pump` reads the upstream into the guard, `_judge_all` asks and
releases, `_keep_alive` speaks up when nothing may leave for long. Whoever sends takes the lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from guardproxy.dialects.base import StreamReader
from guardproxy.errors import OverloadedError, StreamError, UpstreamError
from guardproxy.events import Outcome
from guardproxy.policy.config import Limits
from guardproxy.proxy.budget import ByteAccount
from guardproxy.proxy.echoes import is_echo
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.responses import Sender
from guardproxy.proxy.stream_judge import Judged
from guardproxy.proxy.trail import Trail
from guardproxy.proxy.turnstile import Turnstile
from guardproxy.proxy.upstream import UpstreamAnswer
from guardproxy.sse import ServerSentEvent
from guardproxy.stream_guard import HeldEvent, Question, StreamGuard
from guardproxy.verdict import StreamMode, Verdict

Judge = Callable[[Question], Awaitable[Judged]]

_REST = 3.0
"""A stream rests so many times as long as its last judgement took: it is judged a quarter of its
time, so that its cost grows with its length, and what others have said is not judged when it is
old."""
_LONGEST_REST = 0.25
"""Seconds; a judge far away is slow, not dear."""
_SHORTEST_REST = 0.002
"""Seconds; below, the judge remembered."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """How one stream is to be passed on."""

    mode: StreamMode
    limits: Limits
    keep_alive: float
    status: int
    headers: Headers


class StreamRelay:
    """Passes one stream on.

    Args:
        answer: the upstream's, its head read.
        reader: reads its events and ends it in its own words.
        guard: holds its events.
        judge: says what the policy makes of a question.
        sender: the way to the caller.
        plan: see `StreamPlan`.
        account: pays for what is held.
        turnstile: says when to read on, so that all streams leave others their turn.
        trail: learns how it ended.
        exempt: texts of the request that the policy exempts; see `is_echo`.
    """

    def __init__(
        self,
        *,
        answer: UpstreamAnswer,
        reader: StreamReader,
        guard: StreamGuard,
        judge: Judge,
        sender: Sender,
        plan: StreamPlan,
        account: ByteAccount,
        turnstile: Turnstile,
        trail: Trail,
        exempt: Collection[str] = (),
    ) -> None:
        self._answer = answer
        self._reader = reader
        self._guard = guard
        self._judge = judge
        self._sender = sender
        self._plan = plan
        self._account = account
        self._turnstile = turnstile
        self._trail = trail
        self._exempt = exempt
        self._finished: set[int] = set()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._pressing = asyncio.Event()
        self._sending = asyncio.Lock()
        self._pumped = False
        self._fault: UpstreamError | OverloadedError | None = None
        self._last_sent = asyncio.get_running_loop().time()

    async def run(self) -> Verdict | None:
        """Passes the stream on to its end.

        Returns:
            The blocking verdict if nothing has left yet, so that a plain 403 is still possible;
            None if the caller has his answer.

        Raises:
            UpstreamError: the stream failed before anything left.
        """
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._pump()), tasks.create_task(self._keep_alive())]
            verdict = await self._judge_all()
            for helper in helpers:
                helper.cancel()
        if verdict is not None:
            return await self._cut(verdict)
        if self._fault is not None:
            await self._fail(self._fault)
        elif self._sender.begun:
            await self._sender.write(b"", more=False)
        else:
            await self._sender.begin(self._plan.status, self._plan.headers)
            await self._sender.write(b"", more=False)
        return None

    async def _judge_all(self) -> Verdict | None:
        """Judges and releases until the stream is over or something is blocked."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            over = self._pumped
            while (question := self._guard.question()) is not None:
                began = asyncio.get_running_loop().time()
                verdict, waits = await self._judge(question)
                if verdict.blocked:
                    return verdict
                if waits:
                    self._guard.waits(question)
                else:
                    self._guard.passed(question)
                await self._release()
                await self._rest(asyncio.get_running_loop().time() - began)
            await self._release()
            self._settled.set()
            if over:
                return None

    async def _rest(self, judging: float) -> None:
        """Lets text collect after a judgement; not at the end, nor when much has collected."""
        if self._plan.mode is StreamMode.LIVE:
            # What is said while it rests has left already.
            return
        resting = min(_REST * judging, _LONGEST_REST)
        if resting >= _SHORTEST_REST:
            with suppress(TimeoutError):
                async with asyncio.timeout(resting):
                    await self._pressing.wait()

    async def _pump(self) -> None:
        """Reads the upstream into the guard; a fault ends the stream after what came before."""
        try:
            await self._read_all()
        except (UpstreamError, OverloadedError) as error:
            self._fault = error
        finally:
            self._guard.end()
            self._pumped = True
            self._pressing.set()
            self._changed.set()

    async def _read_all(self) -> None:
        decoder = self._reader.decoder()
        async for chunk in self._answer.chunks():
            # What the network already holds arrives without a pause; the judge needs its turn, and
            # so do all others.
            await self._turnstile.passage(len(chunk))
            for event in decoder.feed(chunk):
                if self._hold(event):
                    return
            await self._let_judge()
        # A last event without its blank line: judged like any other, refused if it is cut.
        if (rest := decoder.finish()) is not None:
            self._hold(rest)

    def _hold(self, event: ServerSentEvent) -> bool:
        """Hands one event to the guard; whether it is the last."""
        read = self._reader.read(event)
        pieces = [
            (piece.channel, piece.text)
            for piece in read.pieces
            if not (self._exempt and is_echo(piece.channel, piece.text, self._exempt))
        ]
        # Nobody waits for the LF of a CRLF that ends the last event, so it is put there.
        cut = read.last and event.raw.endswith(b"\n\r")
        raw = event.raw + b"\n" if cut else event.raw
        closing = read.closing or read.last
        self._guard.hold(raw, pieces, media=read.media, finished=read.finished, closing=closing)
        held = self._guard.held_bytes
        if held > self._plan.limits.answer_bytes:
            raise StreamError("more of the stream would have to be held than is allowed")
        self._account.set(held)
        return read.last

    async def _let_judge(self) -> None:
        """Wakes the judge; waits for it when much is unjudged, so that memory stays bounded."""
        if self._plan.mode is StreamMode.LIVE:
            await self._release()
        self._settled.clear()
        self._changed.set()
        waiting = max(self._guard.held_bytes, self._guard.unjudged)
        if waiting > self._plan.limits.hold_bytes:
            self._pressing.set()
            await self._settled.wait()
            self._pressing.clear()

    async def _release(self) -> None:
        if released := self._guard.release():
            async with self._sending:
                await self._pass_on(released)
            self._account.set(self._guard.held_bytes)

    async def _pass_on(self, events: list[HeldEvent]) -> None:
        for event in events:
            self._finished.update(event.finished)
        await self._put(b"".join(event.raw for event in events))

    async def _put(self, data: bytes) -> None:
        if not self._sender.begun:
            await self._sender.begin(self._plan.status, self._plan.headers)
        await self._sender.write(data, more=True)
        self._last_sent = asyncio.get_running_loop().time()

    async def _keep_alive(self) -> None:
        """Says something harmless when nothing could leave for a while."""
        loop = asyncio.get_running_loop()
        while self._reader.keep_alive:
            silence = loop.time() - self._last_sent
            if silence < self._plan.keep_alive:
                await asyncio.sleep(self._plan.keep_alive - silence)
                continue
            async with self._sending:
                await self._put(self._reader.keep_alive)

    async def _cut(self, verdict: Verdict) -> Verdict | None:
        if not self._sender.begun:
            return verdict
        await self._sender.write(self._reader.blocked(verdict, self._finished), more=False)
        return None

    async def _fail(self, fault: UpstreamError | OverloadedError) -> None:
        if not self._sender.begun:
            raise fault
        self._trail.outcome = Outcome.UPSTREAM_FAILED
        self._trail.code = "incomplete"
        message = fault.message if isinstance(fault, UpstreamError) else "too much at once"
        await self._sender.write(self._reader.failed(message), more=False)
