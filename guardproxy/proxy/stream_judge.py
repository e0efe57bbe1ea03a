"""What the policy makes of a stream's questions, and what it remembers of beginnings that wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from guardproxy.content import MediaPart, TextPart
from guardproxy.guard import Guardrails
from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.decide import at_thresholds, would_block
from guardproxy.stream_guard import Question
from guardproxy.verdict import Verdict

Check = Callable[[Sequence[TextPart], Guardrails, Sequence[MediaPart]], Awaitable[Verdict]]
"""Asks the guard about texts and media of an answer."""


class Judged(NamedTuple):
    """What the policy makes of a question; `waits` if it does not block, but may yet."""

    verdict: Verdict
    waits: bool = False


@dataclass(slots=True)
class StreamJudge:
    """Judges one stream: finished text by the policy, a beginning by its own thresholds.

    Attributes:
        policy: in force when the request came.
        check: see `Check`.
        saw: told of a verdict that no check gave: at the policy's thresholds, of a beginning.
    """

    policy: ActivePolicy
    check: Check
    saw: Callable[[Verdict], None]
    _waiting: dict[str, Verdict] = field(default_factory=dict)
    """Channel -> what the policy says of its beginning, which waits."""

    async def __call__(self, question: Question) -> Judged:
        waits = False
        if question.partial:
            verdict, waits = await self._beginnings(question)
            if verdict.blocked or not (question.complete or question.media):
                return Judged(verdict, waits)
        verdict = await self._whole(question)
        return Judged(verdict, waits and not verdict.blocked)

    async def _beginnings(self, question: Question) -> Judged:
        # Scored even where no beginning is ever blocked: whether it waits is to be known.
        rails = Guardrails(self.policy.early, scored=self.policy.output)
        verdict = await self.check(question.partial, rails, ())
        channels = [part.path for part in question.partial]
        if verdict.error is not None:
            # What was found bad is not let go because nobody could look again.
            return Judged(verdict, not self._waiting.keys().isdisjoint(channels))
        if not would_block(verdict.results, self.policy.output):
            for channel in channels:
                self._waiting.pop(channel, None)
            return Judged(verdict)
        # Told as the policy sees it, whatever a beginning needed to be blocked.
        found = Verdict(at_thresholds(verdict.results, self.policy.output))
        if verdict.blocked:
            self.saw(found)
            return Judged(found)
        self._waiting |= dict.fromkeys(channels, found)
        return Judged(verdict, waits=True)

    async def _whole(self, question: Question) -> Verdict:
        verdict = await self.check(
            question.complete, Guardrails(self.policy.output), question.media
        )
        waited = [self._waiting.pop(part.path, None) for part in question.complete]
        found = next((each for each in waited if each is not None), None)
        if verdict.error is None or verdict.blocked or found is None:
            return verdict
        self.saw(found)
        return found
