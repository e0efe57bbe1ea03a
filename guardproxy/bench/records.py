"""What a run has found, as it is kept in raw JSON: everything in tables follows from it.

Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Subject:
    """What was measured; `version` is the program's own."""

    key: str
    title: str
    version: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What was not measured, and why."""

    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """Whole answers under load by wrk; `cpu` is what the target used, `upstream_cpu` the other."""

    target: str
    connections: int
    words: int
    round: int
    requests: int
    seconds: float
    errors: int
    broken: int
    p50: float
    p99: float
    cpu: float
    upstream_cpu: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.requests - self.errors) / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return self.errors + self.broken


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server's start, its rest and its size; `idle` is CPU seconds a second."""

    target: str
    ready: float
    idle: float
    rss_ready: int
    rss_loaded: int


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """Streams that ran at once. `first`, `total`: median seconds; `longest`: the worst stream's.

    `delay`, `delay_p99`: how much later a word arrived than the upstream had sent it. What nothing
    came of is None.
    """

    target: str
    at_once: int
    words: int
    pause_ms: int
    round: int
    first: float | None
    total: float | None
    longest: float | None
    delay: float | None
    delay_p99: float | None
    broken: int
    cpu: float


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """The n-th turn of a conversation; `cpu` is what the target used for it."""

    target: str
    conversation: int
    turn: int
    cpu: float


@dataclass(frozen=True, slots=True)
class SteadyRecord:
    """The size of a target after so many streams."""

    target: str
    streams: int
    broken: int
    rss: int


@dataclass(frozen=True, slots=True)
class WorkersRecord:
    """Load that waits for the classifier, on so many processes of one classifier thread each."""

    workers: int
    round: int
    rate: float
    failed: int


@dataclass(frozen=True, slots=True)
class FloorRecord:
    """What judging takes without a proxy, in this round.

    Attributes:
        prompt: seconds of onnxruntime for a prompt.
        answer: the same for an answer.
        rate_one: pairs of both a second, one thread.
        rate_two: the same, two threads at once.
        judgement: seconds of one judgement of a prompt as guardproxy makes it.
        sizes: bytes of memory after each of these was loaded.
    """

    prompt: float
    answer: float
    rate_one: float
    rate_two: float
    judgement: float
    sizes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything of one run."""

    machine: dict[str, str]
    versions: dict[str, str]
    subjects: list[Subject]
    missing: list[Missing] = field(default_factory=list)
    loads: list[LoadRecord] = field(default_factory=list)
    servers: list[ServerRecord] = field(default_factory=list)
    streams: list[StreamRecord] = field(default_factory=list)
    turns: list[TurnRecord] = field(default_factory=list)
    steady: list[SteadyRecord] = field(default_factory=list)
    workers: list[WorkersRecord] = field(default_factory=list)
    floors: list[FloorRecord] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)


def run_from_json(found: dict[str, Any]) -> Run:
    """The inverse of `Run.to_json`.

    Raises:
        KeyError, TypeError: it is not what this version writes.
    """
    return Run(
        machine=found["machine"],
        versions=found["versions"],
        subjects=[Subject(**each) for each in found["subjects"]],
        missing=[Missing(**each) for each in found["missing"]],
        loads=[LoadRecord(**each) for each in found["loads"]],
        servers=[ServerRecord(**each) for each in found["servers"]],
        streams=[StreamRecord(**each) for each in found["streams"]],
        turns=[TurnRecord(**each) for each in found["turns"]],
        steady=[SteadyRecord(**each) for each in found["steady"]],
        workers=[WorkersRecord(**each) for each in found["workers"]],
        floors=[FloorRecord(**each) for each in found["floors"]],
    )
