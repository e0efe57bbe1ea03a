"""`guardproxy bench` itself: a run, its tables on the screen, raw figures and a plot beside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from guardproxy.bench.gateways import Gateway
from guardproxy.bench.plan import Plan
from guardproxy.bench.plot import plot
from guardproxy.bench.records import Missing, Run
from guardproxy.bench.report import report
from guardproxy.bench.run import measure
from guardproxy.errors import ConfigurationError

_Command = TypeVar("_Command", bound=Callable[..., object])
_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


def plan_options(command: _Command) -> _Command:
    """Adds the options that say how much is measured: those of `plan_from`."""
    for name, default, text in (
        ("--streams", 2_000, "Streams after which memory must be what it was."),
        ("--seconds", 2, "Of load, for each target at each number of connections."),
        ("--rounds", 3, "Everything is measured so often, in turns; tables show medians."),
    ):
        kind = click.IntRange(1)
        command = click.option(name, type=kind, default=default, show_default=True, help=text)(
            command
        )
    return command


@click.command()
@plan_options
@click.option("--raw", type=_FILE, help="Also write what was measured to this file, as JSON.")
@click.option("--plot", "picture", type=_FILE, help="Also draw it into this file, as SVG.")
def bench(
    *, rounds: int, seconds: int, streams: int, raw: Path | None, picture: Path | None
) -> None:
    """Measure what guardproxy adds on this machine: the upstream alone, nginx, guardproxy.

    Needs Linux and wrk (Debian, Ubuntu: apt install wrk); nginx is used where it is installed.
    Everything runs on loopback, on the same two cores, in about five minutes (--rounds 1
    --seconds 1: two). Tables go to standard output, what happens now to standard error.
    """
    run = measured(Plan(rounds, seconds, streams), [], [])
    if raw is not None:
        raw.write_text(as_json(run), encoding="utf-8")
    if picture is not None:
        picture.write_text(plot(run), encoding="utf-8")
    click.echo(report(run), nl=False)


def measured(plan: Plan, others: Sequence[Gateway], missing: Sequence[Missing]) -> Run:
    """A run, told of on standard error.

    Raises:
        ClickException: it cannot be made here.
    """

    def say(what: str) -> None:
        click.echo(what, err=True)

    try:
        return measure(plan, others, missing, say)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def as_json(run: Run) -> str:
    """A run, one record a line, so that two of them can be compared."""
    parts = []
    for name, value in run.to_json().items():
        if isinstance(value, list) and value:
            lines = ",\n".join(f"  {json.dumps(each)}" for each in value)
            parts.append(f'"{name}": [\n{lines}\n]')
        else:
            parts.append(f'"{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"
