"""The only place where objects are wired together.

Lifetimes: `Application` lives as long as its process, what `_doors` opens as long as the server
runs, everything else as long as a request.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from types import MappingProxyType

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER, open_classifier
from guardproxy.classifiers.ensemble import Ensemble
from guardproxy.classifiers.manifest import ModelFolder, verify_model_folder
from guardproxy.classifiers.observer import Observer as ClassifierObserver
from guardproxy.classifiers.recognizers import pii_score
from guardproxy.dialects.routes import ERROR_WORDS, GUARDED
from guardproxy.errors import ConfigurationError, GuardproxyError, ModelError
from guardproxy.events import Observer
from guardproxy.guard import Classifier, Guard
from guardproxy.moderation import dispatch
from guardproxy.moderation.endpoint import Heard, Surroundings
from guardproxy.moderation.endpoint import routes as moderation_routes
from guardproxy.normalize import readings
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.load import policy_path, resolve_policy
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.proxy.admission import Admission
from guardproxy.proxy.budget import ByteBudget
from guardproxy.proxy.doors import Doors, Entrance, MetricsDoor, alive, ready
from guardproxy.proxy.endpoint import GuardedEndpoint, Services
from guardproxy.proxy.gate import Gate, HeadLimits
from guardproxy.proxy.policy_store import PolicyStore
from guardproxy.proxy.trail import trail_of
from guardproxy.proxy.upstream import Timeouts, Transport, Upstream
from guardproxy.proxy.upstream_pool import UpstreamPool
from guardproxy.settings import Settings
from guardproxy.telemetry.access_log import AccessLog
from guardproxy.telemetry.logs import report_drops_to
from guardproxy.telemetry.metrics import Metrics
from guardproxy.telemetry.observers import Observers

logger = logging.getLogger(__name__)

VERSION = version("guardproxy")
MODERATION_PATHS = dispatch.PATHS


def verified_model(settings: Settings) -> ModelFolder:
    """The model folder, every file of it checked.

    Raises:
        ModelError: see `verify_model_folder`.
    """
    return verify_model_folder(settings.model or EMBEDDED_FOLDER)


def model_to_serve(settings: Settings) -> ModelFolder:
    """The same, of a model that judges every category: callers may ask about any of them.

    Raises:
        ModelError: see `verify_model_folder`; or it judges some of them alone.
    """
    folder = verified_model(settings)
    if missing := [name for name in V2_CATEGORIES if name not in folder.manifest.thresholds]:
        raise ModelError(
            f"{settings.model}: does not judge {missing[0]}; to serve, put it beside one that "
            "does in a folder of several models, for example `embedded` (docs/model.md)"
        )
    return folder


def build_classifier(
    settings: Settings,
    *,
    folder: ModelFolder | None = None,
    observer: ClassifierObserver | None = None,
) -> AbstractAsyncContextManager[Ensemble]:
    """The classifier that judges everything: readings of a text -> model, recognisers -> `pii`."""
    return open_classifier(
        folder or verified_model(settings),
        readings=readings,
        pii_score=pii_score,
        timeout=settings.classifier_timeout,
        queue=settings.classifier_queue,
        threads=settings.classifier_threads,
        cache_entries=settings.cache_entries,
        observer=observer,
    )


def load_active(
    settings: Settings,
    thresholds: Mapping[str, float],
    partial: Mapping[str, float] = MappingProxyType({}),
) -> ActivePolicy:
    """The policy of the settings, with a judge's own thresholds where it names none.

    `partial` are the judge's for text that is not finished.

    Raises:
        PolicyError: see `resolve_policy` and `activate`.
    """
    return activate(resolve_policy(settings.policy), thresholds, partial)


class Application:
    """The ASGI app of a process.

    Args:
        settings: see `Settings`; `upstream` must be given.
        transport: the way to the upstream; its own pool of connections if not given.
        classifier: judges instead of the embedded model; for tests and for other judges.
        observer: told of every exchange, besides metrics and log.
        ready: told when all is loaded, before the first request.
        failed: told why there will be none, if something that was configured cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        classifier: Classifier | None = None,
        observer: Observer | None = None,
        ready: Callable[[], object] = lambda: None,
        failed: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._ready = ready
        self._failed = failed
        self._settings = settings
        self._transport = transport
        self._classifier = classifier
        self._extra = (observer,) if observer else ()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._app is not None:
            await self._app(scope, receive, send)
        else:
            raise RuntimeError("websockets and requests outside its life are not served")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._doors() as self._app:
                self._ready()
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except GuardproxyError as error:
            self._failed(str(error))
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        finally:
            # What lives with it is gone, the judge above all: nothing may look ready any more.
            self._app = None
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _doors(self) -> AsyncIterator[ASGIApp]:
        settings = self._settings
        if settings.upstream is None:
            raise ConfigurationError("no upstream: give --upstream or GUARDPROXY_UPSTREAM")
        folder = verified_model(settings) if self._classifier else model_to_serve(settings)
        metrics = Metrics.create(version=VERSION)
        report_drops_to(metrics.process.log_line_dropped)
        thresholds = (self._classifier or folder.manifest).default_thresholds
        # Another judge's scores are not the embedded model's: nor are its beginnings.
        partial = folder.manifest.partial_thresholds if self._classifier is None else {}
        store = _policy_store(settings, thresholds, partial, metrics)
        metrics.process.model_loaded(folder.manifest.name, folder.manifest.checksum)
        observer = Observers(metrics.traffic, AccessLog(), *self._extra)
        upstream = Upstream(
            settings.upstream,
            self._transport or UpstreamPool(settings.upstream),
            Timeouts(settings.connect_timeout, settings.idle_timeout, settings.request_timeout),
        )
        try:
            async with (
                build_classifier(settings, folder=folder, observer=metrics.classifier) as embedded,
                _watching(store, settings),
                metrics.loop_lag.measured(metrics.flush),
            ):
                judge = self._classifier or embedded
                services = Services(
                    guard=Guard(judge, deadline=settings.classifier_timeout, observer=observer),
                    upstream=upstream,
                    budget=ByteBudget(settings.buffered_bytes),
                    policy=store.active,
                    default_thresholds=judge.default_thresholds,
                    upstream_key=_secret(settings.upstream_api_key),
                    forward_guardrails=settings.forward_guardrails,
                )
                own = _own_doors(store, folder, metrics)
                entrances = [
                    *(
                        Entrance(path, "POST", GuardedEndpoint(dialect, services))
                        for path, dialect in GUARDED.items()
                    ),
                    *(Entrance(path, "GET", door) for path, door in own.items()),
                    *_moderation_doors(judge, embedded, services, settings),
                ]
                admission = Admission(
                    settings.concurrent_requests,
                    crowded=_crowding(judge, store),
                    on_change=metrics.process.in_progress,
                )
                yield _gated(entrances, services, observer, admission, settings)
        finally:
            metrics.flush()
            await upstream.aclose()


