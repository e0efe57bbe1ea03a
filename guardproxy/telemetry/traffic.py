"""What went through: requests and verdicts, counted. An `events.Observer`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.registry import Collector

from guardproxy.events import Exchange, Judgement
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from guardproxy.telemetry.tallies import CounterTally, HistogramTally
from guardproxy.verdict import Direction, Verdict

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STATUSES = frozenset(int(status) for status in HTTPStatus)
CATEGORIES = tuple(dict.fromkeys(V2_CATEGORIES + V1_CATEGORIES))
OUTCOMES = ("passed", "flagged", "blocked", "blocked_by_error", "unjudged")
REASONS = ("error", "deadline", "overload", "missing")

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
JUDGEMENT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SCORES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class TrafficMetrics(Collector):
    """Counts exchanges and judgements; every label has few values, whatever callers send."""

    def __init__(self, registry: CollectorRegistry) -> None:
        registry.register(self)
        self._of_requests(registry)
        self._of_judgements(registry)
        self._of_gaps(registry)
        self._start_at_zero()
        self._tally()

    def _of_requests(self, registry: CollectorRegistry) -> None:
        self._all_requests = Counter(
            "guardproxy_requests",
            "Requests that have ended; status 0: the caller left before an answer.",
            ("route", "method", "status", "outcome"),
            registry=registry,
        )
        self._all_request_seconds = Histogram(
            "guardproxy_request_seconds",
            "Wall time of a request until its answer was sent, the upstream's time included.",
            ("route", "streamed"),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )

    def _of_judgements(self, registry: CollectorRegistry) -> None:
        self._all_verdicts = Counter(
            "guardproxy_verdicts",
            "Judgements; a stream is judged piece by piece. flagged: something was found, and the"
            " policy lets it pass. unjudged: passed because the policy says so on failure.",
            ("direction", "outcome"),
            registry=registry,
        )
        self._violations = Counter(
            "guardproxy_violations",
            "Judgements in which the category's score was above its threshold, blocked or not.",
            ("direction", "category"),
            registry=registry,
        )
        self._all_judgement_seconds = Histogram(
            "guardproxy_judgement_seconds",
            "Wall time of a judgement: cache, queue and classifier.",
            ("direction",),
            buckets=JUDGEMENT_SECONDS,
            registry=registry,
        )
        self._all_scores = Histogram(
            "guardproxy_score",
            "Highest score of the category in a judgement.",
            ("direction", "category"),
            buckets=SCORES,
            registry=registry,
        )

    def _of_gaps(self, registry: CollectorRegistry) -> None:
        self._fail_open = Counter(
            "guardproxy_fail_open",
            "Judgements that failed and let the text pass (`block_on_error: false`).",
            ("direction", "reason"),
            registry=registry,
        )
        self._overload = Counter(
            "guardproxy_classifier_overload",
            "Judgements refused because the classifier's queue was full.",
            registry=registry,
        )
        self._unscanned = Counter(
            "guardproxy_forwarded_unscanned_bytes",
            "Bytes of images, audio and files that went on unread, as the policy says.",
            registry=registry,
        )
        self._exempt = Counter(
            "guardproxy_exempt_characters",
            "Characters not judged because the policy exempts their role.",
            registry=registry,
        )

    def _start_at_zero(self) -> None:
        # An alert on the increase of a counter misses the first one if the series begins with it.
        for direction in Direction:
            for outcome in OUTCOMES:
                self._all_verdicts.labels(direction, outcome)
            for reason in REASONS:
                self._fail_open.labels(direction, reason)
            for category in CATEGORIES:
                self._violations.labels(direction, category)
                self._all_scores.labels(direction, category)

    def _tally(self) -> None:
        self._requests = CounterTally(self._all_requests)
        self._verdicts = CounterTally(self._all_verdicts)
        self._request_seconds = HistogramTally(self._all_request_seconds, REQUEST_SECONDS)
        self._judgement_seconds = HistogramTally(self._all_judgement_seconds, JUDGEMENT_SECONDS)
        self._scores = HistogramTally(self._all_scores, SCORES)

    def judged(self, judgement: Judgement) -> None:
        direction, verdict = judgement.direction, judgement.verdict
        outcome = outcome_of(verdict)
        self._verdicts.add((direction, outcome))
        self._judgement_seconds.observe((direction,), judgement.seconds)
        if judgement.exempt_characters:
            self._exempt.inc(judgement.exempt_characters)
        for category, score in highest_scores(verdict).items():
            self._scores.observe((direction, category), score)
        if outcome != "passed":
            self._found(direction, verdict)

    def _found(self, direction: Direction, verdict: Verdict) -> None:
        """What is rare, counted at once."""
        for category in verdict.violated_categories:
            self._violations.labels(direction, category).inc()
        if verdict.error == "overload":
            self._overload.inc()
        if verdict.error is not None and not verdict.blocked:
            self._fail_open.labels(direction, verdict.error).inc()

    def finished(self, exchange: Exchange) -> None:
        method, status = method_of(exchange), status_of(exchange)
        self._requests.add((exchange.route, method, status, exchange.outcome))
        streamed = "true" if exchange.streamed else "false"
        self._request_seconds.observe((exchange.route, streamed), exchange.seconds)
        if exchange.unscanned_bytes:
            self._unscanned.inc(exchange.unscanned_bytes)

    def flush(self) -> None:
        """Hands over what was added up since the last time."""
        self._requests.flush()
        self._verdicts.flush()
        self._request_seconds.flush()
        self._judgement_seconds.flush()
        self._scores.flush()

    def collect(self) -> Iterable[Metric]:
        """Nothing of its own: a registry asks this first, and the others have all of it then."""
        self.flush()
        return ()


def outcome_of(verdict: Verdict) -> str:
    """One of `OUTCOMES`. Not judged is never counted as passed."""
    if verdict.clean:
        return "passed"
    if verdict.blocked:
        return "blocked_by_error" if verdict.blocked_by_error else "blocked"
    if verdict.error is not None:
        return "unjudged"
    return "flagged"


def highest_scores(verdict: Verdict) -> dict[str, float]:
    """Category -> its highest score over all entries; what is not a number is left out."""
    highest: dict[str, float] = {}
    for result in verdict.all_results:
        for category, (_, score, _) in result.decisions.items():
            if math.isfinite(score) and score >= highest.get(category, 0.0):
                highest[category] = score
    return highest


def method_of(exchange: Exchange) -> str:
    """A method of HTTP's; a caller may send any word as one."""
    return exchange.method if exchange.method in METHODS else "other"


def status_of(exchange: Exchange) -> str:
    """A status of HTTP's, or its class: an upstream may send any number as one."""
    status = exchange.status
    return str(status) if status in STATUSES or status == 0 else f"{status // 100}xx"
