"""The doors beside the guarded ones: what passes, what is refused, and how we are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from starlette.types import ASGIApp, Receive, Scope, Send

from guardproxy.dialects.raw_json import RawJson
from guardproxy.errors import RequestError
from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.config import PassthroughRoute
from guardproxy.proxy import headers as wire
from guardproxy.proxy.endpoint import GuardedEndpoint, Services
from guardproxy.proxy.header_texts import without_texts
from guardproxy.proxy.presence import while_present
from guardproxy.proxy.responses import JSON, Reply, Sender
from guardproxy.proxy.trail import Trail, trail_of

NOT_COVERED: Mapping[str, str] = MappingProxyType(
    {
        "/v1/messages/batches": "Anthropic's message batches",
        "/v1/realtime": "realtime sessions (speech and text in WebSocket frames)",
        "/v1/files": "files (a model reads them later, out of sight)",
        "/v1/batches": "batches (their prompts stand in a file)",
        "/v1/responses": "a stored response (its text is fetched long after it was made)",
        "/api/create": "Ollama's own models (a template changes what they read)",
        "/api/embed": "Ollama's own embeddings (`/v1/embeddings` is guarded)",
    }
)
"""Chat APIs that no dialect covers yet: refused by name, so that nobody takes them for a typo."""

_MODELS_BYTES = 8 * 1024 * 1024
_MODELS_ROUTE = "/v1/models"
_SHOWN_PATH = 120
_UNPLAIN = re.compile(r"[^A-Za-z0-9._~/:{}-]")
# What nobody judges is an id, as in a body: one word of at most 128 characters. A model's name may
# hold slashes (`accounts/fireworks/models/...`).
_ID = "[A-Za-z0-9._~:@-]{1,128}"
_MODELS = re.compile(r"/v1/models(?=.{0,129}\Z)(/[A-Za-z0-9._:@-]+){0,4}", re.ASCII)
# How lists are paged: `limit=20&after_id=model-1`.
_PAGE = re.compile(rb"[A-Za-z0-9._~=&:@,-]{0,128}")
_DOT_SEGMENT = re.compile(r"/\.\.?(/|\Z)")


@dataclass(frozen=True, slots=True)
class Entrance:
    """A route that is served: its path, its method (None: the app says itself), its app.

    `{name}` in a path stands for one segment of at most 128 plain characters.
    """

    path: str
    method: str | None
    app: ASGIApp


class Doors:
    """Leads each request to its route; exact paths only, so that no other spelling slips by."""

    def __init__(self, entrances: Sequence[Entrance], services: Services) -> None:
        self._entrances = {entrance.path: entrance for entrance in entrances}
        self._templates = [
            (_pattern(entrance.path), entrance) for entrance in entrances if "{" in entrance.path
        ]
        self._models = ModelsEndpoint(services)
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, trail = scope["method"], trail_of(scope)
        entrance = self._entrance(scope)
        if entrance is not None and entrance.method in (None, method):
            trail.route = entrance.path
            await entrance.app(scope, receive, send)
            return
        models = _MODELS.fullmatch(scope["path"]) is not None and _is_plain(scope)
        if models and method == "GET":
            trail.route = _MODELS_ROUTE
            await self._models(scope, receive, send)
        elif (route := self._listed(scope)) is not None:
            trail.route = route.path
            await GuardedEndpoint(RawJson(), self._services)(scope, receive, send)
        elif entrance is not None:
            trail.route = entrance.path
            raise _not_allowed(scope, entrance.method)
        elif models:
            trail.route = _MODELS_ROUTE
            raise _not_allowed(scope, "GET")
        else:
            raise self._refusal(scope)

    def _entrance(self, scope: Scope) -> Entrance | None:
        path = scope["path"]
        if (entrance := self._entrances.get(path)) is not None or not _is_plain(scope):
            return entrance
        return next((each for pattern, each in self._templates if pattern.fullmatch(path)), None)

    def _listed(self, scope: Scope) -> PassthroughRoute | None:
        """What nobody knows is judged as raw text if the policy lists it."""
        if not _is_plain(scope):
            return None
        listed = self._services.policy().config.passthrough
        method, path = scope["method"], scope["path"]
        return next((each for each in listed if matches(each, method, path)), None)

    def _refusal(self, scope: Scope) -> RequestError:
        method, path = scope["method"], scope["path"]
        if f"/v1{path}" in self._entrances:
            hint = f"did you mean /v1{path}? The base URL ends in /v1"
        elif known := _not_covered(path):
            hint = f"{known} cannot be judged by this version"
        else:
            hint = "no dialect covers it, so nobody could judge what it carries"
        return RequestError(
            f"{method} {_shown(path)} is refused: {hint}. "
            "A policy may list a route under `passthrough`",
            status=404, code="route_not_covered",
        )  # fmt: skip


def _not_covered(path: str) -> str | None:
    """What is known of a refused path, or of one above it."""
    return next(
        (known for above, known in NOT_COVERED.items() if f"{path}/".startswith(f"{above}/")), None
    )


def _not_allowed(scope: Scope, allowed: str | None) -> RequestError:
    return RequestError(
        f"{scope['method']} {_shown(scope['path'])}: only {allowed} is served here",
        status=405, code="method_not_allowed", allow=allowed,
    )  # fmt: skip


def _shown(path: str) -> str:
    """A path as it may stand in a message: short, and without what a terminal would obey."""
    return _UNPLAIN.sub("?", path[:_SHOWN_PATH])


class ModelsEndpoint:
    """`GET /v1/models`: names of models, passed as they come."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trail = trail_of(scope)
        trail.policy = self._services.policy().label
        await while_present(scope, receive, self._pass(scope, send, trail))

    async def _pass(self, scope: Scope, send: Send, trail: Trail) -> None:
        services = self._services
        path, query = scope["path"], scope["query_string"]
        if not _PAGE.fullmatch(query):
            raise RequestError(
                "nothing is judged here, so a query is names, numbers and ids", code="invalid_query"
            )
        headers = without_texts(wire.for_upstream(scope["headers"], services.upstream_key))
        async with services.upstream.send("GET", path, query, headers, b"") as answer:
            body = await answer.read(_MODELS_BYTES)
            sender = Sender(send, trail)
            told = without_texts(answer.for_client)
            await sender.reply(Reply(answer.status, told, body))


