"""`make bench`: what `guardproxy bench` measures, beside other people's gateways.

    python -m bench [--rounds 3] [--seconds 2] [--streams 2000] [--opponents FOLDER]

Writes the tables into `docs/performance.md`, between the comments that mark their places, the plot
and the raw figures beside it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from bench.opponents import installed
from guardproxy.bench.command import as_json, measured, plan_options
from guardproxy.bench.gateways import Gateway
from guardproxy.bench.plan import Plan
from guardproxy.bench.plot import plot
from guardproxy.bench.records import Missing
from guardproxy.bench.report import report

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
ALONE = {"micro": 5, "holds": 5}
"""What is measured in a process of its own, and in how many rounds at most."""


@click.command()
@plan_options
@click.option(
    "--opponents",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / ".opponents",
    help="Folder in which other gateways are installed, as bench/README.md says.",
)
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE)
def main(*, rounds: int, seconds: int, streams: int, opponents: Path, page: Path) -> None:
    """Measures, and writes the page."""
    found = list(installed(opponents.resolve()))
    gateways = [each for each in found if isinstance(each, Gateway)]
    missing = [each for each in found if isinstance(each, Missing)]
    run = measured(Plan(rounds, seconds, streams), gateways, missing)
    page.with_suffix(".json").write_text(as_json(run), encoding="utf-8")
    page.with_suffix(".svg").write_text(plot(run), encoding="utf-8")
    tables = report(run)
    click.echo(tables, nl=False)
    write(page, "bench", tables)
    for name, most in ALONE.items():
        if (table := alone(name, min(rounds, most))) is not None:
            click.echo(table, nl=False)
            write(page, name, table)
    click.echo(f"written: {page}, {page.stem}.json, {page.stem}.svg", err=True)


def alone(name: str, rounds: int) -> str | None:
    """A table of single rooms; None if it is not there or could not be measured."""
    if find_spec(f"bench.{name}") is None:
        return None
    click.echo(f"the rooms alone: {name}", err=True)
    command = [sys.executable, "-m", f"bench.{name}", "--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    return None if done.returncode else done.stdout


def write(page: Path, name: str, text: str) -> None:
    """Puts a text into its place on a page that has one."""
    page.write_text(filled(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def filled(page: str, name: str, text: str) -> str:
    """The page with what stands between the comments of this name made anew.

    Raises:
        ClickException: it has no such place.
    """
    opening, closing = f"<!-- table: {name} -->\n", "<!-- end of table -->"
    place = re.compile(f"({re.escape(opening)}).*?({re.escape(closing)})", re.DOTALL)
    if not place.search(page):
        raise click.ClickException(f"the page has no place for {name}: {opening.strip()}")
    return place.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", page, count=1)


if __name__ == "__main__":
    main()
