"""`guardproxy policy explain`: the way of a request through the policy, told row by row.

The same reading, selection, judging and deciding as in the proxy; nothing of the text is shown.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import BinaryIO

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guardproxy.app import build_classifier, verified_model
from guardproxy.cli.options import settings_from
from guardproxy.cli.output import Output
from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.errors import RequestError
from guardproxy.guard import Guard, Guardrails
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.config import InlineHandling, PolicyConfig
from guardproxy.policy.decide import resolve, would_block
from guardproxy.policy.explain import Decision, Row, explain, explain_media
from guardproxy.policy.inline import read_inline
from guardproxy.policy.load import resolve_policy
from guardproxy.policy.scope import select, split_media
from guardproxy.settings import Settings
from guardproxy.telemetry.observers import Observers
from guardproxy.verdict import Direction, Verdict

PATIENCE_SECONDS = 600.0
"""Longest wait for a judgement: nobody waits for an answer on the wire here."""

_PIPED_WIDTH = 160
_STYLES = {Decision.BLOCK: "bold red", Decision.REPORT: "yellow", Decision.FAILED: "yellow"}


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be judged, as the proxy would read it. `guardrails` is the caller's own array."""

    texts: tuple[TextPart, ...]
    media: tuple[MediaPart, ...] = ()
    guardrails: object = None


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict, and the rows that explain it.

    `waits_in_a_stream`: blocked as a whole answer, the text would wait as the beginning of one.
    """

    policy: str
    direction: Direction
    verdict: Verdict
    rows: tuple[Row, ...]
    exempt_characters: int
    waits_in_a_stream: bool


def run(
    policy: str, given: str | BinaryIO, direction: Direction, *, as_json: bool, model: str | None
) -> int:
    """Judges, shows why, and says how to exit: 0 passes, 1 blocked, 2 not judged.

    Args:
        policy: name or path.
        given: a text, or a file that holds a body.
        direction: which entries judge it.
        as_json: an object for programs, no tables.
        model: model folder; the embedded one if None.

    Raises:
        GuardproxyError: the policy, the model or the body cannot be used.
    """
    settings = settings_from({"model": model, "classifier_timeout": str(PATIENCE_SECONDS)})
    loaded = resolve_policy(policy)
    said = _read(given, direction, loaded.config)
    folder = verified_model(settings)
    manifest = folder.manifest
    active = activate(loaded, manifest.thresholds, manifest.partial_thresholds)
    report = asyncio.run(_report(settings, active, said, direction))
    if as_json:
        click.echo(_json(report))
    else:
        _show(report)
    return 2 if report.verdict.error is not None else int(report.verdict.blocked)


def _read(given: str | BinaryIO, direction: Direction, config: PolicyConfig) -> Said:
    if isinstance(given, str):
        role = Role.USER if direction is Direction.INPUT else Role.ASSISTANT
        return Said((TextPart(role, given, "text"),))
    most = config.limits.body_bytes if direction is Direction.INPUT else config.limits.answer_bytes
    body = given.read(most + 1)
    if len(body) > most:
        raise RequestError(f"the body is longer than the policy's limit of {most} bytes")
    dialect = ChatCompletions()
    if direction is Direction.OUTPUT:
        answered = dialect.read_answer(body, config.limits)
        return Said(answered.texts, answered.media)
    asked = dialect.read_request(body, config.limits)
    return Said(asked.texts, asked.media, _inline(asked.guardrails, config))


def _inline(guardrails: object, config: PolicyConfig) -> object:
    if guardrails is None or config.inline is InlineHandling.ADD:
        return guardrails
    if config.inline is InlineHandling.REFUSE:
        raise RequestError("the policy takes no guardrails from requests", param="guardrails")
    click.echo("Note: the policy ignores the guardrails of the request", err=True)
    return None


async def _report(
    settings: Settings, policy: ActivePolicy, said: Said, direction: Direction
) -> Report:
    async with build_classifier(settings) as classifier:
        inline = resolve(read_inline(said.guardrails), classifier.default_thresholds)
        asked = direction is Direction.INPUT
        operator = policy.input if asked else policy.output
        tools = (policy.tool_results or ()) if asked else ()
        entries = Guardrails(operator, inline, policy.tool_results if asked else None)
        guard = Guard(classifier, deadline=PATIENCE_SECONDS, observer=Observers())
        selection = select(said.texts, policy.config, direction, inline=bool(inline))
        media = split_media(said.media, policy.config)
        verdict = await guard.check(selection.judged, entries, direction, media=media)
    of_tools = verdict.results[len(operator) :]
    rows = (
        *explain(direction, operator, verdict.results[: len(operator)]),
        *(explain("tool_results", tools, of_tools) if of_tools else ()),
        *explain("guardrails", inline, verdict.inline),
        *explain_media(media),
    )
    waits = (
        direction is Direction.OUTPUT
        and would_block(verdict.results, policy.output)
        and not would_block(verdict.results, policy.early)
        and not verdict.blocked_media
    )
    return Report(policy.label, direction, verdict, rows, selection.exempt_characters, waits)


def _json(report: Report) -> str:
    return json.dumps(
        {
            "policy": report.policy,
            "direction": report.direction,
            "blocked": report.verdict.blocked,
            "error": report.verdict.error,
            "exempt_characters": report.exempt_characters,
            "waits_in_a_stream": report.waits_in_a_stream,
            "rows": [asdict(row) for row in report.rows],
        },
        indent=2,
    )


def _show(report: Report) -> None:
    console = Output(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    for entry, rows in groupby(report.rows, key=lambda row: row.entry):
        _print_entry(console, entry, list(rows))
    if not report.rows:
        console.print(f"The policy has no entries for the {report.direction}.")
    if report.exempt_characters:
        console.print(f"Not judged, as the policy says: {report.exempt_characters} characters.")
    console.print(Text(_conclusion(report), style="bold"))


def _print_entry(console: Console, entry: str, rows: Sequence[Row]) -> None:
    console.print(_table(entry, [row for row in rows if not row.unevaluated]))
    if unevaluated := [row.category for row in rows if row.unevaluated]:
        console.print(f"  Not evaluated (ignore_other_categories): {', '.join(unevaluated)}.")
    for row in rows:
        if row.decision in _STYLES and row.path:
            console.print(Text(f"  {row.category}: {row.path}"))
    console.print()


def _table(entry: str, rows: Sequence[Row]) -> Table:
    table = Table(title=entry, title_justify="left", box=box.SIMPLE)
    table.add_column("category", no_wrap=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("why")
    for row in rows:
        table.add_row(row.category, row.decision, row.why, style=_STYLES.get(row.decision))
    return table


def _conclusion(report: Report) -> str:
    blocking = [row for row in report.rows if row.decision is Decision.BLOCK]
    if blocking:
        entries = groupby(blocking, key=lambda row: row.entry)
        causes = (f"{entry} ({_categories(rows)})" for entry, rows in entries)
        waits = "; as the beginning of a stream it waits for what follows"
        return (
            f"{report.policy}: blocked by {', '.join(causes)}"
            f"{waits if report.waits_in_a_stream else ''}"
        )
    marked = sum(row.decision in {Decision.REPORT, Decision.FAILED} for row in report.rows)
    return f"{report.policy}: passes" + (f", with {marked} mark(s)" if marked else "")


def _categories(rows: Iterable[Row]) -> str:
    return ", ".join(row.category or "not judged" for row in rows)
