"""`guardproxy demo` itself: servers up, the tour, how to go on, servers down."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from guardproxy.app import Application
from guardproxy.demo.screen import Screen
from guardproxy.demo.servers import serving
from guardproxy.demo.upstream import example_upstream
from guardproxy.settings import LogFormat, LogLevel, Settings
from guardproxy.telemetry.logs import installed

_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended: 128 + SIGINT."""
# The first judgement of a machine that has just installed all this may wait for its disk.
_PATIENCE_SECONDS = 30.0


@click.command()
@click.option("--keep", is_flag=True, help="Leave proxy and example upstream running.")
@click.option("--upstream-only", is_flag=True, help="Run only the example upstream.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port of what keeps running; 0 picks one.",
)
def demo(*, keep: bool, upstream_only: bool, port: int) -> None:
    """See it work: three questions through the openai client, no API key, no network.

    Exit status 0 only if the harmless question was answered, the harmful one refused, and the
    answer that turned harmful cut.
    """
    screen = Screen(Console(highlight=False))
    if upstream_only:
        sys.exit(_run(_upstream(screen, port)))
    if find_spec("openai") is None:
        raise click.ClickException(
            'the demo needs the openai client: pip install "guardproxy[demo]"'
        )
    sys.exit(_run(_show(screen, keep=keep, port=port)))


def _run(work: Coroutine[Any, Any, bool]) -> int:
    """Runs to the end, or to Ctrl-C; the exit status."""
    try:
        with installed(LogLevel.WARNING, LogFormat.TEXT):
            return 0 if asyncio.run(work) else 1
    except KeyboardInterrupt:
        click.echo()  # below the ^C
        return _INTERRUPTED


async def _upstream(screen: Screen, port: int) -> bool:
    async with serving(example_upstream(), port) as address:
        screen.line(f"example upstream on {address} (Ctrl-C ends it)")
        await _until_terminated()
    return True


async def _show(screen: Screen, *, keep: bool, port: int) -> bool:
    screen.line("guardproxy demo: everything on this machine, no API key, no network", "dim")
    # Only now: it needs `openai`, which is not installed with the proxy.
    tour = import_module("guardproxy.demo.tour").tour
    upstream = example_upstream()
    async with serving(upstream) as upstream_url:
        proxy = Application(_settings(upstream_url))
        async with serving(proxy, port, lifespan=True) as proxy_url:
            screen.line(f"openai client -> guardproxy {proxy_url} -> example API {upstream_url}")
            good: bool = await tour(proxy_url, screen, lambda: upstream.state.questions)
            _say_how_to_go_on(screen)
            if keep:
                screen.line(f"\nStill running on {proxy_url} (Ctrl-C ends it)", "bold")
                await _until_terminated()
    return good


def _settings(upstream_url: str) -> Settings:
    """The embedded policy and model, whatever the environment says of the real proxy."""
    return Settings(
        upstream=upstream_url,
        policy=None,
        model=None,
        client_keys=None,
        upstream_api_key=None,
        forward_guardrails=False,
        classifier_timeout=_PATIENCE_SECONDS,
    )


def _say_how_to_go_on(screen: Screen) -> None:
    screen.line("\nIn front of a real API:", "bold")
    screen.line(f"   {_program()} serve --upstream https://api.openai.com/v1")
    screen.line("and one line in your app:", "bold")
    screen.line('   client = OpenAI(base_url="http://127.0.0.1:8080/v1")')
    screen.line("README.md goes on from here: policies, other clients, operation.", "dim")


def _program() -> str:
    """How this very program can be called again."""
    called = Path(sys.argv[0])
    if shutil.which("guardproxy") is not None or called.name != "guardproxy":
        return "guardproxy"
    with suppress(ValueError):
        return str(called.absolute().relative_to(Path.cwd()))
    return str(called)


async def _until_terminated() -> None:
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()

    def notice(*_: object) -> None:
        loop.call_soon_threadsafe(terminated.set)

    # Not a handler of the loop's: Windows has none.
    signal.signal(signal.SIGTERM, notice)
    await terminated.wait()