def _policy_store(
    settings: Settings,
    thresholds: Mapping[str, float],
    partial: Mapping[str, float],
    metrics: Metrics,
) -> PolicyStore:
    def reloaded(fresh: ActivePolicy | None) -> None:
        if fresh is None:
            metrics.process.policy_refused()
        else:
            metrics.process.policy_reloaded(fresh.config.name, fresh.version)

    store = PolicyStore(lambda: load_active(settings, thresholds, partial), reloaded)
    active = store.active()
    metrics.process.policy_started(active.config.name, active.version)
    if active.uses_v1:
        logger.warning(
            "policy %s uses moderation_llm_v1, which is deprecated: "
            "`guardproxy policy migrate` rewrites it to moderation_llm_v2",
            active.label,
        )
    return store


@asynccontextmanager
async def _watching(store: PolicyStore, settings: Settings) -> AsyncIterator[None]:
    """Reloads the policy on SIGHUP, and when its file changes."""
    loop = asyncio.get_running_loop()
    # Only the main thread hears signals; an application may also run in another.
    hears = hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread()
    if hears:
        loop.add_signal_handler(signal.SIGHUP, store.reload)
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(store.watch(policy_path(settings.policy).absolute()))
            yield
            watch.cancel()
    finally:
        if hears:
            loop.remove_signal_handler(signal.SIGHUP)


def _own_doors(store: PolicyStore, folder: ModelFolder, metrics: Metrics) -> dict[str, ASGIApp]:
    return {
        "/healthz": alive(store.active, lambda: store.last_error),
        "/readyz": ready(folder.manifest.name, folder.manifest.checksum),
        "/metrics": MetricsDoor(metrics.render),
    }


def _moderation_doors(
    judge: Classifier, embedded: Ensemble, services: Services, settings: Settings
) -> list[Entrance]:
    surroundings = Surroundings(
        limits=lambda: services.policy().config.limits,
        idle_seconds=settings.idle_timeout,
        hold=services.budget.account,
        request_id=lambda scope: trail_of(scope).request_id,
        note=_note,
    )
    return [
        Entrance(route.path, None, route.app)
        for route in moderation_routes(judge, embedded, surroundings)
    ]


def _note(scope: Scope, heard: Heard) -> None:
    trail = trail_of(scope)
    trail.outcome, trail.code = heard.outcome, heard.code
    trail.request_bytes = heard.request_bytes


def _crowding(judge: Classifier, store: PolicyStore) -> Callable[[], bool]:
    """Whether new requests are better sent away before they are read.

    Not where the policy lets pass what nobody judged: it would rather answer them.
    """
    if not isinstance(judge, Ensemble):
        return lambda: False
    return lambda: judge.crowded and store.active().blocks_on_error


def _gated(
    entrances: list[Entrance],
    services: Services,
    observer: Observer,
    admission: Admission,
    settings: Settings,
) -> ASGIApp:
    return Gate(
        Doors(entrances, services),
        limits=HeadLimits(settings.header_bytes, settings.header_count, settings.target_bytes),
        observer=observer,
        admission=admission,
        client_keys=settings.caller_keys,
        error_words={**ERROR_WORDS, **dispatch.ERROR_WORDS},
    )


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None
