"""Puts what was measured into docs/faults.md, between its markers."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def machine() -> str:
    """What it was measured on."""
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, shared with upstream and callers (load {load} at the end), "
        f"Python {platform.python_version()}, onnxruntime {version('onnxruntime')}, "
        f"uvicorn {version('uvicorn')}."
    )


def write(name: str, text: str) -> None:
    """Replaces the section `name` of the page.

    Raises:
        ValueError: the page has no such section.
    """
    section = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end of measured -->)", re.DOTALL)
    page, found = section.subn(
        lambda markers: f"{markers[1]}\n{text}\n\n{markers[2]}", PAGE.read_text(encoding="utf-8")
    )
    if not found:
        raise ValueError(f"{PAGE.name} has no section {name}")
    PAGE.write_text(page, encoding="utf-8")
