"""`guardproxy model`: whether a model folder can be used, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from guardproxy.classifiers.check import CheckedModel, check_models
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.errors import ConfigurationError
from guardproxy.policy.taxonomy import V2_CATEGORIES

_MEGABYTE = 1_000_000


@click.group()
def model() -> None:
    """Check model folders: the embedded one's form, or a model of your own."""


@model.command(short_help="Verify, try and time a model folder.")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--runs",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="how often each length is timed",
)
@click.option("--json", "as_json", is_flag=True, help="write a JSON object")
def check(folder: Path, *, runs: int, as_json: bool) -> None:
    """Verify a model folder, try it on a few texts, and time it.

    Every file is held against the manifest's sha256; graph and tokenizer are loaded; texts of
    several scripts, an empty and a long one must get probabilities, twice the same. Times are CPU
    milliseconds of one run on one thread.

    Exit code: 0 it can be used; 2 it cannot, and a line says why.

    \b
    Examples:
      guardproxy model check my-model
      guardproxy model check my-model --json
    """
    try:
        verified = verify_model_folder(folder)
        checked = check_models(verified, runs=runs)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(_as_object(verified, checked), ensure_ascii=False))
        return
    for line in _lines(verified, checked):
        click.echo(line)
    for each in checked:
        for warning in each.warnings:
            click.echo(f"Warning: {each.folder.manifest.name}: {warning}", err=True)


def _lines(folder: ModelFolder, checked: Sequence[CheckedModel]) -> list[str]:
    manifest = folder.manifest
    lines = [f"{folder.path}: ok, {manifest.name} {manifest.version}, sha256 {manifest.checksum}"]
    for each in checked:
        own = each.folder.manifest
        lines += [f"{own.name} {own.version}, {each.bytes / _MEGABYTE:.1f} MB"]
        lines += [f"  judges  {', '.join(c for c in own.categories if c in each.judges)}"]
        lines += [
            f"  label   {label.name}: {', '.join(label.categories) or 'no category'}"
            for label in own.labels or ()
        ]
        lines += [
            f"  time    {timing.milliseconds:.2f} ms at {timing.tokens} tokens"
            for timing in each.timings
        ]
    if missing := _unjudged(folder):
        lines += [f"not judged: {', '.join(missing)}; to serve, combine it with a model that does"]
    return lines


def _as_object(folder: ModelFolder, checked: Sequence[CheckedModel]) -> dict[str, object]:
    manifest = folder.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.checksum,
        "categories": manifest.categories,
        "not_judged": _unjudged(folder),
        "default_thresholds": manifest.default_thresholds,
        "models": [
            {
                "name": each.folder.manifest.name,
                "version": each.folder.manifest.version,
                "bytes": each.bytes,
                "judges": sorted(each.judges),
                "milliseconds": {str(t.tokens): round(t.milliseconds, 3) for t in each.timings},
                "warnings": each.warnings,
            }
            for each in checked
        ],
    }


def _unjudged(folder: ModelFolder) -> list[str]:
    return [name for name in V2_CATEGORIES if name not in folder.manifest.categories]
