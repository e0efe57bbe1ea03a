"""The house itself: every module tested and explained, every setting documented, sizes kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardproxy.cli import main
from guardproxy.settings import Settings
from tests.tables import PAGES, TABLES, rendered, tables_in

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "guardproxy"
MODULES = sorted(PACKAGE.rglob("*.py"))

UNTESTED = {
    "__main__.py": "two lines; run as a process by the tests of the command line",
}
"""Module -> why it has no test file of its own."""

MODULE_BUDGET, MODULE_CAP = 250, 400
FUNCTION_BUDGET, FUNCTION_CAP = 30, 60
"""Lines. What is over its budget is reported, what is over its cap fails."""

FORBIDDEN = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
SILENCED = re.compile(r"#\s*(?:type:\s*ignore|noqa|pyright:\s*ignore)(?P<rest>.*)")
CODED = re.compile(r"^\s*(?:\[[a-zA-Z, -]+\]|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)(?P<reason>.*)")


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def functions_of(module: Path) -> Iterator[tuple[str, int]]:
    """Name and line count of every function; decorators and docstring do not count."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            if ast.get_docstring(node) is not None and len(node.body) > 1:
                first = node.body[1]
            yield node.name, (node.end_lineno or node.lineno) - first.lineno + 1


def behaves(module: Path) -> bool:
    """Holds a function that does something: values and protocols alone need no test."""
    functions = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(not isinstance(statement, ast.Expr) for statement in node.body)
        for node in functions
    )


def expected_test(module: Path) -> Path:
    relative = module.relative_to(PACKAGE)
    stem = relative.parent.name if relative.stem == "__init__" else relative.stem.strip("_")
    return ROOT / "tests" / relative.parent / f"test_{stem}.py"


def test_every_module_has_a_test_file() -> None:
    missing = [
        expected_test(module).relative_to(ROOT).as_posix()
        for module in MODULES
        if behaves(module)
        and name_of(module) not in UNTESTED
        and not expected_test(module).exists()
    ]

    assert not missing, "\n".join(missing)


def test_no_module_is_excused_for_nothing() -> None:
    stale = [name for name in UNTESTED if not (PACKAGE / name).exists()]

    assert not stale


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


def sizes() -> Iterator[tuple[str, int, int, int]]:
    """What, its lines, its budget, its cap."""
    for module in MODULES:
        lines = len(module.read_text(encoding="utf-8").splitlines())
        yield name_of(module), lines, MODULE_BUDGET, MODULE_CAP
        for function, length in functions_of(module):
            yield f"{name_of(module)}: {function}", length, FUNCTION_BUDGET, FUNCTION_CAP


def test_modules_and_functions_stay_small() -> None:
    for what, lines, budget, _ in sizes():
        if lines > budget:
            print(f"{what}: {lines} lines, budget {budget}")  # noqa: T201 - the report; see it with -rP

    assert not [f"{what}: {lines} lines" for what, lines, _, cap in sizes() if lines > cap]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_is_left_for_later(module: Path) -> None:
    assert not FORBIDDEN.findall(module.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_what_silences_a_checker_has_a_code_and_a_reason(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if silenced := SILENCED.search(line):
            coded = CODED.match(silenced["rest"])
            before = lines[number - 1].strip() if number else ""

            assert coded, f"{name_of(module)}:{number + 1}: no code"
            assert coded["reason"].strip(" -#") or before.startswith("#"), (
                f"{name_of(module)}:{number + 1}: no reason beside or above it"
            )


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_the_tables_of_a_page_are_what_the_code_says(file: Path) -> None:
    page = file.read_text(encoding="utf-8")

    assert page == rendered(page), f"docs/{file.name} is out of date: run `make docs`"


def test_every_table_has_its_place() -> None:
    placed = {name for file in PAGES for name in tables_in(file.read_text(encoding="utf-8"))}

    assert TABLES.keys() <= placed


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    missing = [f for f in Settings.model_fields if f"`GUARDPROXY_{f.upper()}`" not in page]

    assert not missing


def test_every_setting_is_shown_by_serve_help() -> None:
    # A secret may be shown as its variable alone: an option would stand in every process list.
    shown = CliRunner().invoke(main, ["serve", "--help"], terminal_width=200).output
    missing = [
        field
        for field in Settings.model_fields
        if f"--{field.replace('_', '-')}" not in shown
        and f"GUARDPROXY_{field.upper()}" not in shown
    ]

    assert not missing


def test_no_error_is_gathered_as_a_result_and_no_wall_clock_is_a_deadline_x6_x25() -> None:
    """An exception among results is truthy; a clock that is set back makes a timeout endless."""
    found = [
        f"{name_of(module)}:{number}"
        for module in MODULES
        for number, line in enumerate(module.read_text(encoding="utf-8").splitlines(), 1)
        if "return_exceptions" in line or re.search(r"\btime\.time\(", line)
    ]

    assert found == []
