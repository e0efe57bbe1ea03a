"""How much of a stream is held while the judge thinks; fed by hand, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from starlette.types import Message

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.policy.config import Limits
from guardproxy.proxy.budget import ByteBudget
from guardproxy.proxy.relay import StreamPlan, StreamRelay
from guardproxy.proxy.responses import Sender
from guardproxy.proxy.stream_judge import Judged
from guardproxy.proxy.trail import Trail
from guardproxy.proxy.turnstile import Turnstile
from guardproxy.proxy.upstream import UpstreamAnswer
from guardproxy.stream_guard import Question, StreamGuard
from guardproxy.verdict import StreamMode, Verdict
from tests.servers import DONE, PATIENCE, delta

FIRST, SECOND = delta("one "), delta("two")


class CountingAnswer:
    """An answer that counts how far it was read; fits `UpstreamAnswer` as a relay uses it."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.read = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.read += 1
            yield chunk


class Thinker:
    """A judge that thinks until it is told to go on."""

    def __init__(self) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, question: Question) -> Judged:
        del question
        self.asked.set()
        await self.go_on.wait()
        return Judged(Verdict())


@pytest.mark.parametrize(("hold_bytes", "read"), [(len(FIRST), 2), (len(FIRST) - 1, 1)])
async def test_at_hold_bytes_reading_goes_on_and_above_it_waits_for_the_judge(
    hold_bytes: int, read: int
) -> None:
    answer, judge, sent = CountingAnswer(FIRST, SECOND, DONE), Thinker(), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    trail, limits = Trail("0", 0.0), Limits(hold_bytes=hold_bytes)
    with ByteBudget(2**20).account() as account:
        relay = StreamRelay(
            answer=cast("UpstreamAnswer", answer),
            reader=ChatCompletions().open_stream(limits),
            guard=StreamGuard(StreamMode.HOLD),
            judge=judge,
            sender=Sender(send, trail),
            plan=StreamPlan(StreamMode.HOLD, limits, 60.0, 200, []),
            account=account,
            turnstile=Turnstile(),
            trail=trail,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(relay.run())
            await judge.asked.wait()
            for _ in range(50):
                await asyncio.sleep(0)
            seen = answer.read
            judge.go_on.set()
            await running

    assert seen == read
    assert b"".join(message.get("body", b"") for message in sent) == FIRST + SECOND + DONE


async def test_a_live_stream_takes_no_rest_between_judgements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is said meanwhile would be heard; a stream that is held may rest for good here.
    for name, seconds in (("_REST", 1e9), ("_LONGEST_REST", 1e9), ("_SHORTEST_REST", 0.0)):
        monkeypatch.setattr(f"guardproxy.proxy.relay.{name}", seconds)
    sent, judged = list[Message](), asyncio.Event()

    async def judge(question: Question) -> Judged:
        judged.set()
        blocked = any("two" in part.text for part in question.complete)
        unread = MediaPart(Role.ASSISTANT, MediaKind.FILE, "$", 1)
        return Judged(Verdict(blocked_media=(unread,) if blocked else ()))

    class Answer:
        async def chunks(self) -> AsyncIterator[bytes]:
            yield FIRST
            await judged.wait()
            yield SECOND
            await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    trail, limits = Trail("0", 0.0), Limits()
    with ByteBudget(2**20).account() as account:
        relay = StreamRelay(
            answer=cast("UpstreamAnswer", Answer()),
            reader=ChatCompletions().open_stream(limits),
            guard=StreamGuard(StreamMode.LIVE),
            judge=judge,
            sender=Sender(send, trail),
            plan=StreamPlan(StreamMode.LIVE, limits, 60.0, 200, []),
            account=account,
            turnstile=Turnstile(),
            trail=trail,
        )
        async with asyncio.timeout(PATIENCE):
            assert await relay.run() is None

    body = b"".join(message.get("body", b"") for message in sent)
    assert body.startswith(FIRST + SECOND)
    assert b"content_filter" in body
