"""What is known of an exchange so far; becomes its `Exchange` when it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

from guardproxy.content import MediaPart
from guardproxy.dialects.base import Fault
from guardproxy.events import Exchange, Outcome
from guardproxy.verdict import Direction, Verdict

_KEY = "guardproxy.trail"


@dataclass(slots=True)
class Trail:
    """Written by whoever learns something; read once, at the end. Holds no text."""

    request_id: str
    started: float
    route: str = "unknown"
    status: int = 0
    outcome: Outcome = Outcome.PASSED
    streamed: bool = False
    policy: str = ""
    direction: Direction | None = None
    categories: set[str] = field(default_factory=set)
    code: str = ""
    unjudged: str | None = None
    unscanned_bytes: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    deprecated: bool = False
    render: Callable[[Fault], bytes] | None = None
    flagged: bool = False

    def saw(
        self, verdict: Verdict, direction: Direction, allowed: Sequence[MediaPart] = ()
    ) -> None:
        """Notes what a judgement means for the exchange; `allowed` media go on unread, too."""
        if verdict.clean and not allowed:
            return
        self.categories.update(verdict.violated_categories)
        if verdict.blocked:
            self.outcome = Outcome.BLOCKED
            self.direction = direction
            self.code = "guardrail_error" if verdict.blocked_by_error else "guardrail_blocked"
            return
        self.flagged |= bool(verdict.flagged_media)
        self.unscanned_bytes += sum(part.size for part in (*verdict.flagged_media, *allowed))
        if verdict.error is not None:
            self.unjudged = verdict.error

    def over(self, method: str, now: float) -> Exchange:
        """The exchange, as its observers see it."""
        return Exchange(
            request_id=self.request_id,
            method=method,
            route=self.route,
            status=self.status,
            outcome=self.outcome,
            seconds=now - self.started,
            streamed=self.streamed,
            policy=self.policy,
            direction=self.direction,
            categories=tuple(sorted(self.categories)),
            code=self.code,
            unjudged=self.unjudged,
            unscanned_bytes=self.unscanned_bytes,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
        )

    def put(self, scope: Scope) -> None:
        """Attaches the trail to its request."""
        scope[_KEY] = self


def trail_of(scope: Scope) -> Trail:
    """The trail of the request that `scope` describes."""
    trail = scope[_KEY]
    assert isinstance(trail, Trail)  # noqa: S101 - put there by the gate, for every request
    return trail
