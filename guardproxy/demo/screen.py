"""What a person sees of the demo: colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

_INDENT = "   "
_WIDEST = 96
_FEWEST_DECISIONS = 3


class Screen:
    """A console, and how far the line has come on it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._column = 0
        self._spaced = False

    def line(self, text: str = "", style: str = "") -> None:
        """One line as it is."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def step(self, number: int, title: str, question: str) -> None:
        """The head of one of the three steps."""
        self._console.print(
            f"\n[bold cyan]{number}[/]  [bold]{escape(title)}[/]", highlight=False, soft_wrap=True
        )
        self.line(f"{_INDENT}> {question}", "yellow")

    def note(self, text: str, *, good: bool) -> None:
        """What came of a step."""
        mark, style = ("ok", "bold green") if good else ("NOT AS EXPECTED", "bold red")
        self._console.print(
            f"{_INDENT}[{style}]{mark}[/]  {escape(text)}", highlight=False, soft_wrap=True
        )

    def word(self, text: str) -> None:
        """A piece of an answer, straight behind the last one; lines break where it has spaces."""
        for position, piece in enumerate(text.split()):
            is_joined = position == 0 and not (self._spaced or text[0].isspace())
            if self._column == 0:
                self._put(_INDENT + piece, len(_INDENT) + len(piece))
            elif is_joined:
                self._put(piece, self._column + len(piece))
            elif self._column + 1 + len(piece) > self._width:
                self._put(f"\n{_INDENT}{piece}", len(_INDENT) + len(piece))
            else:
                self._put(f" {piece}", self._column + 1 + len(piece))
        self._spaced = text[-1].isspace() if text else self._spaced

    def end_of_words(self) -> None:
        """The answer is over."""
        if self._column:
            self._put("\n", 0)
        self._spaced = False

    def results(self, results: Mapping[str, Any]) -> None:
        """`guardrails.results` as it came, one decision a line, violated categories first."""
        for name, result in results.items():
            rest = {key: value for key, value in result.items() if key != "decisions"}
            decisions = violated_first(result.get("decisions", {}))
            violated = sum(decision["violated"] for _, decision in decisions)
            shown = max(_FEWEST_DECISIONS, violated)
            self.line(f'{_INDENT}"{name}": {{"decisions": {{', "dim")
            for category, decision in decisions[:shown]:
                style = "red" if decision["violated"] else "dim"
                self.line(f'{_INDENT}  "{category}": {json.dumps(decision)},', style)
            if len(decisions) > shown:
                self.line(f"{_INDENT}  ... {len(decisions) - shown} more, none violated", "dim")
            self.line(f"{_INDENT}}}, {json.dumps(rest)[1:-1]}}}", "dim")

    def _put(self, text: str, column: int) -> None:
        self._console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        self._column = column


def violated_first(decisions: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """Violated categories first, then by score, highest first."""
    return sorted(
        decisions.items(), key=lambda entry: (not entry[1]["violated"], -entry[1]["score"])
    )
