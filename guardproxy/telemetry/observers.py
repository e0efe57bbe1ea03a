"""One observer out of several, none of which can hurt a request or another observer."""

from __future__ import annotations

import logging

from guardproxy.events import Exchange, Judgement, Observer

_log = logging.getLogger("guardproxy.observers")


class Observers:
    """Tells each observer in turn. An observer's error is logged once, not once a request."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._failed: set[tuple[int, str]] = set()

    def judged(self, judgement: Judgement) -> None:
        for observer in self._observers:
            try:
                observer.judged(judgement)
            except Exception as error:  # noqa: BLE001 - a count that fails must not fail a request
                self._log_once(observer, "judged", error)

    def finished(self, exchange: Exchange) -> None:
        for observer in self._observers:
            try:
                observer.finished(exchange)
            except Exception as error:  # noqa: BLE001 - a count that fails must not fail a request
                self._log_once(observer, "finished", error)

    def _log_once(self, observer: Observer, call: str, error: Exception) -> None:
        if (id(observer), call) not in self._failed:
            self._failed.add((id(observer), call))
            _log.error("%s.%s failed", type(observer).__name__, call, exc_info=error)
