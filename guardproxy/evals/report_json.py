"""The report as JSON: the values of `report`, field for field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from guardproxy.evals.origin import Origin
from guardproxy.evals.report import Report

_DIGITS: Final = 4
"""No interval here is narrower than this."""


def as_json(origin: Origin, report: Report) -> str:
    """An object with `origin`, `sections`, `partial`, `context`; NaN and None are null."""
    content = {"origin": asdict(origin), **asdict(report)}
    return json.dumps(_rounded(content), indent=1, ensure_ascii=False, allow_nan=False)


def _rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return None if value != value else round(value, _DIGITS)  # noqa: PLR0124 - NaN
    return value
