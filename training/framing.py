"""Texts as token ids, exactly as the proxy gives them to the model.

A row's conversation stands before a text that is short enough to share a window with it; the proxy
shows it only to a model packed so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from guardproxy.classifiers.windows import collapse_white_space, cut
from training.config import CONTEXT
from training.rows import Row

START: Final = 0
PAD: Final = 1
END: Final = 2
SPECIAL: Final = frozenset({0, 1, 2})
AROUND: Final = 3
"""Special tokens of a window with a conversation: before it, between it and the text, behind."""


def most_context(window: int) -> int:
    """Tokens of the conversation that are kept: at most half of a window."""
    return min(CONTEXT.max_tokens, window // 2)


def longest_with_context(window: int) -> int:
    """Tokens of a text that the conversation is shown with: both fit into one window."""
    return window - most_context(window) - AROUND


class Framer:
    """Cuts rows into windows of tokens."""

    def __init__(self, tokenizer: Path, window: int, overlap: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        mask = self._tokenizer.token_to_id("<mask>")
        self._special = SPECIAL | {mask}
        self._window = window
        self._overlap = overlap
        self._most_context = most_context(window)
        self._longest = longest_with_context(window)

    def windows(self, rows: Sequence[Row]) -> list[list[list[int]]]:
        """For each row its windows, each a list of ids with all that stands around the text."""
        texts = self._encode([row.text for row in rows])
        contexts = self._encode([row.context for row in rows])
        return [self._framed(text, context) for text, context in zip(texts, contexts, strict=True)]

    def _framed(self, text: list[int], context: list[int]) -> list[list[int]]:
        shown = bool(context) and len(text) <= self._longest
        before = [START, *context[-self._most_context :], END] if shown else [START]
        room = self._window - len(before) - 1
        return [[*before, *part, END] for part in cut(text, room, min(self._overlap, room // 2))]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        plain = [
            collapse_white_space(text).encode("utf-8", "replace").decode("utf-8") for text in texts
        ]
        encoded = self._tokenizer.encode_batch(plain, add_special_tokens=False)
        return [[i for i in each.ids if i not in self._special] for each in encoded]
