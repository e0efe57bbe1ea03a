"""The command line: one command `guardproxy`, one module per subcommand."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="guardproxy", prog_name="guardproxy")
def main() -> None:
    """Guardrail proxy in front of LLM APIs: every request and answer judged by a policy."""
