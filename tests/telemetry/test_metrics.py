from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from guardproxy.classifiers.observer import Observer as ClassifierObserver
from guardproxy.events import Observer
from guardproxy.telemetry.metrics import (
    MULTIPROCESS_VARIABLE,
    Metrics,
    prepare_multiprocess,
)
from tests.telemetry.samples import CANARY, exchange, judgement, result


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.create(version="0.1.0")


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    return metrics.registry.get_sample_value(f"guardproxy_{name}", dict(labels or {}))


def test_it_observes_exchanges_judgements_and_the_classifier(metrics: Metrics) -> None:
    observer: Observer = metrics.traffic
    classifier: ClassifierObserver = metrics.classifier

    observer.finished(exchange())
    classifier.ran(0.004, 48)

    assert value(metrics, "classifier_run_seconds_sum") == pytest.approx(0.004)
    assert value(metrics, "classifier_tokens_sum") == 48


def test_the_classifier_s_queue_and_cache_are_shown(metrics: Metrics) -> None:
    metrics.classifier.queued(7)
    metrics.classifier.queued(3)
    metrics.classifier.abandoned(1)
    metrics.classifier.cache(hit=True)
    metrics.classifier.cache(hit=True)
    metrics.classifier.cache(hit=False)

    assert value(metrics, "classifier_queue_depth") == 3
    assert value(metrics, "classifier_abandoned_threads") == 1
    assert value(metrics, "cache_requests_total", {"result": "hit"}) == 2
    assert value(metrics, "cache_requests_total", {"result": "miss"}) == 1


def test_requests_in_progress_are_shown(metrics: Metrics) -> None:
    metrics.process.in_progress(2)
    metrics.process.in_progress(1)

    assert value(metrics, "requests_in_progress") == 1


def test_one_policy_is_in_force_at_a_time(metrics: Metrics) -> None:
    metrics.process.policy_started("default", "aaaa")
    metrics.process.policy_reloaded("default", "bbbb")
    metrics.process.policy_refused()

    assert value(metrics, "policy_info", {"name": "default", "version": "aaaa"}) == 0
    assert value(metrics, "policy_info", {"name": "default", "version": "bbbb"}) == 1
    assert value(metrics, "policy_reloads_total", {"result": "loaded"}) == 1
    assert value(metrics, "policy_reloads_total", {"result": "refused"}) == 1


def test_model_build_and_lost_lines_are_shown(metrics: Metrics) -> None:
    metrics.process.model_loaded("guardproxy-v0", "eb310a")
    metrics.process.log_line_dropped()

    assert value(metrics, "model_info", {"name": "guardproxy-v0", "sha256": "eb310a"}) == 1
    assert value(metrics, "build_info", {"version": "0.1.0"}) == 1
    assert value(metrics, "log_lines_dropped_total") == 1


def test_prometheus_own_parser_reads_the_page(metrics: Metrics) -> None:
    metrics.traffic.judged(judgement(result(pii=0.9)))
    metrics.traffic.finished(exchange(unjudged="deadline"))
    body, content_type = metrics.render("text/plain;version=0.0.4")

    read = samples(body.decode())

    assert content_type.startswith("text/plain")
    assert not [name for name, _ in read if name.endswith("_created")]
    blocked = frozenset({("direction", "input"), ("outcome", "blocked")})
    assert read["guardproxy_verdicts_total", blocked] == 1
    assert ("process_resident_memory_bytes", frozenset()) in read or sys.platform != "linux"


def test_openmetrics_is_spoken_when_asked_for(metrics: Metrics) -> None:
    body, content_type = metrics.render("application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    families = openmetrics_families(body.decode())
    assert "guardproxy_verdicts" in {family.name for family in families}


def test_two_sets_of_metrics_share_nothing() -> None:
    one, other = Metrics.create(version="1"), Metrics.create(version="2")
    one.process.log_line_dropped()

    assert value(other, "log_lines_dropped_total") == 0


def test_no_user_text_reaches_a_metric(metrics: Metrics) -> None:
    # A method is the one word of a caller's that an exchange carries.
    metrics.traffic.finished(exchange(method=CANARY))
    metrics.traffic.judged(judgement(result(pii=0.9)))

    assert CANARY.encode() not in metrics.render()[0]


WORKER = """
import sys
from guardproxy.telemetry.metrics import Metrics
from tests.telemetry.samples import exchange, judgement, result
metrics = Metrics.create(version="0.1.0")
metrics.process.policy_started("default", "aaaa")
metrics.classifier.queued(5)
metrics.traffic.finished(exchange())
metrics.traffic.judged(judgement(result(pii=0.9)))
sys.stdout.buffer.write(metrics.render()[0])
"""


def test_several_processes_are_added_up_and_the_dead_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Set first, so that what stood there before (nothing) is put back in the end.
    monkeypatch.setenv(MULTIPROCESS_VARIABLE, "to be replaced")
    (tmp_path / "counter_1.db").write_bytes(b"stale")
    prepare_multiprocess(tmp_path)
    environment = dict(os.environ)
    monkeypatch.delenv(MULTIPROCESS_VARIABLE)

    def page_of_a_worker() -> str:
        command = [sys.executable, "-c", WORKER]
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return ended.stdout.decode()

    page_of_a_worker()
    read = samples(page_of_a_worker())

    blocked = frozenset({("direction", "input"), ("outcome", "blocked")})
    policy = frozenset({("name", "default"), ("version", "aaaa")})
    assert read["guardproxy_verdicts_total", blocked] == 2
    assert read["guardproxy_policy_info", policy] == 1
    assert read["guardproxy_classifier_queue_depth", frozenset()] == 5


def test_the_shared_page_is_rendered_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: Metrics
) -> None:
    monkeypatch.setenv(MULTIPROCESS_VARIABLE, str(tmp_path))
    for pid in (os.getpid(), 1):
        (tmp_path / f"gauge_livesum_{pid}.db").write_bytes(struct.pack("ii", 8, 0))
    gone = tmp_path / "gauge_livesum_4194399.db"  # above the highest number Linux gives
    gone.touch()

    assert metrics.render()[0] == b""
    assert not gone.exists()
    assert (
        Metrics.create(version="1").registry.get_sample_value("process_start_time_seconds") is None
    )
