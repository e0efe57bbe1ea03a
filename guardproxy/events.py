"""What happened, for those who count, log and trace. Values only; no user text in any of them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

from guardproxy.verdict import Direction, Verdict


class Judgement(NamedTuple):
    """One question to the guard and its answer.

    `texts` and `characters` count what was judged; `seconds` is the wall time of the question.
    `exempt_characters` were left unjudged because the policy exempts their role.
    """

    direction: Direction
    verdict: Verdict
    seconds: float
    texts: int
    characters: int
    exempt_characters: int = 0


class Outcome(StrEnum):
    """How an exchange ended."""

    PASSED = "passed"
    BLOCKED = "blocked"
    REFUSED = "refused"
    """By us, before or without a judgement: unknown route, malformed body, a limit."""
    UPSTREAM_FAILED = "upstream_failed"
    OVERLOADED = "overloaded"
    CLIENT_GONE = "client_gone"
    FAILED = "failed"
    """A bug of ours."""


class Exchange(NamedTuple):
    """One request and its answer, when both are over.

    `route` is the template (`/v1/chat/completions`) or `unknown`, never the caller's own path.
    `status` is what the caller got (0: nothing). `unjudged` is why text went on unjudged under
    `block_on_error: false` (`error`, `deadline`, `overload`, `missing`), if any did.
    `unscanned_bytes` went on unread because the policy allows or flags such media.
    """

    request_id: str
    method: str
    route: str
    status: int
    outcome: Outcome
    seconds: float
    streamed: bool = False
    policy: str = ""
    direction: Direction | None = None
    categories: tuple[str, ...] = ()
    code: str = ""
    unjudged: str | None = None
    unscanned_bytes: int = 0
    request_bytes: int = 0
    response_bytes: int = 0


class Observer(Protocol):
    """Whoever wants to know. Must not block and must not raise."""

    def judged(self, judgement: Judgement) -> None: ...

    def finished(self, exchange: Exchange) -> None: ...
