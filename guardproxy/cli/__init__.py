"""The command line: one command `guardproxy`, one module per subcommand."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType

import click

# Imported when they are called: `--help` and `policy check` need neither server nor model.
_COMMANDS = MappingProxyType(
    {
        "serve": "guardproxy.cli.serve:serve",
        "moderate": "guardproxy.cli.moderate:moderate",
        "policy": "guardproxy.cli.policy:policy",
        "demo": "guardproxy.demo:demo",
    }
)


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if (place := _COMMANDS.get(cmd_name)) is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table says so
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="guardproxy", prog_name="guardproxy")
def main() -> None:
    """Guardrail proxy in front of LLM APIs: every request and answer judged by a policy."""