def matches(route: PassthroughRoute, method: str, path: str) -> bool:
    """Whether a listed route covers a path; `{name}` stands for one segment."""
    if method not in route.methods:
        return False
    return _pattern(route.path).fullmatch(path) is not None


def _is_plain(scope: Scope) -> bool:
    """Written without percent-encoding and dot segments: every server reads it the same."""
    path: str = scope["path"]
    return scope["raw_path"] == path.encode() and not _DOT_SEGMENT.search(path)


@lru_cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]*?\\\}", _ID, re.escape(template)))


class JsonDoor:
    """A small JSON document of ours; `describe` says its status and content."""

    def __init__(self, describe: Callable[[], tuple[int, Mapping[str, object]]]) -> None:
        self._describe = describe

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        status, content = self._describe()
        sender = Sender(send, trail_of(scope))
        await sender.reply(Reply(status, JSON, json.dumps(content).encode()))


def alive(policy: Callable[[], ActivePolicy], reload_error: Callable[[], str | None]) -> JsonDoor:
    """`/healthz`: the process answers; which policy is in force, and whether it is the newest."""

    def describe() -> tuple[int, Mapping[str, object]]:
        active = policy()
        return 200, {
            "status": "alive",
            "policy": {"name": active.config.name, "version": active.version},
            "policy_reload": "failed" if reload_error() else "ok",
        }

    return JsonDoor(describe)


def ready(model: str, checksum: str) -> JsonDoor:
    """`/readyz`: the model is verified and warmed up (it is, or nobody would be listening)."""
    return JsonDoor(lambda: (200, {"status": "ready", "model": model, "model_sha256": checksum}))


class MetricsDoor:
    """`/metrics`, in Prometheus' text form."""

    def __init__(self, render: Callable[[], tuple[bytes, str]]) -> None:
        self._render = render

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        body, content_type = self._render()
        sender = Sender(send, trail_of(scope))
        await sender.reply(Reply(200, [(b"content-type", content_type.encode())], body))
