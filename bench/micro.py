"""What each room of a judgement costs, in microseconds of CPU: `python -m bench.micro`.

    python -m bench.micro [--rounds 7] [--only WORD] [--json FILE]

Rounds are interleaved, so that whatever else the machine does hits all rows alike; a row is the
median of its rounds. CPU time of the process, so threads count and waiting does not. The model's
rows stand beside what onnxruntime alone needs for the same windows of tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from guardproxy import strict_json
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER, open_classifier
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel, Window
from guardproxy.classifiers.recognizers import pii_score
from guardproxy.content import MediaPart, Passage, Role, TextPart
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.unlabelled import read_unlabelled
from guardproxy.events import Exchange, Judgement
from guardproxy.guard import Guard, Guardrails
from guardproxy.normalize import readings, views
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.decide import decide
from guardproxy.policy.load import resolve_policy
from guardproxy.policy.scope import select, split_media
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.proxy.budget import ByteBudget
from guardproxy.proxy.relay import StreamPlan, StreamRelay
from guardproxy.proxy.stream_judge import StreamJudge
from guardproxy.proxy.trail import Trail
from guardproxy.proxy.turnstile import Turnstile
from guardproxy.stream_guard import StreamGuard
from guardproxy.verdict import Direction, StreamMode, Verdict

_ROUND_SECONDS = 0.03
"""CPU time of one row in one round, about; a slow call is made once."""
_TOKENS = (10, 40, 150, 1000, 8000)
_TURNS = 20
_DELTAS = 100
_WORDS = [
    *("garden", "water", "river", "summer", "bread", "window", "music", "travel", "winter"),
    *("coffee", "letter", "mountain", "school", "market", "bridge", "orange", "morning"),
    *("picture", "kitchen", "journey", "weather", "table", "flower", "village", "paper"),
]
"""One token each."""


def nothing() -> tuple[()]:
    """What a call without arguments takes."""
    return ()


@dataclass
class Row:
    """One call, measured round by round; `fresh` gives its next arguments, off the clock."""

    room: str
    what: str
    call: Callable[..., Awaitable[object] | object]
    fresh: Callable[[], tuple[Any, ...]] = nothing
    micros: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.micros)

    async def once(self, calls: int) -> float:
        """Seconds of CPU of so many calls."""
        spent = 0.0
        while calls > 0:
            arguments = self.fresh()
            batch = calls if self.fresh is nothing else 1
            started = time.process_time()
            for _ in range(batch):
                result = self.call(*arguments)
                if isinstance(result, Awaitable):
                    await result
            spent += time.process_time() - started
            calls -= batch
        return spent


class Nobody:
    """An observer that counts nothing."""

    def judged(self, judgement: Judgement) -> None: ...

    def finished(self, exchange: Exchange) -> None: ...


class Rooms:
    """The parts of a judgement, wired as the application wires them, without HTTP."""

    def __init__(self, guard: Guard, policy: ActivePolicy) -> None:
        self.guard = guard
        self.policy = policy
        self.dialect = ChatCompletions()
        self.limits = policy.config.limits

    async def asked(self, body: bytes) -> Verdict:
        """The request's half: bytes to verdict."""
        asked = self.dialect.read_request(body, self.limits)
        selection = select(asked.texts, self.policy.config, Direction.INPUT)
        media = split_media(asked.media, self.policy.config)
        rails = Guardrails(self.policy.input)
        return await self.guard.check(selection.judged, rails, Direction.INPUT, media=media)

    async def answered(self, body: bytes) -> Verdict:
        """The answer's half."""
        answer = self.dialect.read_answer(body, self.limits)
        events = read_unlabelled(self.dialect, body, self.limits)
        media = split_media((*answer.media, *events.media), self.policy.config)
        rails = Guardrails(self.policy.output)
        texts = (*answer.texts, *events.texts)
        return await self.guard.check(texts, rails, Direction.OUTPUT, media=media)

    async def exchange(self, request: bytes, answer: bytes) -> None:
        """Both halves, passed."""
        for verdict in (await self.asked(request), await self.answered(answer)):
            if verdict.blocked:
                raise SystemExit("the bench's own text is blocked")

    async def stream(self, events: list[bytes], *, pause: float) -> None:
        """A stream through the relay, its events `pause` seconds apart, to nobody."""
        config = self.policy.config
        trail = Trail("bench", 0.0)

        async def check(
            texts: Sequence[TextPart], rails: Guardrails, media: Sequence[MediaPart]
        ) -> Verdict:
            del media
            return await self.guard.check(texts, rails, Direction.OUTPUT)

        with ByteBudget(1 << 30).account() as account:
            relay = StreamRelay(
                answer=cast("Any", Paced(events, pause)),
                reader=self.dialect.open_stream(self.limits),
                guard=StreamGuard(StreamMode.HOLD, partial=self.policy.early != self.policy.output),
                judge=StreamJudge(self.policy, check, lambda _: None),
                sender=cast("Any", Sink()),
                plan=StreamPlan(StreamMode.HOLD, config.limits, 60, 200, []),
                account=account,
                turnstile=Turnstile(),
                trail=trail,
            )
            if await relay.run() is not None:
                raise SystemExit("the bench's own text is blocked")


