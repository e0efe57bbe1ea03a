"""A proxy and its upstream for each file; most ask a classifier that looks for words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from guardproxy.app import Application
from guardproxy.guard import Classifier
from guardproxy.settings import Settings
from tests import servers
from tests.asgi import Listener
from tests.fakes import KeywordClassifier
from tests.servers import RawAnswer, ScriptedUpstream, ask, post, served


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running guardproxy, what it asks, and what it tells."""

    url: str
    api: ScriptedUpstream
    listener: Listener

    def ask(self, text: str = "What is the weather?", **more: object) -> RawAnswer:
        """One chat request."""
        return post(self.url, ask(text, **more))

    def get(self, path: str) -> RawAnswer:
        return post(self.url, b"", method="GET", target=path, content_type=None, length=False)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.get("/metrics").body.decode().splitlines()
            if line.partition("{")[0].partition(" ")[0] == name
            and all(label in line for label in wanted)
        )


@contextmanager
def proxying(
    api: ScriptedUpstream,
    *,
    classifier: Classifier | None = None,
    embedded: bool = False,
    policy: str | None = None,
    **settings: object,
) -> Iterator[Proxy]:
    """A proxy in front of `api`, with a classifier that looks for words unless told otherwise."""
    given: dict[str, object] = {"shutdown_timeout": 1, "cache_entries": 0, **settings}
    chosen = Settings.model_validate({"upstream": api.url, "policy": policy, **given})
    listener = Listener()
    judge = None if embedded else classifier or KeywordClassifier()
    app = Application(chosen, classifier=judge, observer=listener)
    with served(app, chosen) as url:
        yield Proxy(url, api, listener)


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedUpstream]:
    with servers.upstream() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(api: ScriptedUpstream) -> Iterator[Proxy]:
    """The default policy."""
    with proxying(api) as running:
        yield running
