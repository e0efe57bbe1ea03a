"""What is measured: the upstream itself, nginx before it, guardproxy in three ways, and others.

A `Gateway` says how one is run; `started` runs it in front of an upstream and gives a `Target`,
to which load can be sent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

from guardproxy.bench import nginx
from guardproxy.bench.processes import Server, free_port, plain_environment, running

Mapped: TypeAlias = Mapping[str, str]

DIRECT: Final = "direct"
NGINX: Final = "nginx"
UNGUARDED: Final = "guardproxy-unguarded"
CACHED: Final = "guardproxy-cached"
JUDGED: Final = "guardproxy-judged"

OPEN_POLICY: Final = """\
name: open
input:
  - moderation_llm_v2:
      ignore_other_categories: true
      custom_category_thresholds: {pii: 1}
output: []
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a gateway is told when it starts."""

    upstream: str
    """The upstream's address, without `/v1`."""
    port: int
    folder: Path
    """For its configuration; gone afterwards."""


def _nothing(_: Start) -> Mapped:
    return {}


@dataclass(frozen=True, slots=True)
class Gateway:
    """How one is run.

    Attributes:
        key: its name in raw results and in rules.
        title: its name in tables.
        version: of the program, as it says itself.
        command: the program and its arguments.
        ready: path that answers when it can work.
        environment: variables it gets beside the usual ones.
        headers: what a request to it must carry.
        repeated: it is asked the same over and over, and answered the same.
        refuses: a text that must not get through it; None if it guards nothing.
        ours: it is guardproxy; a run without it is none.
    """

    key: str
    title: str
    version: str
    command: Callable[[Start], list[str]]
    ready: str
    environment: Callable[[Start], Mapped] = field(default=_nothing)
    headers: Callable[[Start], Mapped] = field(default=_nothing)
    repeated: bool = False
    refuses: str | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers `POST url/v1/chat/completions`."""

    key: str
    server: Server
    headers: Mapped
    repeated: bool = False

    @property
    def url(self) -> str:
        """Where chat completions are asked for."""
        return f"{self.server.url}/v1/chat/completions"


def direct(upstream: Server) -> Target:
    """The upstream without anything before it."""
    return Target(DIRECT, upstream, {})


@contextmanager
def started(gateway: Gateway, upstream: str, folder: Path) -> Iterator[Target]:
    """Runs a gateway in front of an upstream as long as the block lasts.

    Args:
        gateway: which.
        upstream: its address, without `/v1`.
        folder: an own, empty one.

    Raises:
        ConfigurationError: it did not get ready.
    """
    start = Start(upstream, free_port(), folder)
    environment = {**plain_environment(), **gateway.environment(start)}
    command = gateway.command(start)
    with running(
        gateway.title, command, start.port, ready=gateway.ready, environment=environment
    ) as server:
        yield Target(gateway.key, server, gateway.headers(start), gateway.repeated)


def guardproxies() -> list[Gateway]:
    """Guardproxy without guards, with verdicts it remembers, and with judgements to make."""
    return [
        _guardproxy(UNGUARDED, "guardproxy, empty policy", _serve_open),
        _guardproxy(CACHED, "guardproxy, verdicts cached", serve, repeated=True),
        _guardproxy(JUDGED, "guardproxy, every text judged", serve),
    ]


def serve(start: Start, *more: str) -> list[str]:
    """`guardproxy serve` by this interpreter, with everything as it is by default."""
    return [
        sys.executable, "-m", "guardproxy", "serve", "--port", str(start.port),
        "--log-level", "warning", "--upstream", f"{start.upstream}/v1", *more,
    ]  # fmt: skip


def _serve_open(start: Start) -> list[str]:
    policy = start.folder / "open.yaml"
    policy.write_text(OPEN_POLICY, encoding="utf-8")
    return serve(start, "--policy", str(policy))


def _guardproxy(
    key: str, title: str, command: Callable[[Start], list[str]], *, repeated: bool = False
) -> Gateway:
    return Gateway(
        key, title, version("guardproxy"), command, "/readyz", repeated=repeated, ours=True
    )


def workers(count: int) -> Gateway:
    """Guardproxy as so many processes, each of which judges on one core."""

    def command(start: Start) -> list[str]:
        return serve(start, "--workers", str(count), "--classifier-threads", "1")

    return _guardproxy(f"guardproxy-workers-{count}", f"guardproxy, {count} workers", command)


def reverse_proxy(program: str, number: str) -> Gateway:
    """The nginx that was found, of this version, as a reverse proxy."""

    def command(start: Start) -> list[str]:
        address = start.upstream.removeprefix("http://")
        configuration = nginx.proxy_configuration(start.folder, address, start.port)
        return nginx.command(program, start.folder, configuration)

    return Gateway(NGINX, "nginx, reverse proxy", number, command, "/")
