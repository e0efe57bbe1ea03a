"""What `eval` and `tune` share: their options, the rows, the judge, the bar, the interruption."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import click

from guardproxy.app import load_active
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.cli.options import settings_from, settings_options
from guardproxy.cli.progress import judging
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, ConfigurationError
from guardproxy.evals.data import data_files, read_rows
from guardproxy.evals.evaluate import Scoring, sampled
from guardproxy.evals.judge import open_judge
from guardproxy.evals.rows import LabelledText
from guardproxy.evals.score_store import NoStore, ScoreStore, identity
from guardproxy.policy.active import ActivePolicy
from guardproxy.settings import Settings

_FAILED: Final = 2
_INTERRUPTED: Final = 130
"""What a shell says of a program that Ctrl-C ended: 128 + SIGINT."""

_Command = TypeVar("_Command", bound=Callable[..., object])
Outcome = TypeVar("Outcome")


def measuring_options(command: _Command) -> _Command:
    """Adds the options that say what is judged, and by whom."""
    options = (
        click.option(
            "--data",
            multiple=True,
            required=True,
            metavar="PATH",
            type=click.Path(path_type=Path),
            help="labelled texts: .jsonl, .csv (also .gz), or a folder of them; may be repeated",
        ),
        click.option(
            "--sample",
            type=click.IntRange(min=1),
            metavar="NUMBER",
            help="at most so many rows of each source and language, always the same ones",
        ),
        click.option(
            "--bare",
            is_flag=True,
            help="the model alone: no disguises undone, no recognisers beside it",
        ),
        click.option(
            "--scores",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="remember scores here (no texts): a rerun judges only what is new",
        ),
        settings_options(["policy", "model", "classifier_threads"]),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Measured:
    """What is judged, and by whom."""

    rows: Sequence[LabelledText]
    files: Sequence[Path]
    settings: Settings
    folder: ModelFolder
    policy: ActivePolicy
    bare: bool
    scores: Path | None


def measured(
    data: Sequence[Path],
    *,
    sample: int | None,
    bare: bool,
    scores: Path | None,
    **options: str | None,
) -> Measured:
    """Reads everything that can be wrong before anything is judged.

    Raises:
        click.UsageError: data, model, policy or an option cannot be used; one line.
    """
    settings = settings_from(options)
    try:
        folder = verify_model_folder(settings.model or EMBEDDED_FOLDER)
        files = data_files(data)
        rows = read_rows(files)
        return Measured(
            rows=rows if sample is None else sampled(rows, sample),
            files=files,
            settings=settings,
            folder=folder,
            policy=load_active(
                settings, folder.manifest.thresholds, folder.manifest.partial_thresholds
            ),
            bare=bare,
            scores=scores,
        )
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error


def judged(
    wanted: Measured,
    passages: Callable[[int], Sequence[Passage]],
    work: Callable[[Scoring], Awaitable[Outcome]],
) -> Outcome:
    """Does some work with a classifier, under a bar; ends cleanly when it is interrupted.

    Args:
        wanted: says which classifier.
        passages: what the work will judge, given the characters of context the classifier wants;
            says how long the bar is.
        work: what is to be done.

    Raises:
        click.UsageError: the model does not work, or scores cannot be kept.
        SystemExit: interrupted, or the classifier failed; a line on stderr says so.
    """
    try:
        return asyncio.run(_work(wanted, passages, work))
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    except ClassifierError as error:
        click.echo(f"Error: not judged: {error}", err=True)
        raise SystemExit(_FAILED) from error
    except KeyboardInterrupt:
        kept = f"; the scores so far are in {wanted.scores}" if wanted.scores else ""
        click.echo(f"interrupted{kept}", err=True)
        raise SystemExit(_INTERRUPTED) from None


async def _work(
    wanted: Measured,
    passages: Callable[[int], Sequence[Passage]],
    work: Callable[[Scoring], Awaitable[Outcome]],
) -> Outcome:
    with ExitStack() as open_files:
        store = open_files.enter_context(ScoreStore(wanted.scores)) if wanted.scores else NoStore()
        async with open_judge(wanted.settings, wanted.folder, bare=wanted.bare) as classifier:
            unique = set(passages(classifier.context_characters))
            size = sum(len(passage.text) for passage in unique)
            with judging(size, shown=sys.stderr.isatty()) as advance:
                return await work(
                    Scoring(
                        classifier=classifier,
                        identity=identity(wanted.folder, bare=wanted.bare),
                        store=store,
                        advance=advance,
                    )
                )
