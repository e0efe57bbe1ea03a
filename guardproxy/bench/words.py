"""Texts to send: of common words, each one token of the embedded model behind another word."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

WORDS_FILE: Final = Path(__file__).with_name("words.txt")
"""One word a line."""


def all_words() -> list[str]:
    """The words, in their order."""
    return WORDS_FILE.read_text(encoding="utf-8").split()


def repeated_prompt(length: int) -> str:
    """The one that `load.lua` sends over and over, so that it can have been judged before."""
    words = all_words()
    return " ".join(words[place % len(words)] for place in range(length))


class Prompts:
    """New ones, of random words."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311 - words, not secrets
        self._words = all_words()

    def new(self, length: int) -> str:
        """One that was never given before."""
        return " ".join(self._source.choices(self._words, k=length))
