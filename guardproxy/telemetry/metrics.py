"""Everything at `/metrics`, for Prometheus. Numbers and fixed words only; no text, no key, no path.

With more than one process each writes its numbers to files of a shared folder, and whichever is
asked adds up all of them (prometheus_client's multi-process mode).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from guardproxy.telemetry.loop_lag import LoopLag
from guardproxy.telemetry.traffic import TrafficMetrics

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client reads it when it is first imported; nothing else tells it."""

RUN_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
RUN_TOKENS = (8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024)


def prepare_multiprocess(folder: Path) -> None:
    """Share metrics between the processes that are started after this.

    Call it in the parent, with an empty folder of this run, before it starts workers by `spawn`:
    a process whose prometheus_client is already imported stays by itself.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink()
    os.environ[MULTIPROCESS_VARIABLE] = str(folder)


def _forget_ended_processes(folder: Path) -> None:
    """Take processes that are gone out of the gauges that add up living ones."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        if _is_gone(pid):
            mark_process_dead(pid, str(folder))


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        # EPERM: it lives, as somebody else's.
        return error.errno == errno.ESRCH
    return False


class ClassifierMetrics:
    """The classifier's runs, queue and cache; fits `classifiers.observer.Observer`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._of_runs(registry)
        self._queue_depth = Gauge(
            "guardproxy_classifier_queue_depth",
            "Runs waiting for a thread.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._abandoned = Gauge(
            "guardproxy_classifier_abandoned_threads",
            "Threads busy with a run nobody waits for any more.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        cache = Counter(
            "guardproxy_cache_requests",
            "Scores asked of the cache, by whether it had them.",
            ("result",),
            registry=registry,
        )
        self._cache = {True: cache.labels("hit"), False: cache.labels("miss")}

    def _of_runs(self, registry: CollectorRegistry) -> None:
        self._run_seconds = Histogram(
            "guardproxy_classifier_run_seconds",
            "Time of one run of the model, without the wait for a thread.",
            buckets=RUN_SECONDS,
            registry=registry,
        )
        self._run_tokens = Histogram(
            "guardproxy_classifier_tokens",
            "Tokens of one run: its batch size, since on a CPU a run takes one window of one text.",
            buckets=RUN_TOKENS,
            registry=registry,
        )

    def ran(self, seconds: float, tokens: int) -> None:
        self._run_seconds.observe(seconds)
        self._run_tokens.observe(tokens)

    def queued(self, depth: int) -> None:
        self._queue_depth.set(depth)

    def cache(self, *, hit: bool) -> None:
        self._cache[hit].inc()

    def abandoned(self, threads: int) -> None:
        self._abandoned.set(threads)


class ProcessMetrics(Collector):
    """What runs here: version, policy, model; requests in progress; reloads; log lines lost."""

    def __init__(self, registry: CollectorRegistry, *, version: str) -> None:
        registry.register(self)
        self._requests = 0
        self._policy: tuple[str, str] | None = None
        self._policy_info = self._processes(registry, "policy", ("name", "version"))
        self._model_info = self._processes(registry, "model", ("name", "sha256"))
        self._processes(registry, "build", ("version",)).labels(version).set(1)
        reloads = Counter(
            "guardproxy_policy_reloads",
            "Policies read while running; a refused one leaves the last good one in force.",
            ("result",),
            registry=registry,
        )
        self._loaded, self._refused = reloads.labels("loaded"), reloads.labels("refused")
        self._in_progress = Gauge(
            "guardproxy_requests_in_progress",
            "Requests whose body is whole and whose answer is not.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._lost_lines = Counter(
            "guardproxy_log_lines_dropped",
            "Log lines dropped because nobody took them in time.",
            registry=registry,
        )

    @staticmethod
    def _processes(registry: CollectorRegistry, what: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(
            f"guardproxy_{what}_info",
            f"Processes that run this {what}.",
            labels,
            registry=registry,
            multiprocess_mode="livesum",
        )

    def policy_started(self, name: str, version: str) -> None:
        """The first policy of this process."""
        if self._policy is not None:
            # To zero, not removed: files shared between processes know no removal.
            self._policy_info.labels(*self._policy).set(0)
        self._policy = (name, version)
        self._policy_info.labels(name, version).set(1)

    def policy_reloaded(self, name: str, version: str) -> None:
        self.policy_started(name, version)
        self._loaded.inc()

    def policy_refused(self) -> None:
        self._refused.inc()

    def model_loaded(self, name: str, sha256: str) -> None:
        self._model_info.labels(name, sha256).set(1)

    def in_progress(self, requests: int) -> None:
        self._requests = requests

    def flush(self) -> None:
        """Hands over what changes with each request; see `tallies`."""
        self._in_progress.set(self._requests)

    def collect(self) -> Iterable[Metric]:
        """Nothing of its own: a registry asks this first, and the others have all of it then."""
        self.flush()
        return ()

    def log_line_dropped(self) -> None:
        self._lost_lines.inc()


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of a process, by who reports them."""

    registry: CollectorRegistry
    traffic: TrafficMetrics
    classifier: ClassifierMetrics
    process: ProcessMetrics
    loop_lag: LoopLag

    @classmethod
    def create(cls, *, version: str) -> Metrics:
        # A second series for each, of when it began: twice the page, and no use to Prometheus.
        disable_created_metrics()
        registry = CollectorRegistry(auto_describe=False)
        if MULTIPROCESS_VARIABLE not in os.environ:
            # CPU, memory, descriptors. Of one process only, so not with several.
            ProcessCollector(registry=registry)
        return cls(
            registry,
            TrafficMetrics(registry),
            ClassifierMetrics(registry),
            ProcessMetrics(registry, version=version),
            LoopLag(registry),
        )

    def flush(self) -> None:
        """Hands over what was added up, for the pages of other processes."""
        self.traffic.flush()
        self.process.flush()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Body and Content-Type: Prometheus' text, or OpenMetrics if `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        folder = os.environ.get(MULTIPROCESS_VARIABLE)
        if folder is None:
            return encode(self.registry), content_type
        self.flush()
        _forget_ended_processes(Path(folder))
        shared = CollectorRegistry()
        MultiProcessCollector(shared, folder)
        return encode(shared), content_type
