"""What is allowed, but seldom meant: a line each, for whoever starts or checks something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from guardproxy.errors import PolicyError
from guardproxy.policy.config import PassthroughRoute, PolicyConfig
from guardproxy.settings import Settings

_PREFIX = "GUARDPROXY_"
# What Kubernetes tells every container of a Service that is named guardproxy.
_SERVICE_LINK = re.compile(r"SERVICE_(HOST|PORT\w*)|PORT_\d+_\w+")


def unknown_variables(environment: Iterable[str]) -> Iterator[str]:
    """Variables that look like ours and are not read."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(environment):
        prefix, name = variable[: len(_PREFIX)], variable[len(_PREFIX) :]
        if prefix == _PREFIX and name not in known and not _SERVICE_LINK.fullmatch(name):
            close = get_close_matches(name, known, n=1)
            yield f"{variable}: is not read" + (
                f"; did you mean {_PREFIX}{close[0]}?" if close else ""
            )


def route_as_base(upstream: str) -> Iterator[str]:
    """An upstream that ends like a route, after which the route would come again."""
    from guardproxy.dialects.routes import GUARDED  # noqa: PLC0415 - `policy check` needs none

    path = urlsplit(upstream).path
    if any(path.endswith(route) for route in GUARDED):
        yield "--upstream: ends like a route; give the base URL, e.g. https://api.openai.com/v1"


def unused_routes(policy: PolicyConfig, source: str) -> Iterator[str]:
    """Routes under `passthrough` that are answered in another way before they are looked up."""
    for index, route in enumerate(policy.passthrough):
        if reason := _answered_before(route):
            yield str(PolicyError(reason, file=source, key=f"passthrough[{index}]"))


def _answered_before(route: PassthroughRoute) -> str | None:
    from guardproxy.app import MODERATION_PATHS  # noqa: PLC0415 - loads the classifier
    from guardproxy.dialects.routes import GUARDED  # noqa: PLC0415 - as above
    from guardproxy.proxy.gate import OPEN_TO_ALL  # noqa: PLC0415 - as above

    if route.path in GUARDED and "POST" in route.methods:
        return f"has no effect: POST {route.path} is guarded, not passed as raw text"
    if route.path in MODERATION_PATHS or (route.path in OPEN_TO_ALL and "GET" in route.methods):
        return f"has no effect: {route.path} is guardproxy's own"
    return None
