"""`guardproxy moderate`: the classifier that guards the proxy, on texts, files and pipes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import click

from guardproxy.app import build_classifier, load_active, verified_model
from guardproxy.classifiers.manifest import ModelFolder
from guardproxy.cli.moderate_input import (
    Entry,
    UnreadableError,
    batches,
    entries,
    sections,
    total_bytes,
)
from guardproxy.cli.moderate_report import as_json, many_texts, one_text
from guardproxy.cli.options import settings_from, settings_options
from guardproxy.cli.output import Output
from guardproxy.cli.progress import judging
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, ConfigurationError
from guardproxy.guard import Classifier
from guardproxy.policy.config import GuardrailConfig, ModerationV2Config
from guardproxy.policy.decide import Guardrail, decide, resolve
from guardproxy.settings import Settings
from guardproxy.verdict import Direction, Scores, Verdict

BATCH_SECTIONS = 64
BATCH_CHARACTERS = 32_768
"""What is given to the classifier at once: enough for all cores, little enough to show progress."""

LONG_BYTES = 65_536
"""From here on progress is shown, on a terminal; so it is when the length is not known."""

PATIENCE_SECONDS = "3600"
"""Longest wait for one batch: nobody waits for an answer on the wire here."""

_VIOLATED, _FAILED = 1, 2


@dataclass(slots=True)
class _Tally:
    """What came of it. Rows are kept for the table only."""

    keep: bool
    rows: list[tuple[Entry, Verdict | None]] = field(default_factory=list)
    violated: bool = False
    unread: bool = False

    def add(self, entry: Entry, verdict: Verdict | None) -> None:
        self.unread |= verdict is None
        self.violated |= verdict is not None and verdict.violated
        if self.keep:
            self.rows.append((entry, verdict))


@click.command()
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--file", "-f", "files", multiple=True, metavar="FILE", help="judge a file; - is stdin"
)
@click.option(
    "--jsonl",
    "lines",
    is_flag=True,
    help='files and stdin hold a JSON object a line: {"text": "…"} or {"input": "…"}',
)
@click.option("--json", "as_lines", is_flag=True, help="write a JSON object a line, no table")
@click.option(
    "--direction",
    type=click.Choice([direction.value for direction in Direction]),
    default=Direction.INPUT.value,
    help="which guardrails of a policy decide; default input",
)
@click.option("--exit-zero", is_flag=True, help="exit with 0 even if a category is violated")
@click.option(
    "--policy",
    metavar="TEXT",
    help="decide by a policy: a file, or the name of a shipped one [GUARDPROXY_POLICY]",
)
@settings_options(["model", "classifier_threads"])
def moderate(
    texts: tuple[str, ...],
    files: tuple[str, ...],
    *,
    lines: bool,
    as_lines: bool,
    direction: str,
    exit_zero: bool,
    **options: str | None,
) -> None:
    """Judge texts and show the score of every category.

    Texts come from the arguments, from files, and from stdin (`-`, or a pipe with no arguments).
    Without a policy, every category is decided at the classifier's own threshold. A long text is
    judged whole, in sections that overlap.

    Exit code: 0 nothing is violated; 1 a category is violated, or a line of JSON could not be read
    (the others are judged all the same); 2 wrong usage, nothing to judge, or the classifier failed;
    130 interrupted.

    \b
    Examples:
      guardproxy moderate "How do I water a cactus?"
      guardproxy moderate --json --jsonl --file comments.jsonl > scores.jsonl
      cat letter.txt | guardproxy moderate && echo clean
    """
    texts, files = _sources(texts, files, lines=lines)
    settings = settings_from({**options, "classifier_timeout": PATIENCE_SECONDS})
    tally = _Tally(keep=not as_lines)

    def done(entry: Entry, verdict: Verdict | None) -> None:
        tally.add(entry, verdict)
        if as_lines:
            click.echo(as_json(entry, verdict))
            if verdict is None:
                click.echo(f"{entry.label}: {entry.error}", err=True)

    # A bar and lines for programs on one terminal would spoil each other.
    watched = sys.stderr.isatty() and not (as_lines and sys.stdout.isatty())
    total = total_bytes(texts, files)
    much = total is None or total >= LONG_BYTES
    try:
        with judging(total, shown=watched and much) as advance:
            given = entries(texts, files, lines=lines)
            asyncio.run(_run(settings, Direction(direction), given, done, advance))
    except (ConfigurationError, UnreadableError) as error:
        raise click.UsageError(str(error)) from error
    except ClassifierError as error:
        _show(tally)
        click.echo(f"Error: not judged: {error}", err=True)
        raise SystemExit(_FAILED) from error
    except KeyboardInterrupt:
        _show(tally)
        raise
    _show(tally)
    if tally.unread or (tally.violated and not exit_zero):
        raise SystemExit(_VIOLATED)


def _sources(
    texts: tuple[str, ...], files: tuple[str, ...], *, lines: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts and files to read; `-` among the texts, or nothing at all but a pipe, is stdin."""
    files += tuple(text for text in texts if text == "-")
    texts = tuple(text for text in texts if text != "-")
    if not texts and not files:
        if sys.stdin.isatty():
            raise click.UsageError("nothing to judge: give TEXT, --file FILE, or pipe to stdin")
        files = ("-",)
    if files.count("-") > 1:
        raise click.UsageError("stdin (-) can be read once")
    if lines and not files:
        raise click.UsageError("--jsonl is about files and stdin; give --file FILE or -")
    return texts, files


