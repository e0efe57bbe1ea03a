from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from guardproxy.events import Outcome
from guardproxy.telemetry.metrics import Metrics
from guardproxy.telemetry.traffic import (
    CATEGORIES,
    OUTCOMES,
    REASONS,
    TrafficMetrics,
    highest_scores,
    outcome_of,
)
from guardproxy.verdict import Action, Direction, Verdict
from tests.telemetry.samples import IMAGE, exchange, judgement, result


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def traffic(registry: CollectorRegistry) -> TrafficMetrics:
    return TrafficMetrics(registry)


def test_an_exchange_is_counted_by_route_method_status_and_outcome(
    registry: CollectorRegistry, traffic: TrafficMetrics
) -> None:
    traffic.finished(exchange(status=403, outcome=Outcome.BLOCKED))

    labels = {
        "route": "/v1/chat/completions",
        "method": "POST",
        "status": "403",
        "outcome": "blocked",
    }
    assert registry.get_sample_value("guardproxy_requests_total", labels) == 1
    timed = {"route": "/v1/chat/completions", "streamed": "false"}
    assert registry.get_sample_value("guardproxy_request_seconds_count", timed) == 1


@pytest.mark.parametrize(
    ("status", "label"), [(200, "200"), (0, "0"), (299, "2xx"), (599, "5xx"), (999, "9xx")]
)
def test_a_strange_status_makes_no_label_of_its_own(
    registry: CollectorRegistry, traffic: TrafficMetrics, status: int, label: str
) -> None:
    traffic.finished(exchange(status=status, method="X-" + "A" * 50))

    (sample,) = [
        sample
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "guardproxy_requests_total"
    ]
    assert (sample.labels["status"], sample.labels["method"]) == (label, "other")


def test_bytes_that_went_on_unread_are_added_up(
    registry: CollectorRegistry, traffic: TrafficMetrics
) -> None:
    assert registry.get_sample_value("guardproxy_forwarded_unscanned_bytes_total") == 0

    traffic.finished(exchange(unscanned_bytes=40))
    traffic.finished(exchange(unscanned_bytes=2))

    assert registry.get_sample_value("guardproxy_forwarded_unscanned_bytes_total") == 42


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict((result(pii=0.1),)), "passed"),
        (Verdict((result(pii=0.9),)), "blocked"),
        (Verdict((result(pii=0.9, action=Action.NONE),)), "flagged"),
        (Verdict(flagged_media=(IMAGE,)), "flagged"),
        (Verdict(blocked_media=(IMAGE,)), "blocked"),
        (Verdict((result(error="deadline"),)), "unjudged"),
        (Verdict((result(error="deadline", block_on_error=True),)), "blocked_by_error"),
        (Verdict((result(error="error"), result(pii=0.9))), "blocked"),
    ],
)
def test_a_verdict_has_one_outcome(verdict: Verdict, outcome: str) -> None:
    assert outcome in OUTCOMES
    assert outcome_of(verdict) == outcome


def test_a_judgement_counts_violations_scores_and_exempt_text(
    registry: CollectorRegistry, traffic: TrafficMetrics
) -> None:
    traffic.judged(judgement(result(pii=0.9, law=0.2), result(pii=0.7), exempt=5))

    pii, law = ({"direction": "input", "category": c} for c in ("pii", "law"))
    assert registry.get_sample_value("guardproxy_violations_total", pii) == 1
    assert registry.get_sample_value("guardproxy_violations_total", law) == 0
    assert registry.get_sample_value("guardproxy_score_sum", pii) == pytest.approx(0.9)
    assert registry.get_sample_value("guardproxy_score_count", law) == 1
    assert registry.get_sample_value("guardproxy_exempt_characters_total") == 5
    seconds = registry.get_sample_value("guardproxy_judgement_seconds_sum", {"direction": "input"})
    assert seconds == pytest.approx(0.02)


def test_what_is_not_a_number_does_not_spoil_a_sum() -> None:
    assert highest_scores(Verdict((result(pii=float("nan"), law=0.25),))) == {"law": 0.25}


@pytest.mark.parametrize("reason", REASONS)
def test_a_pass_without_a_judgement_is_counted_by_its_reason(
    registry: CollectorRegistry, traffic: TrafficMetrics, reason: str
) -> None:
    traffic.judged(judgement(result(error=reason), direction=Direction.OUTPUT))

    labels = {"direction": "output", "reason": reason}
    overloads = registry.get_sample_value("guardproxy_classifier_overload_total")
    assert registry.get_sample_value("guardproxy_fail_open_total", labels) == 1
    assert overloads == (1 if reason == "overload" else 0)


def test_a_failure_that_blocks_is_no_pass(
    registry: CollectorRegistry, traffic: TrafficMetrics
) -> None:
    traffic.judged(judgement(result(error="error", block_on_error=True)))

    labels = {"direction": "input", "reason": "error"}
    assert registry.get_sample_value("guardproxy_fail_open_total", labels) == 0


def test_counters_for_alerts_stand_at_zero_from_the_start() -> None:
    text = Metrics.create(version="0").render()[0].decode()
    zero = {
        (sample.name, *sorted(sample.labels.values()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value == 0
    }

    for direction in Direction:
        for name, values in (("violations", CATEGORIES), ("verdicts", OUTCOMES)):
            for value in values:
                assert (f"guardproxy_{name}_total", *sorted((direction, value))) in zero
