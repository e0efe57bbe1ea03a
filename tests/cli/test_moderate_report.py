from __future__ import annotations

import json
from io import StringIO

from rich.console import Console, RenderableType

from guardproxy.cli.moderate_input import Entry
from guardproxy.cli.moderate_report import as_json, many_texts, one_text
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict

CLEAN = {"pii": CategoryDecision(0.5, 0.25), "law": CategoryDecision(0.5, 0.0)}
BAD = {"pii": CategoryDecision(0.5, 0.75), "law": CategoryDecision(0.5, 0.0)}


def verdict(decisions: dict[str, CategoryDecision], action: Action = Action.NONE) -> Verdict:
    return Verdict((GuardrailResult("moderation_llm_v2", "a-model", action, decisions),))


def shown(*what: RenderableType) -> str:
    console = Console(file=StringIO(), width=100)
    for item in what:
        console.print(item)
    output = console.file
    assert isinstance(output, StringIO)
    return output.getvalue()


def test_a_verdict_is_one_line_of_json() -> None:
    line = as_json(Entry("a.txt", "s3cret"), verdict(BAD, Action.BLOCK))

    assert json.loads(line) == {
        "source": "a.txt",
        "violated": True,
        "blocked": True,
        "results": {
            "moderation_llm_v2": {
                "model_name": "a-model",
                "decisions": {
                    "pii": {"threshold": 0.5, "score": 0.75, "violated": True},
                    "law": {"threshold": 0.5, "score": 0.0, "violated": False},
                },
                "violated": True,
                "action": "block",
            }
        },
    }
    assert "\n" not in line


def test_a_line_that_could_not_be_read_is_one_too() -> None:
    line = as_json(Entry("a.jsonl", line=3, error="no"), None)

    assert json.loads(line) == {"source": "a.jsonl", "line": 3, "error": "no"}


def test_one_text_shows_every_category() -> None:
    table = shown(*one_text(verdict(BAD)))

    assert "moderation_llm_v2, action none" in table
    rows = [row.split() for row in table.splitlines()]
    assert ["pii", "0.75", "0.5", "violated"] in rows
    assert ["law", "0", "0.5"] in rows
    assert "characters" not in table


def test_two_guardrails_are_two_tables() -> None:
    result = verdict(BAD).results[0]
    table = shown(*one_text(Verdict((result, result))))

    assert "moderation_llm_v2#2, action none" in table


def test_a_long_text_says_where_each_category_is_highest() -> None:
    decisions = {
        "pii": CategoryDecision(0.5, 0.75, "0-16384"),
        "law": CategoryDecision(0.5, 0.1, "15360-20000"),
    }
    table = shown(*one_text(verdict(decisions)))

    assert "characters" in table
    assert "15360-20000" in table


def test_many_texts_have_a_row_each() -> None:
    table = shown(
        many_texts(
            [
                (Entry("a.jsonl", line=1), verdict(CLEAN)),
                (Entry("a.jsonl", line=2), verdict(BAD)),
                (Entry("[red]a[/red]", line=3), verdict(BAD, Action.BLOCK)),
                (Entry("a.jsonl", line=4, error="not [JSON]"), None),
                (Entry("empty"), Verdict()),
            ]
        )
    )
    rows = [" ".join(row.split()) for row in table.splitlines()]

    assert "a.jsonl:1 clean pii 0.25" in rows
    assert "a.jsonl:2 violated pii 0.75" in rows
    assert "[red]a[/red]:3 blocked pii 0.75" in rows
    assert "a.jsonl:4 not judged not [JSON]" in rows
    assert "empty clean" in rows