class Paced:
    """An upstream's answer, as far as a relay asks."""

    def __init__(self, events: list[bytes], pause: float) -> None:
        self._events = events
        self._pause = pause

    async def chunks(self) -> AsyncIterator[bytes]:
        for event in self._events:
            await asyncio.sleep(self._pause)
            yield event


class Sink:
    """A caller, as far as a relay asks."""

    def __init__(self) -> None:
        self.begun = False

    async def begin(self, status: int, headers: object) -> None:
        del status, headers
        self.begun = True

    async def write(self, data: bytes, *, more: bool) -> None:
        del data, more


def new_text(source: random.Random, tokens: int) -> str:
    """Words nobody has judged yet."""
    return " ".join(source.choices(_WORDS, k=tokens))


def request(*texts: str) -> bytes:
    """A conversation: user and assistant in turn."""
    roles = itertools.cycle(("user", "assistant"))
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return json.dumps({"model": "gpt-5-mini", "messages": messages}).encode()


def answer(text: str) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-mini"}
    return json.dumps(head | {"choices": [choice], "usage": usage}).encode()


def delta(text: str) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps(head | {"choices": [choice]}).encode() + b"\n\n"


def deltas(source: random.Random, count: int) -> list[bytes]:
    return [delta(f" {word}") for word in source.choices(_WORDS, k=count)]


@asynccontextmanager
async def rooms() -> AsyncIterator[tuple[Rooms, OnnxModel]]:
    """Everything opened, and a model of its own for what stands beside."""
    folder = verify_model_folder(EMBEDDED_FOLDER)
    async with open_classifier(
        folder, readings=readings, pii_score=pii_score, timeout=60, queue=256, cache_entries=10_000
    ) as classifier:
        manifest = folder.manifest
        policy = activate(resolve_policy(None), manifest.thresholds, manifest.partial_thresholds)
        guard = Guard(classifier, deadline=60, observer=Nobody())
        yield Rooms(guard, policy), OnnxModel(folder)


def small_rows(parts: Rooms, source: random.Random) -> Iterator[Row]:
    """A small exchange, room by room."""
    body, reply = request(new_text(source, 38)), answer(new_text(source, 38))
    dialect, limits, config = parts.dialect, parts.limits, parts.policy.config
    texts = dialect.read_request(body, limits).texts
    rails = Guardrails(parts.policy.input)
    for what, data in (("request", body), ("answer", reply), ("delta", delta(" word")[6:])):
        yield Row("parse", what, partial(strict_json.read, data, depth=64, members=20_000))
    yield Row("parse, extract", "request", partial(dialect.read_request, body, limits))
    yield Row("parse, extract", "answer", partial(dialect.read_answer, reply, limits))
    yield Row("extract", "answer as events", partial(read_unlabelled, dialect, reply, limits))
    yield Row("scope", "request", partial(select, texts, config, Direction.INPUT))
    for count in (1, 40):
        judged = [(f"messages[{at}]", dict.fromkeys(V2_CATEGORIES, 0.01)) for at in range(count)]
        yield Row("decide", f"{count} texts", partial(decide, parts.policy.input, judged))
    check = partial(parts.guard.check, texts, rails, Direction.INPUT)
    yield Row("guard.check", "remembered", check)
    yield Row("judging half", "remembered", partial(parts.exchange, body, reply))

    def fresh() -> tuple[bytes, bytes]:
        return request(new_text(source, 38)), answer(new_text(source, 38))

    yield Row("judging half", "new, 38 tokens each way", parts.exchange, fresh)


