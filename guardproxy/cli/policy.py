"""`guardproxy policy`: check, explain and rewrite policies without starting a server."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

import click

from guardproxy.cli import policy_hash
from guardproxy.cli.doubts import unused_routes
from guardproxy.cli.options import settings_options
from guardproxy.errors import GuardproxyError, PolicyError, RequestError
from guardproxy.policy.load import (
    DEFAULT_POLICY,
    LoadedPolicy,
    load_policy,
    resolve_policy,
    shipped_policies,
)
from guardproxy.policy.migrate import Migration, migrate
from guardproxy.policy.schema import policy_schema_text
from guardproxy.verdict import Direction

_NEGATIVE = 1
_UNUSABLE = 2


@click.group()
def policy() -> None:
    """Check, explain and rewrite policies.

    A POLICY is a file, or the name of a shipped one: see `guardproxy policy list`.
    """


@policy.command("list")
def list_command() -> None:
    """List the shipped policies."""
    shipped = shipped_policies()
    width = max(map(len, shipped))
    for name, path in shipped.items():
        mark = " (default)" if name == DEFAULT_POLICY else ""
        click.echo(f"{name:<{width}}  {load_policy(path).config.description}{mark}")


@policy.command(short_help="Check that policies can be used.")
@click.argument("policies", metavar="POLICY...", nargs=-1, required=True)
def check(policies: tuple[str, ...]) -> None:
    """Check that policies can be used, and tell every problem with file, line and key.

    Exit code: 0 all can be used; 2 one cannot.
    """
    usable = [_check(name) for name in policies]
    if not all(usable):
        raise SystemExit(_UNUSABLE)


def _check(name: str) -> bool:
    try:
        loaded = resolve_policy(name)
    except PolicyError as error:
        for problem in (error, *error.others):
            click.echo(f"Error: {problem}", err=True)
        return False
    for warning in (*loaded.warnings, *unused_routes(loaded.config, loaded.source)):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{loaded.source}: ok, {loaded.config.name}@{loaded.version}, {_guards(loaded)}")
    return True


def _guards(loaded: LoadedPolicy) -> str:
    config = loaded.config
    tools = config.tool_results
    results = "" if tools is None else f"{_entries(tools)} for tool results, "
    requests, answers = _entries(config.input), _entries(config.output)
    return f"{requests} for requests, {results}{answers} for answers"


def _entries(entries: Sequence[object]) -> str:
    return f"{len(entries)} entry" if len(entries) == 1 else f"{len(entries)} entries"


@policy.command()
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors."""
    click.echo(policy_schema_text(), nl=False)


@policy.command("migrate", short_help="Rewrite moderation_llm_v1 entries to v2.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="rewrite FILE; without it the result is printed")
@click.option(
    "--with-jailbreaking",
    is_flag=True,
    help="let migrated entries evaluate v2's new category; without it they are as they were",
)
def migrate_command(file: Path, *, write: bool, with_jailbreaking: bool) -> None:
    """Rewrite `moderation_llm_v1` entries to v2; comments and layout stay.

    What must be known about the result is told on stderr.

    Exit code: 0 no v1 entry is left; 1 some are, and stderr says why; 2 FILE cannot be used.
    """
    try:
        load_policy(file)
        # As bytes, because line ends stay what they are.
        text = file.read_bytes().decode("utf-8-sig")
        migration = migrate(text, str(file), with_jailbreaking=with_jailbreaking)
    except PolicyError as error:
        _refuse(error)
    _tell(migration, changed=migration.text != text)
    if not write:
        click.echo(migration.text, nl=False)
    elif migration.text != text:
        _replace(file, migration.text)
        click.echo(f"{file}: rewritten", err=True)
    if migration.left:
        raise SystemExit(_NEGATIVE)


def _tell(migration: Migration, *, changed: bool) -> None:
    for note in migration.notes:
        click.echo(f"Note: {note}", err=True)
    if not changed and not migration.left:
        click.echo("Note: nothing to migrate, every entry is v2", err=True)


def _replace(file: Path, text: str) -> None:
    """All or nothing: a policy that is cut off would be refused at the next reload."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(text.encode())
        shutil.copymode(target, name)
        Path(name).replace(target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        _refuse(PolicyError(f"cannot be written: {error.strerror}", file=str(file)))


@policy.command("explain", short_help="Show what a policy does with a text, and why.")
@click.argument("policy_name", metavar="POLICY")
@click.option("--text", metavar="TEXT", help="a text, as if a user or the model had said it")
@click.option(
    "--request",
    "body",
    metavar="FILE",
    type=click.File("rb"),
    help="the body of a chat completions request, or of its answer; - is stdin",
)
@click.option(
    "--direction",
    type=click.Choice([direction.value for direction in Direction]),
    default=Direction.INPUT.value,
    show_default=True,
    help="whether it is judged as a request or as an answer",
)
@click.option("--json", "as_json", is_flag=True, help="write a JSON object, no table")
@settings_options(["model"])
def explain_command(
    policy_name: str,
    text: str | None,
    body: BinaryIO | None,
    direction: str,
    *,
    as_json: bool,
    model: str | None,
) -> None:
    """Show what a policy does with a text or a body, and why: every entry and every category.

    Exit code: 0 it passes; 1 it is blocked; 2 it cannot be judged: wrong usage, an unusable policy
    or body, or the classifier failed.

    \b
    Examples:
      guardproxy policy explain strict --text "Should I sell my shares?"
      guardproxy policy explain my-policy.yaml --request request.json
    """
    # Here, because it loads the classifier's libraries, which `check` does not need.
    from guardproxy.cli.policy_explain import run  # noqa: PLC0415

    given = text if body is None else body
    if given is None or (text is not None and body is not None):
        raise click.UsageError("give either --text TEXT or --request FILE")
    try:
        code = run(policy_name, given, Direction(direction), as_json=as_json, model=model)
    except GuardproxyError as error:
        _refuse(error, body)
    raise SystemExit(code)


@policy.command("hash", short_help="Print what `exempt_sha256` names a text by.")
@click.option("--text", metavar="TEXT", help="a text, exactly as the request will hold it")
@click.option(
    "--request",
    "body",
    metavar="FILE",
    type=click.File("rb"),
    help="the body of a chat completions request: every text in it; - is stdin",
)
def hash_command(text: str | None, body: BinaryIO | None) -> None:
    """Print the SHA-256 of texts, as a list for `exempt_sha256` of a policy. No text is shown.

    \b
    Examples:
      guardproxy policy hash --text "You are a helpful agent."
      guardproxy policy hash --request request.json
    """
    given = text if body is None else body
    if given is None or (text is not None and body is not None):
        raise click.UsageError("give either --text TEXT or --request FILE")
    try:
        policy_hash.run(given)
    except GuardproxyError as error:
        _refuse(error, body)


class _UnusableError(click.ClickException):
    """One line on stderr, and exit code 2 as for wrong usage."""

    exit_code = _UNUSABLE


def _refuse(error: GuardproxyError, body: BinaryIO | None = None) -> NoReturn:
    """Ends the command with one line, which names the file if the fault is in a body."""
    if not isinstance(error, RequestError):
        raise _UnusableError(str(error)) from error
    place = f"{error.param}: " if error.param else ""
    if str(error).startswith(place.rstrip(": ")):
        place = ""
    # The name of stdin is `<stdin>`, of a stream that is put in its place nothing.
    file = "" if body is None else f"{getattr(body, 'name', 'stdin').strip('<>')}: "
    raise _UnusableError(f"{file}{place}{error}") from error
