"""The checklist of bad inputs: each of its rows is named by a test.

A row's id stands in the name of a test function (`test_h9_trailers_are_dropped`) or begins the id
of a parameter (`H24-url-70k`). What a row asks for is what those tests say; where we do otherwise,
they say why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = """
H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 H11 H12 H13 H14 H15 H16 H17 H18 H20 H21 H22 H23 H24 H25 H26 H28 H29
H30
E1 E2 E3 E5 E7 E8 E9 E10 E11 E12 E13 E14 E15 E16
C1 C2 C3 C4 C6 C7 C8 C9 C11 C12 C13 C14 C15
J1 J2 J3 J5 J6 J7 J8 J9 J10 J11 J13 J15 J16 J17 J18 J19 J20 J21 J22
M1 M2 M3 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15 M17 M18 M19 M20 M22 M23 M24 M25 M26
S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S13 S15 S16 S17 S19 S20 S21 S22 S23 S25 S26 S27 S28 S29 S30 S31
S32 S33 S34
P1 P2 P4 P5 P6 P7 P8 P9
X1 X2 X4 X5 X6 X7 X8 X9 X10 X11 X12 X13 X14 X15 X16 X17 X18 X19 X20 X21 X25 X26 X27 X28 X29
"""
"""H: HTTP framing, E: routes, C: codings, J: JSON, M: messages, S: answers, P: policy files, X:
failures, load and lifecycle (docs/faults.md has their figures). X22 to X24 ask for limits by key, a
store and webhooks, which do not exist here."""

_ROW = re.compile(r"[HECJMSPX]\d{1,2}", re.IGNORECASE)
_PARAMETER = re.compile(r"([HECJMSPX]\d{1,2})(?:[ -]\S.*)?", re.IGNORECASE)


def rows_named(file: Path) -> Iterator[str]:
    """The rows that names of tests and of their parameters tell of."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test_"):
                yield from filter(_ROW.fullmatch, node.name.split("_"))
        elif isinstance(node, ast.Constant):
            parameter = _PARAMETER.fullmatch(str(node.value))
            if parameter is not None:
                yield parameter[1]


def test_every_row_of_the_checklist_has_a_test() -> None:
    named = {row.upper() for file in TESTS.rglob("test_*.py") for row in rows_named(file)}

    assert not [row for row in ROWS.split() if row not in named]
