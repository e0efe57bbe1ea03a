"""The tables of docs/configuration.md, made from the code. `make docs` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from guardproxy.policy.config import Limits
from guardproxy.settings import Settings

CONFIGURATION = Path(__file__).parent.parent / "docs" / "configuration.md"

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


def rendered(page: str) -> str:
    """The page with its tables made anew, between the comments that mark them."""
    for name, table in (("settings", settings_table()), ("limits", limits_table())):
        opening, found, rest = page.partition(f"<!-- table: {name} -->\n")
        _, closed, after = rest.partition("<!-- end of table -->")
        if not (found and closed):
            raise ValueError(f"docs/configuration.md has no mark for the table {name!r}")
        page = f"{opening}{found}\n{table}\n\n{closed}{after}"
    return page


if __name__ == "__main__":
    CONFIGURATION.write_text(rendered(CONFIGURATION.read_text(encoding="utf-8")), encoding="utf-8")
