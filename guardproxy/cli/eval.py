"""`guardproxy eval`: how good the classifier and a policy are, on labelled texts."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from guardproxy.cli.measuring import Measured, judged, measured, measuring_options
from guardproxy.errors import DataError
from guardproxy.evals.evaluate import Plan, asked, evaluate
from guardproxy.evals.origin import Origin, data_files_of, machine, versions
from guardproxy.evals.plots import MISSING, can_plot, write_plots
from guardproxy.evals.report import Report
from guardproxy.evals.report_json import as_json
from guardproxy.evals.report_markdown import as_markdown
from guardproxy.evals.table import Table
from guardproxy.evals.trained_on import trained_sources

JSON_FILE: Final = "report.json"
MARKDOWN_FILE: Final = "report.md"
PLOTS_FOLDER: Final = "plots"
_RESAMPLES: Final = 200


@click.command("eval")
@measuring_options
@click.option(
    "--trained-on",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON of the training run: its `sources` are reported apart; else the manifest's",
)
@click.option("--partial", is_flag=True, help="also judge answers cut at 25, 50 and 75 %")
@click.option("--buried", is_flag=True, help="also judge harmful texts among harmless ones")
@click.option("--behind", is_flag=True, help="also judge texts behind turns about something else")
@click.option(
    "--bootstrap",
    "resamples",
    type=click.IntRange(min=0, max=10_000),
    default=_RESAMPLES,
    show_default=True,
    metavar="NUMBER",
    help="resamples behind the 95 % intervals; 0 for none",
)
@click.option("--seed", type=int, default=0, show_default=True, help="of the bootstrap")
@click.option(
    "--output",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="write report.json, report.md and plots here",
)
@click.option(
    "--page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write the report as Markdown here, without plots",
)
@click.option("--json", "shows_json", is_flag=True, help="print the report as JSON, no Markdown")
def evaluate_command(
    data: tuple[Path, ...],
    *,
    sample: int | None,
    bare: bool,
    scores: Path | None,
    trained_on: Path | None,
    partial: bool,
    buried: bool,
    behind: bool,
    resamples: int,
    seed: int,
    output: Path | None,
    page: Path | None,
    shows_json: bool,
    **options: str | None,
) -> None:
    """Measure the classifier and a policy on labelled texts.

    Texts take the way they take in `serve`: disguises undone, windows, recognisers, the policy's
    thresholds. Reported are average precision, ROC-AUC, recall at 1 % and 0.1 % false positives,
    precision, recall and F1 at thresholds, calibration, and how much benign text is blocked; by
    category, language, role, source and length. See docs/quality-measuring.md for the format of
    the data.

    Exit code: 0 measured; 2 wrong usage or unusable data, or the classifier failed.

    \b
    Examples:
      guardproxy eval --data mine.csv
      guardproxy eval --data dev --model FOLDER --trained-on run.json --json > report.json
      guardproxy eval --data dev --partial --scores scores.db --output report
    """
    started = time.monotonic()
    wanted = measured(data, sample=sample, bare=bare, scores=scores, **options)
    sources, named = _trained_on(wanted, trained_on)
    plan = Plan(
        wanted.rows,
        sources,
        partial=partial,
        buried=buried,
        behind=behind,
        resamples=resamples,
        seed=seed,
    )
    report, table = judged(
        wanted,
        lambda context: asked(plan, context).passages,
        lambda scoring: evaluate(plan, wanted.policy, scoring),
    )
    origin = _origin(
        wanted,
        plan,
        named,
        data=data,
        trained_file=trained_on,
        sample=sample,
        seconds=time.monotonic() - started,
    )
    click.echo(
        as_json(origin, report) if shows_json else as_markdown(origin, report), nl=shows_json
    )
    if page is not None:
        _write(page, as_markdown(origin, report))
    if output is not None:
        _write_all(output, origin, report, _plots(output, plan, table))


def _trained_on(wanted: Measured, file: Path | None) -> tuple[frozenset[str] | None, str]:
    """The sources the model has seen, None if nobody says, and who says so."""
    if file is not None:
        try:
            sources = trained_sources(file)
        except DataError as error:
            raise click.UsageError(str(error)) from error
        return sources, f"{len(sources)} sources, by `{file.name}`"
    sources = wanted.folder.manifest.trained_on
    if not sources:
        return None, "not told; give --trained-on"
    return sources, f"{len(sources)} sources, by the model's manifest"


def _origin(
    wanted: Measured,
    plan: Plan,
    trained_on: str,
    *,
    data: Sequence[Path],
    trained_file: Path | None,
    sample: int | None,
    seconds: float,
) -> Origin:
    manifest = wanted.folder.manifest
    kept = "all" if sample is None else f"at most {sample} of each source and language, by hash"
    return Origin(
        command=_command(data, wanted, plan, trained_on=trained_file, sample=sample),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        machine=machine(),
        versions=versions(),
        model=f"{manifest.name} {manifest.version}",
        model_sha256=manifest.checksum,
        judged="the model alone (--bare)" if wanted.bare else "as in serve",
        policy=wanted.policy.label,
        trained_on=trained_on,
        sample=f"{len(plan.rows):,}, {kept}",
        resamples=plan.resamples,
        seed=plan.seed,
        seconds=round(seconds, 1),
        files=data_files_of(wanted.rows, wanted.files),
    )


def _command(
    data: Sequence[Path],
    wanted: Measured,
    plan: Plan,
    *,
    trained_on: Path | None,
    sample: int | None,
) -> str:
    """The command that gives the same figures, without the paths of this machine."""
    settings = wanted.settings
    words = ["guardproxy eval"]
    words += [f"--data {_name(path)}" for path in data]
    words += [f"--policy {_name(Path(settings.policy))}"] if settings.policy is not None else []
    words += [f"--model {_name(settings.model)}"] if settings.model is not None else []
    words += [f"--trained-on {_name(trained_on)}"] if trained_on is not None else []
    words += [f"--sample {sample}"] if sample is not None else []
    words += ["--bare"] if wanted.bare else []
    words += ["--partial"] if plan.partial else []
    words += ["--buried"] if plan.buried else []
    words += ["--behind"] if plan.behind else []
    words += [f"--bootstrap {plan.resamples}"] if plan.resamples != _RESAMPLES else []
    words += [f"--seed {plan.seed}"] if plan.seed else []
    return " ".join(words)


def _name(path: Path) -> str:
    return shlex.quote(path.absolute().name)


def _plots(folder: Path, plan: Plan, table: Table) -> list[str]:
    """Pictures of what the headline is about; their paths within the folder."""
    if not can_plot():
        click.echo(MISSING, err=True)
        return []
    pictures = folder / PLOTS_FOLDER
    try:
        pictures.mkdir(parents=True, exist_ok=True)
        files = write_plots(table, plan.headline, pictures)
    except OSError as error:
        raise click.UsageError(f"{pictures}: cannot be written: {error.strerror}") from error
    return [file.relative_to(folder).as_posix() for file in files]


def _write_all(folder: Path, origin: Origin, report: Report, plots: Sequence[str]) -> None:
    _write(folder / JSON_FILE, as_json(origin, report) + "\n")
    _write(folder / MARKDOWN_FILE, as_markdown(origin, report, plots))


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{file}: cannot be written: {error.strerror}") from error
