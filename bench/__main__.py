"""`make bench`: what `guardproxy bench` measures, beside other people's gateways.

python -m bench [--rounds 3] [--seconds 2] [--opponents FOLDER]
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.opponents import installed
from guardproxy.bench.command import say
from guardproxy.bench.gateways import Gateway
from guardproxy.bench.plan import Plan
from guardproxy.bench.records import Missing
from guardproxy.bench.report import report
from guardproxy.bench.run import measure
from guardproxy.errors import ConfigurationError

ROOT = Path(__file__).parent.parent


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=2, show_default=True)
@click.option("--streams", type=click.IntRange(1), default=2_000, show_default=True)
@click.option("--opponents", type=click.Path(path_type=Path), default=ROOT / ".opponents")
@click.option("--raw", type=click.Path(path_type=Path), default=Path("bench.json"))
def main(*, rounds: int, seconds: int, streams: int, opponents: Path, raw: Path) -> None:
    """Measures, and writes the tables."""
    found = list(installed(opponents))
    gateways = [each for each in found if isinstance(each, Gateway)]
    missing = [each for each in found if isinstance(each, Missing)]
    try:
        run = measure(Plan(rounds, seconds, streams), gateways, missing, say())
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    raw.write_text(json.dumps(run.to_json(), indent=1) + "\n", encoding="utf-8")
    click.echo(report(run))


if __name__ == "__main__":
    main()