def text_rows(parts: Rooms, model: OnnxModel, source: random.Random) -> Iterator[Row]:
    """New texts by length: what is done to each, and what onnxruntime alone needs."""
    rails = Guardrails(parts.policy.input)
    for tokens in _TOKENS:
        text, what = new_text(source, tokens), f"{tokens} tokens"
        yield Row("normalise", what, partial(views, text))
        yield Row("recognise", what, partial(pii_score, text))
        yield Row("tokenise", what, partial(model.windows, Passage(text)))
        yield Row("onnxruntime alone", what, partial(run_all, model, model.windows(Passage(text))))

        def fresh(tokens: int = tokens) -> tuple[Any, ...]:
            part = TextPart(Role.USER, new_text(source, tokens), "messages[0].content")
            return (part,), rails, Direction.INPUT

        yield Row("guard.check", f"new, {what}", parts.guard.check, fresh)


def run_all(model: OnnxModel, windows: Sequence[Window]) -> None:
    """What nothing can save but fewer tokens."""
    for window in windows:
        model.run(window)()


def growing_rows(parts: Rooms, source: random.Random) -> Iterator[Row]:
    """Streams by length, and the turns of a conversation."""
    known = deltas(source, _DELTAS)
    yield Row(
        "stream", f"{_DELTAS} deltas at once, remembered", partial(parts.stream, known, pause=0)
    )
    for count in (_DELTAS, 2 * _DELTAS):

        def streamed(count: int = count) -> tuple[list[bytes]]:
            return (deltas(source, count),)

        what = f"{count} new deltas, 20 ms apart"
        yield Row("stream", what, partial(parts.stream, pause=0.02), streamed)
    for turn in (1, 5, 10, _TURNS):
        what = f"turn {turn}, 38 new tokens each way"
        texts = [new_text(source, 38) for _ in range(2 * (turn - 1))]

        def remembered(texts: list[str] = texts) -> tuple[bytes, bytes]:
            return request(*texts, "Go on."), answer("All right.")

        def fresh(texts: list[str] = texts) -> tuple[bytes, bytes]:
            return request(*texts, new_text(source, 38)), answer(new_text(source, 38))

        yield Row("conversation", f"turn {turn}, remembered", parts.exchange, remembered)
        yield Row("conversation", what, parts.exchange, fresh)


async def measure(rows: Sequence[Row], rounds: int) -> None:
    """All rows, round by round."""
    calls = []
    for row in rows:
        await row.once(1)  # what is remembered is remembered from here on
        calls.append(max(1, int(_ROUND_SECONDS / await row.once(1))))
    for done in range(rounds):
        for row, count in zip(rows, calls, strict=True):
            row.micros.append(await row.once(count) / count * 1e6)
        print(f"round {done + 1} of {rounds}", file=sys.stderr)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| room | what | CPU, µs |", "| --- | --- | ---: |"]
    lines += [f"| {row.room} | {row.what} | {row.median:,.1f} |" for row in rows]
    return "\n".join(lines)


async def run(rounds: int, only: str) -> list[Row]:
    """Opens everything and measures the rows whose name holds a word."""
    source = random.Random(7)
    async with rooms() as (parts, model):
        groups = (
            small_rows(parts, source),
            text_rows(parts, model, source),
            growing_rows(parts, source),
        )
        rows = [row for row in itertools.chain(*groups) if only in f"{row.room}, {row.what}"]
        await measure(rows, rounds)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU of each room of a judgement")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--json", type=Path, help="also write the medians there")
    given = parser.parse_args()
    rows = asyncio.run(run(given.rounds, given.only))
    print(table(rows))
    if given.json is not None:
        found = [{"room": row.room, "what": row.what, "micros": row.median} for row in rows]
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
