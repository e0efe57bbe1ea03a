"""The servers of a run: upstreams, and the gateways before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from guardproxy.bench import nginx, upstream
from guardproxy.bench.client import check, check_refuses
from guardproxy.bench.gateways import Gateway, Target, started
from guardproxy.bench.processes import HOST, Server, free_port, running
from guardproxy.bench.records import Missing
from guardproxy.bench.words import all_words
from guardproxy.errors import ConfigurationError

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where whole answers come from: always the same one, or new ones."""

    fixed: Server
    new: Server

    def of(self, *, repeated: bool) -> Server:
        """The one for requests that repeat, or that do not."""
        return self.fixed if repeated else self.new


def quick_upstreams(stack: ExitStack, folder: Path) -> Upstreams:
    """Of nginx, which costs least; of Python where it is not installed.

    Args:
        stack: ends them.
        folder: an own, empty one.

    Raises:
        ConfigurationError: they did not start.
    """
    if (program := nginx.find_nginx()) is None:
        server = streaming_upstream(stack)
        return Upstreams(server, server)
    fixed, new = free_port(), free_port()
    folder.mkdir()
    configuration = nginx.upstream_configuration(folder, all_words(), fixed=fixed, new=new)
    command = nginx.command(program, folder, configuration)
    server = stack.enter_context(running("nginx, upstream", command, new, ready="/"))
    return Upstreams(replace(server, url=f"http://{HOST}:{fixed}"), server)


def streaming_upstream(stack: ExitStack) -> Server:
    """The one that speaks in streams.

    Raises:
        ConfigurationError: it did not start.
    """
    port = free_port()
    return stack.enter_context(running("upstream", upstream.command(port), port, ready="/"))


@dataclass(frozen=True, slots=True)
class Stage:
    """Starts gateways, each in a folder of its own.

    Attributes:
        stack: ends them.
        folder: an own, existing one.
        say: told of each.
        missing: what cannot be started is added; guardproxy must start.
    """

    stack: ExitStack
    folder: Path
    say: Say
    missing: list[Missing]

    def start_all(
        self, gateways: Iterable[Gateway], upstream_of: Callable[[Gateway], Server]
    ) -> list[Target]:
        """Those that started and answer as they should.

        Raises:
            ConfigurationError: guardproxy does not.
        """
        targets = []
        for gateway in gateways:
            self.say(f"starting {gateway.title}")
            try:
                targets.append(self.start(gateway, upstream_of(gateway)))
            except ConfigurationError as error:
                if gateway.ours:
                    raise
                self.missing.append(Missing(gateway.title, str(error)))
        return targets

    def start(self, gateway: Gateway, upstream: Server) -> Target:
        """Starts one, and makes sure that it does what it is measured as.

        Raises:
            ConfigurationError: it does not.
        """
        own = self.folder / f"{gateway.key}-{upstream.session}"
        own.mkdir()
        target = self.stack.enter_context(started(gateway, upstream.url, own))
        check(target)
        if gateway.refuses is not None:
            check_refuses(target, gateway.refuses)
        return target
