"""The tables of the documents, made from the code. `make docs` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from guardproxy.app import MODERATION_PATHS
from guardproxy.dialects.coverage import Form, Side, coverage
from guardproxy.dialects.coverage_forms import FORMS
from guardproxy.dialects.routes import GUARDED
from guardproxy.policy.config import Limits
from guardproxy.proxy.doors import NOT_COVERED
from guardproxy.settings import Settings
from tests.faults.test_classifier_faults import FAULTS as CLASSIFIER_FAULTS
from tests.faults.upstream_faults import FAULTS as UPSTREAM_FAULTS

PAGES = sorted((Path(__file__).parent.parent / "docs").glob("*.md"))

KIB, MIB = 1024, 1024 * 1024

LIMITS = {
    "body_bytes": "largest request body; more is a 413",
    "answer_bytes": "largest answer that is held to be judged; more is a 502",
    "json_depth": "deepest nesting of a JSON body",
    "json_members": "most members and elements in a JSON body, all together",
    "messages": "most messages (or input items) in a request",
    "parts": "most content parts in a request, all messages together",
    "choices": "most choices a request may ask for (`n`), and an answer may hold",
    "tools": "most tool definitions in a request",
    "event_bytes": "largest single event of a stream",
    "hold_bytes": "most bytes of a stream held back while they are judged",
}
"""Field of `policy.config.Limits` -> what it bounds."""


def _unit(name: str) -> str:
    if name.endswith("_bytes"):
        return "bytes"
    return "seconds" if name.endswith(("_timeout", "_seconds")) else ""


def _number(value: float, unit: str) -> str:
    if unit == "bytes" and value % MIB == 0:
        return f"{value:.0f} ({value / MIB:.0f} MiB)"
    if unit == "bytes" and value % KIB == 0:
        return f"{value:.0f} ({value / KIB:.0f} KiB)"
    return str(value).removesuffix(".0")


def _default(name: str, field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, int | float):
        return _number(value, _unit(name))
    return f"`{value}`"


def _rows(
    fields: dict[str, FieldInfo], label: Callable[[str], str], meaning: Callable[[str], str]
) -> Iterator[str]:
    for name, field in fields.items():
        yield f"| `{label(name)}` | {meaning(name)} | {_unit(name)} | {_default(name, field)} |"


def settings_table() -> str:
    fields = Settings.model_fields
    rows = _rows(fields, lambda n: f"GUARDPROXY_{n.upper()}", lambda n: fields[n].description or "")
    return "\n".join(["| variable | meaning | unit | default |", "|---|---|---|---|", *rows])


def limits_table() -> str:
    rows = _rows(Limits.model_fields, str, LIMITS.__getitem__)
    return "\n".join(["| key | bounds | unit | default |", "|---|---|---|---|", *rows])


def routes_table() -> str:
    passed = [("GET", "/v1/models", "passed: names of models")]
    guarded = [("POST", path, f"guarded, as `{each.name}`") for path, each in GUARDED.items()]
    served = [("POST", path, "served here, judged") for path in MODERATION_PATHS]
    own = [("GET", path, "served here") for path in ("/healthz", "/readyz", "/metrics")]
    refused = [("any", path, f"refused: {name}") for path, name in NOT_COVERED.items()]
    other = [("any", "any other", "refused, unless the policy lists it: then judged as raw text")]
    rows = [
        f"| {method} | {f'`{path}`' if path.startswith('/') else path} | {what} |"
        for method, path, what in (*guarded, *passed, *served, *own, *refused, *other)
    ]
    return "\n".join(["| method | route | what becomes of it |", "|---|---|---|", *rows])


def fields_table(form: Form, side: Side) -> str:
    rows = (f"| `{row.field}` | {row.treatment} |" for row in coverage(form) if row.side is side)
    return "\n".join(["| field | treatment |", "|---|---|", *rows])


def upstream_faults_table() -> str:
    rows = (f"| {fault.name} | {fault.whole} | {fault.streamed} |" for fault in UPSTREAM_FAULTS)
    head = "| what the upstream does | asked for a whole answer | asked for a stream |"
    return "\n".join([head, "|---|---|---|", *rows])


def classifier_faults_table() -> str:
    blocked = "403, code 3201"
    rows = (
        f"| {fault.name} | {blocked} | 200, `x-guardproxy-unjudged: {fault.reason}` |"
        for fault in CLASSIFIER_FAULTS
    )
    head = "| a run of the model | `block_on_error: true` | `block_on_error: false` |"
    return "\n".join([head, "|---|---|---|", *rows])


TABLES: Mapping[str, Callable[[], str]] = {
    "upstream_faults": upstream_faults_table,
    "classifier_faults": classifier_faults_table,
    "settings": settings_table,
    "limits": limits_table,
    "routes": routes_table,
    **{
        f"{name}_{side.name.lower()}": partial(fields_table, form, side)
        for name, form in FORMS.items()
        for side in form.fields
    },
}
_TABLE = re.compile(
    r"(?P<opening><!-- table: (?P<name>\w+) -->\n).*?(?P<closing><!-- end of table -->)", re.DOTALL
)


def tables_in(page: str) -> list[str]:
    """The names of the tables that a page has a place for."""
    return [match["name"] for match in _TABLE.finditer(page)]


def rendered(page: str) -> str:
    """The page with its tables made anew, between the comments that mark them."""
    return _TABLE.sub(_filled, page)


def _filled(place: re.Match[str]) -> str:
    # A page may have tables that another test compares with the code.
    if (table := TABLES.get(place["name"])) is None:
        return place[0]
    return f"{place['opening']}\n{table()}\n\n{place['closing']}"


if __name__ == "__main__":
    for file in PAGES:
        file.write_text(rendered(file.read_text(encoding="utf-8")), encoding="utf-8")
