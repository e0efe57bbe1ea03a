"""Cutting a long text into windows of tokens, so that nothing of it goes unjudged.

Windows start at fixed distances from the start of the text: a text that has grown has the same
windows as before and a few more, and only those cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

SLICE_CHARACTERS: Final = 8192
"""Most characters a tokenizer gets at once: about 10 ms, after which it can be told to stop."""


def collapse_white_space(text: str) -> str:
    """Runs of white space as one space, none at the ends: a megabyte of blanks costs one token."""
    return " ".join(text.split())


def slices(text: str, size: int = SLICE_CHARACTERS) -> Iterator[str]:
    """The text in order, in pieces of at most `size` characters, cut at the last space if any.

    Joined, the pieces are the text; the space a cut falls on leads the next piece.
    """
    start = 0
    while len(text) - start > size:
        cut = text.rfind(" ", start + 1, start + size)
        end = cut if cut != -1 else start + size
        yield text[start:end]
        start = end
    yield text[start:]


def cut(tokens: Sequence[int], size: int, overlap: int) -> list[Sequence[int]]:
    """Windows of at most `size` tokens, each beginning `size - overlap` after the one before.

    Every token is in at least one window; neighbours share `overlap` tokens; only the last window
    may be shorter. An empty text has one empty window, so that it too gets a score.
    """
    step = size - overlap
    starts = range(0, max(1, len(tokens) - overlap), step)
    return [tokens[start : start + size] for start in starts]
