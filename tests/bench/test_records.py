from __future__ import annotations

import json

from guardproxy.bench.command import as_json
from guardproxy.bench.gateways import DIRECT
from guardproxy.bench.records import run_from_json
from tests.bench.runs import RATES, load, run


def test_raw_figures_say_all_there_is_to_a_run() -> None:
    assert run_from_json(json.loads(as_json(run()))) == run()


def test_only_good_answers_are_a_rate() -> None:
    record = load(DIRECT, 1)

    assert record.rate == RATES[DIRECT]
    assert record.failed == 0
