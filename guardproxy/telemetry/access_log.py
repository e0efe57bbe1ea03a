"""One line for each exchange: what was asked, how it ended, why. Never what was said."""

from __future__ import annotations

import logging
from dataclasses import fields

from guardproxy.events import Exchange, Judgement, Outcome

_FAILED = frozenset({Outcome.UPSTREAM_FAILED, Outcome.OVERLOADED})

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
    """Errors are ours; warnings are failures of others, and text that went on unjudged."""
    if exchange.outcome is Outcome.FAILED:
        return logging.ERROR
    if exchange.outcome in _FAILED or exchange.unjudged is not None:
        return logging.WARNING
    return logging.INFO
