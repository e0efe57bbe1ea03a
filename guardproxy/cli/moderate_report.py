"""What `guardproxy moderate` says: a table for people, a JSON object a line for programs.

Neither repeats the text that was judged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from guardproxy.cli.moderate_input import Entry
from guardproxy.policy.decide import unique_names
from guardproxy.policy.guardrail_body import block_summary, shown_score
from guardproxy.verdict import CategoryDecision, GuardrailResult, Verdict

_MOST_NAMED = 3
"""Categories named for a text in the table of many."""


def as_json(entry: Entry, verdict: Verdict | None) -> str:
    """One line: where the text stood, whether a category is violated, whether the policy blocks,
    and `results` as in the body of a block. Without a verdict: why it could not be judged.
    """
    shown: dict[str, object] = {"source": entry.source}
    if entry.line is not None:
        shown["line"] = entry.line
    if verdict is None:
        shown["error"] = entry.error
    else:
        shown |= {"violated": verdict.violated, "blocked": verdict.blocked}
        shown |= block_summary(verdict)
    return json.dumps(shown, ensure_ascii=False)


def one_text(verdict: Verdict) -> list[Table]:
    """Every category of every guardrail entry, for one text."""
    names = unique_names(verdict.results)
    return [_of_result(name, result) for name, result in zip(names, verdict.results, strict=True)]


def _of_result(name: str, result: GuardrailResult) -> Table:
    table = Table(title=f"{name}, action {result.action}", title_justify="left", box=box.SIMPLE)
    table.add_column("category", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("threshold", justify="right")
    table.add_column("")
    long = len({decision.path for decision in result.decisions.values()}) > 1
    if long:
        table.add_column("characters", no_wrap=True)
    for category, decision in result.decisions.items():
        row = [category, _score(decision), f"{decision.threshold:g}", _word(decision)]
        row += [decision.path] if long else []
        table.add_row(*row, style="bold red" if decision.violated else None)
    return table


def many_texts(judged: Sequence[tuple[Entry, Verdict | None]]) -> Table:
    """One row for each text, with what stands out in it."""
    table = Table(box=box.SIMPLE)
    table.add_column("text", overflow="fold")
    table.add_column("verdict")
    table.add_column("highest", overflow="fold")
    for entry, verdict in judged:
        label = Text(entry.label)
        if verdict is None:
            table.add_row(label, "not judged", Text(entry.error or ""), style="yellow")
        else:
            style = "bold red" if verdict.violated else None
            table.add_row(label, _verdict(verdict), _highest(verdict), style=style)
    return table


def _verdict(verdict: Verdict) -> str:
    if verdict.blocked:
        return "blocked"
    return "violated" if verdict.violated else "clean"


def _highest(verdict: Verdict) -> str:
    """The violated categories, or the one that comes nearest to its threshold."""
    decisions = {
        category: decision
        for result in verdict.results
        for category, decision in result.decisions.items()
    }
    ranked = sorted(decisions.items(), key=_margin, reverse=True)
    violated = [item for item in ranked if item[1].violated]
    named = (violated or ranked[:1])[:_MOST_NAMED]
    return ", ".join(f"{category} {_score(decision)}" for category, decision in named)


def _margin(item: tuple[str, CategoryDecision]) -> float:
    return item[1].score - item[1].threshold


def _score(decision: CategoryDecision) -> str:
    return f"{shown_score(decision):g}"


def _word(decision: CategoryDecision) -> str:
    return "violated" if decision.violated else ""
