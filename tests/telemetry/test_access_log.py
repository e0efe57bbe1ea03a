from __future__ import annotations

import logging

import pytest

from guardproxy.events import Observer, Outcome
from guardproxy.telemetry.access_log import AccessLog, level_of
from guardproxy.telemetry.records import fields_of
from tests.telemetry.samples import exchange, judgement, result


def test_an_exchange_is_one_line_of_names_and_numbers(caplog: pytest.LogCaptureFixture) -> None:
    observer: Observer = AccessLog()
    with caplog.at_level(logging.INFO, "guardproxy.access"):
        observer.judged(judgement(result(pii=0.9)))
        observer.finished(exchange(status=403, outcome=Outcome.BLOCKED))

    (record,) = caplog.records
    fields = fields_of(record)
    assert fields.pop("time")
    assert fields == {
        "level": "info",
        "logger": "guardproxy.access",
        "message": "request",
        "request_id": "req-1",
        "method": "POST",
        "route": "/v1/chat/completions",
        "status": 403,
        "outcome": "blocked",
        "seconds": 0.123457,
        "streamed": False,
        "policy": "default@1a2b",
        "direction": "input",
        "categories": ["jailbreaking"],
        "code": "",
        "unjudged": None,
        "unscanned_bytes": 0,
        "request_bytes": 0,
        "response_bytes": 0,
    }


def test_no_line_is_made_that_nobody_wants(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "guardproxy.access"):
        AccessLog().finished(exchange())

    assert not caplog.records


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (Outcome.PASSED, logging.INFO),
        (Outcome.BLOCKED, logging.INFO),
        (Outcome.REFUSED, logging.INFO),
        (Outcome.CLIENT_GONE, logging.INFO),
        (Outcome.UPSTREAM_FAILED, logging.WARNING),
        (Outcome.OVERLOADED, logging.WARNING),
        (Outcome.FAILED, logging.ERROR),
    ],
)
def test_the_level_says_whose_fault_it_is(outcome: Outcome, level: int) -> None:
    assert level_of(exchange(outcome=outcome)) == level


def test_text_that_went_on_unjudged_is_a_warning() -> None:
    assert level_of(exchange(unjudged="deadline")) == logging.WARNING


def test_probes_that_went_well_are_left_to_those_who_look_for_them() -> None:
    probe = exchange()._replace(route="/readyz")

    assert level_of(probe) == logging.DEBUG
    assert level_of(probe._replace(outcome=Outcome.FAILED)) == logging.ERROR
    assert level_of(probe._replace(outcome=Outcome.REFUSED)) == logging.INFO
