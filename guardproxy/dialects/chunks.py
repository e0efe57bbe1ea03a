"""A text in chunks, at the positions of a list: as one, as whoever joins them reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardproxy.policy.scope import FRAGMENT_CHARACTERS

# A chunk is a string, or has it as its `text`: a list may hold both.
_POSITION = re.compile(r"\[\d+\](?:\.text(?![\w$-]))?")
_IN_A_LIST = "[]"


def whole_and_lines(leaves: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """What `text_leaves` found, each field's chunks without a separator; and the chunks in lines.

    The second has only chunks among which a short one is, which may be a word by itself: longer
    ones lose nothing where two of them meet.
    """
    found = [*leaves]
    if not any("[" in path for path, _ in found):
        return "\n".join(text for _, text in found), ""
    fields: dict[str, list[str]] = {}
    for path, text in found:
        fields.setdefault(_POSITION.sub(_IN_A_LIST, path), []).append(text)
    whole = "\n".join(
        ("" if _IN_A_LIST in name else "\n").join(texts) for name, texts in fields.items()
    )
    lines = (
        "\n".join(texts)
        for name, texts in fields.items()
        if _IN_A_LIST in name and len(texts) > 1 and min(map(len, texts)) < FRAGMENT_CHARACTERS
    )
    return whole, "\n".join(lines)
