"""One line for each exchange: what was asked, how it ended, why. Never what was said."""

from __future__ import annotations

import logging
from dataclasses import fields

from guardproxy.events import Exchange, Judgement, Outcome

_FAILED = frozenset({Outcome.UPSTREAM_FAILED, Outcome.OVERLOADED})

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_FIELDS = tuple(field.name for field in fields(Exchange))

_log = logging.getLogger("guardproxy.access")


class AccessLog:
    """An `events.Observer` that writes the access log."""

    def judged(self, judgement: Judgement) -> None:
        """Nothing: the exchange's line says what came of it."""

    def finished(self, exchange: Exchange) -> None:
        level = level_of(exchange)
        if _log.isEnabledFor(level):
            line = {name: getattr(exchange, name) for name in _FIELDS}
            line["seconds"] = round(exchange.seconds, 6)
            _log.log(level, "request", extra=line)


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
