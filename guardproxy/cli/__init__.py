"""The command line: one command `guardproxy`, one module per subcommand."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from guardproxy.cli.ending import ended_well

# Imported when they are called: `--help` needs neither server nor model.
_COMMANDS = MappingProxyType(
    {
        "serve": ("guardproxy.cli.serve:serve", "Guard an LLM API: listen here, judge, pass on."),
        "moderate": (
            "guardproxy.cli.moderate:moderate",
            "Judge texts and show the score of every category.",
        ),
        "eval": (
            "guardproxy.cli.eval:evaluate_command",
            "Measure classifier and policy on labelled texts.",
        ),
        "tune": ("guardproxy.cli.tune:tune_command", "Choose a policy's thresholds on such texts."),
        "model": ("guardproxy.cli.model:model", "Verify, try and time a model folder."),
        "policy": ("guardproxy.cli.policy:policy", "Check, explain and rewrite policies."),
        "bench": ("guardproxy.bench.command:bench", "Measure it on this machine; needs wrk."),
        "demo": ("guardproxy.demo:demo", "See it work: three questions, no API key, no network."),
    }
)


class _LazyGroup(click.Group):
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        with ended_well():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with ended_well():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="guardproxy", prog_name="guardproxy")
def main() -> None:
    """Guardrail proxy in front of LLM APIs: every request and answer judged by a policy."""
