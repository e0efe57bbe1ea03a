"""`guardproxy tune`: thresholds of a policy, chosen on labelled texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from guardproxy.cli.measuring import Measured, judged, measured, measuring_options
from guardproxy.content import Passage
from guardproxy.errors import PolicyError
from guardproxy.evals.evaluate import Scoring, default_guards
from guardproxy.evals.policy_patch import (
    Place,
    patch,
    places,
    thresholds_now,
    with_thresholds,
)
from guardproxy.evals.table import Table, table
from guardproxy.evals.tune import Choice, Cost, FalsePositiveRate, Goal, Precision, tune
from guardproxy.evals.variants import passage
from guardproxy.policy.decide import Guardrail
from guardproxy.policy.load import policy_path
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Direction

_DIRECTIONS: Final = {
    "both": (Direction.INPUT, Direction.OUTPUT),
    "input": (Direction.INPUT,),
    "output": (Direction.OUTPUT,),
}


class _Finite(click.FloatRange):
    """A range that NaN is outside of: every comparison with it is false, also those of a range."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


_SHARE: Final = _Finite(0, 1, max_open=True)


@click.command("tune")
@measuring_options
@click.option("--fpr", type=_SHARE, metavar="SHARE", help="at most this share of negatives flagged")
@click.option(
    "--precision", type=_SHARE, metavar="SHARE", help="at least this share of the flagged is right"
)
@click.option(
    "--miss-cost",
    type=_Finite(min=0, min_open=True),
    metavar="NUMBER",
    help="least cost, if a miss costs as much as so many false alarms",
)
@click.option(
    "--direction",
    type=click.Choice(list(_DIRECTIONS)),
    default="both",
    show_default=True,
    help="which entries are tuned, and on whose texts: requests or answers",
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    type=click.Choice(V2_CATEGORIES),
    help="only this one; may be repeated",
)
@click.option(
    "--write",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write the tuned policy here; without it, it is only shown",
)
def tune_command(
    data: tuple[Path, ...],
    *,
    sample: int | None,
    bare: bool,
    scores: Path | None,
    fpr: float | None,
    precision: float | None,
    miss_cost: float | None,
    direction: str,
    categories: tuple[str, ...],
    write: Path | None,
    **options: str | None,
) -> None:
    """Choose the thresholds of a policy on labelled texts, and show them as a patch.

    Each category by itself: the lowest threshold that keeps to --fpr or --precision, or the
    cheapest by --miss-cost. Categories that the policy has switched off stay off. Comments and
    layout of the policy stay. On stdout stands a patch, headed by what it does to each category.

    Exit code: 0 chosen; 2 wrong usage, unusable data or policy, or the classifier failed.

    \b
    Examples:
      guardproxy tune --data mine.csv --fpr 0.005
      guardproxy tune --data mine.jsonl --policy strict --precision 0.9 --write tuned.yaml
      guardproxy tune --data mine.jsonl --policy mine.yaml --miss-cost 20 | patch mine.yaml
    """
    goal = _goal(fpr, precision, miss_cost)
    wanted = measured(data, sample=sample, bare=bare, scores=scores, **options)
    try:
        found = places(wanted.policy, _DIRECTIONS[direction])
        now = thresholds_now(found.values())
        off = [name for name in categories if name not in now]
        now = {name: now[name] for name in categories or now if name in now}
        if not now:
            _refuse_all_off(off, wanted.policy.source)
        choices = tune(_table(wanted, _DIRECTIONS[direction]), now, goal)
        before, after = _texts(wanted, found, choices)
    except PolicyError as error:
        raise click.UsageError(str(error)) from error
    for line in (*_summary(choices), *(f"{name}: stays switched off" for name in off)):
        click.echo(f"# {line}")
    click.echo(patch(before, after, wanted.policy.source), nl=False)
    if write is not None:
        _write(write, after)


def _refuse_all_off(off: Sequence[str], source: str) -> NoReturn:
    message = f"has switched off {', '.join(off) or 'every category'}: nothing to tune"
    raise PolicyError(message, file=source)


def _goal(fpr: float | None, precision: float | None, miss_cost: float | None) -> Goal:
    goals: list[Goal] = []
    goals += [] if fpr is None else [FalsePositiveRate(fpr)]
    goals += [] if precision is None else [Precision(precision)]
    goals += [] if miss_cost is None else [Cost(miss_cost)]
    if len(goals) != 1:
        raise click.UsageError("give one of --fpr, --precision, --miss-cost")
    return goals[0]


def _table(wanted: Measured, directions: Sequence[Direction]) -> Table:
    rows = [row for row in wanted.rows if row.direction in directions]
    if not rows:
        raise click.UsageError(f"no row is of the direction {directions[0].value}")

    def passages(context: int) -> list[Passage]:
        return [passage(row, context) for row in rows]

    async def work(scoring: Scoring) -> Table:
        judged_rows = await scoring(passages(scoring.classifier.context_characters))
        nothing = default_guards({}, ())
        return table(rows, judged_rows, default=nothing, policy=nothing)

    return judged(wanted, passages, work)


def _texts(
    wanted: Measured, found: dict[Place, Guardrail], choices: Iterable[Choice]
) -> tuple[str, str]:
    """The policy's text before and after."""
    file = policy_path(wanted.settings.policy)
    try:
        before = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=str(file)) from None
    chosen = {each.category: each.after for each in choices if each.kept is None}
    return before, with_thresholds(before, str(file), found, chosen)


def _summary(choices: Iterable[Choice]) -> Iterable[str]:
    yield "category: threshold, recall, precision, false positives; before -> after"
    for each in choices:
        rows = f"{each.positives:,} positives, {each.negatives:,} negatives"
        if each.kept is not None:
            yield f"{each.category}: {each.before:g} stays, {each.kept} ({rows})"
            continue
        was, now = each.at_before, each.at_after
        yield (
            f"{each.category}: {each.before:g} -> {each.after:g}, "
            f"recall {was.recall:.3f} -> {now.recall:.3f}, "
            f"precision {was.precision:.3f} -> {now.precision:.3f}, "
            f"false positives {was.false_positive_rate:.2%} -> {now.false_positive_rate:.2%} "
            f"({rows})"
        )


def _write(file: Path, text: str) -> None:
    try:
        # As bytes, because line ends stay what they are.
        file.write_bytes(text.encode())
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be written: {error.strerror}") from error
