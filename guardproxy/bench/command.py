"""`guardproxy bench` itself: a run, its tables on the screen, its raw figures beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from guardproxy.bench.plan import Plan
from guardproxy.bench.report import report
from guardproxy.bench.run import measure
from guardproxy.errors import ConfigurationError


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--seconds", type=click.IntRange(1), default=2, show_default=True, help="Of each load."
)
@click.option(
    "--streams",
    type=click.IntRange(1),
    default=2_000,
    show_default=True,
    help="After how many streams memory is looked at.",
)
@click.option(
    "--raw",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write what was measured to this file, as JSON.",
)
def bench(*, rounds: int, seconds: int, streams: int, raw: Path | None) -> None:
    """Measure guardproxy on this machine, beside its upstream alone and nginx.

    Needs wrk (Debian, Ubuntu: apt install wrk); nginx is used where it is installed. Everything
    runs on loopback and on two cores.
    """
    try:
        run = measure(Plan(rounds, seconds, streams), [], [], say())
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    if raw is not None:
        raw.write_text(json.dumps(run.to_json(), indent=1) + "\n", encoding="utf-8")
    click.echo(report(run))


def say() -> Callable[[str], None]:
    """Tells on standard error what happens now; the tables alone go to standard output."""

    def tell(what: str) -> None:
        click.echo(what, err=True)

    return tell