async def _run(
    settings: Settings,
    direction: Direction,
    given: Iterable[Entry],
    done: Callable[[Entry, Verdict | None], None],
    advance: Callable[[float], None],
) -> None:
    folder = verified_model(settings)
    guardrails = _guardrails(settings, direction, folder)
    async with build_classifier(settings, folder=folder) as classifier:
        await judge_all(classifier, guardrails, given, done, advance)


def _guardrails(
    settings: Settings, direction: Direction, folder: ModelFolder
) -> tuple[Guardrail, ...]:
    """The policy's guardrails; without one, every category at the classifier's threshold."""
    if settings.policy is None:
        everything = GuardrailConfig(moderation_llm_v2=ModerationV2Config())
        return resolve((everything,), folder.manifest.thresholds)
    active = load_active(settings, folder.manifest.thresholds)
    asked = direction is Direction.INPUT
    chosen = active.input if asked else active.output
    if not chosen:
        # A policy with neither is refused, so the other direction has some.
        other = Direction.OUTPUT if asked else Direction.INPUT
        raise ConfigurationError(
            f"{active.config.name} has no entries for {direction}; "
            f"nothing was judged (--direction {other}?)"
        )
    return chosen


async def judge_all(
    classifier: Classifier,
    guardrails: Sequence[Guardrail],
    given: Iterable[Entry],
    done: Callable[[Entry, Verdict | None], None],
    advance: Callable[[float], None],
) -> None:
    """Judges every entry and reports each when it is whole, in order.

    Args:
        classifier: judges the sections of the texts.
        guardrails: decide about each text, by the highest scores of its sections.
        given: what to judge; read as it is needed.
        done: told of an entry and its verdict; of None if the entry could not be read.
        advance: told how many bytes of the sources are behind us.

    Raises:
        ClassifierError: the classifier did not answer; what was done before is reported.
    """
    judged: list[tuple[str, Scores]] = []
    pieces = chain.from_iterable(map(sections, given))
    for batch in batches(pieces, most=BATCH_SECTIONS, characters=BATCH_CHARACTERS):
        texts = [Passage(piece.text) for piece in batch if piece.entry.error is None]
        scores = iter(await classifier.classify(texts) if texts else ())
        for piece in batch:
            advance(piece.share)
            if piece.entry.error is not None:
                done(piece.entry, None)
                continue
            judged.append((piece.path, next(scores)))
            if piece.last:
                done(piece.entry, Verdict(decide(guardrails, judged)))
                judged.clear()


def _show(tally: _Tally) -> None:
    console = Output()
    if len(tally.rows) == 1 and (verdict := tally.rows[0][1]) is not None:
        for table in one_text(verdict):
            console.print(table)
    elif tally.rows:
        console.print(many_texts(tally.rows))
