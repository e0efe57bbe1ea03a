"""One line for each exchange: what was asked, how it ended, why. Never what was said."""

from __future__ import annotations

import logging

from guardproxy.events import Exchange, Judgement, Outcome
from guardproxy.telemetry.records import DataRecord, Plain, escaped, plain

_FAILED = frozenset({Outcome.UPSTREAM_FAILED, Outcome.OVERLOADED})

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

_log = logging.getLogger("guardproxy.access")


class AccessLog:
    """An `events.Observer` that writes the access log."""

    def judged(self, judgement: Judgement) -> None:
        """Nothing: the exchange's line says what came of it."""

    def finished(self, exchange: Exchange) -> None:
        level = level_of(exchange)
        if _log.isEnabledFor(level):
            line = {name: _plain(value) for name, value in exchange._asdict().items()}
            line["seconds"] = round(exchange.seconds, 6)
            _log.handle(DataRecord(_log.name, level, "request", line))


def _plain(value: object) -> Plain:
    # Nearly every value is short text or a number; `plain` knows the rest.
    if type(value) is int or value is None:
        return value
    return escaped(value) if type(value) is str else plain(value)


def level_of(exchange: Exchange) -> int:
    """Errors are ours; warnings are failures of others, and text that went on unjudged.

    Probes that went well are for those who look for them: they come every few seconds, for ever.
    """
    if exchange.outcome is Outcome.FAILED:
        return logging.ERROR
    if exchange.outcome in _FAILED or exchange.unjudged is not None:
        return logging.WARNING
    quiet = exchange.route in _PROBES and exchange.outcome is Outcome.PASSED
    return logging.DEBUG if quiet else logging.INFO
