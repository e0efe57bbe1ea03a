from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from guardproxy.bench.gateways import JUDGED, UNGUARDED
from guardproxy.bench.records import Run, Subject
from guardproxy.bench.report import report
from tests.bench.runs import TITLES, changed, run


def row(text: str, title: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {title}"))


def test_every_subject_and_every_gap_is_told() -> None:
    shown = report(run())

    assert all(title in shown for title in TITLES.values())
    assert "- Not measured: LLM-Shield-Proxy: not installed." in shown
    assert "a fine one" in shown
    assert "Python 3.11.7" in shown


def test_it_is_markdown_with_as_many_cells_in_each_row_as_in_the_head() -> None:
    tokens = MarkdownIt().enable("table").parse(report(run()))
    cells = [0]
    for token in tokens:
        if token.type == "tr_open":
            cells.append(0)
        elif token.type in {"th_open", "td_open"}:
            cells[-1] += 1

    assert sum(token.type == "table_open" for token in tokens) == 7
    assert all(cells[1:])


def test_targets_are_called_met_or_not() -> None:
    assert "| met |" in row(report(run()), "guards off: added p50")
    missed = report(changed(run(), UNGUARDED, p50=0.001))
    assert "| **not met** |" in row(missed, "guards off: added p50")


def test_a_latency_among_refusals_is_not_shown() -> None:
    refused = report(changed(run(), JUDGED, errors=100))

    assert row(refused, TITLES[JUDGED]).split(" | ")[1] == "-"
    assert row(refused, TITLES[JUDGED]).endswith("| 900 |")


def test_a_run_that_found_little_is_still_told() -> None:
    little = replace(
        Run(machine={}, versions={}, subjects=[Subject("direct", "direct", "")]),
        servers=run().servers[:1],
    )

    assert "| direct | - | - | - | - |" in report(little)


def test_memory_is_told_by_parts() -> None:
    assert "Memory: Python 25.0 MB, the model 175 MB, the rest of guardproxy 50.0 MB." in report(
        run()
    )
