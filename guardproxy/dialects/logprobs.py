"""What log probabilities say: they repeat an answer token by token, and name what it nearly said.

OpenAI's form holds entries with `token`, `bytes` and `top_logprobs`; the legacy form holds lists,
and objects with tokens as keys. Whatever the form, every string and every `bytes` in it is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from guardproxy.strict_json import JsonValue, string_leaves

_CHOSEN = re.compile(r"(?P<list>\w+)\[\d+\]\.token")
_OWN_WORDS = frozenset(
    {
        "content", "refusal", "token", "logprob", "bytes", "top_logprobs", "tokens",
        "token_logprobs", "text_offset",
    }
)  # fmt: skip


def tokens_said(logprobs: JsonValue, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Pairs of (name of a channel, text), for what says more than the `known` texts.

    A chosen list (`content`) is one text, and so is what its bytes spell; alternatives come as
    `top`, one after the other.
    """
    chosen: dict[str, list[str]] = {}
    others: list[str] = []
    for path, text in string_leaves(logprobs, keys=True):
        if (match := _CHOSEN.fullmatch(path)) and text != "token":
            chosen.setdefault(match["list"], []).append(text)
        elif text not in _OWN_WORDS:
            others.append(text)
    seen = set(known)
    for name, tokens in chosen.items():
        for form, text in ((name, "".join(tokens)), (f"{name}.bytes", _spelled(logprobs, name))):
            if text.strip("\ufffd") and text not in seen:
                seen.add(text)
                yield form, text
    repeated = {token for tokens in chosen.values() for token in tokens}
    others += [text for text in _alternatives(logprobs) if text not in others]
    if others := [text for text in others if text not in repeated]:
        yield "top", " ".join(others)


def _spelled(logprobs: JsonValue, name: str) -> str:
    """What the `bytes` of a list's entries spell together."""
    entries = logprobs.get(name) if isinstance(logprobs, dict) else None
    return _decoded([code for entry in _items(entries) for code in _codes(entry)])


def _alternatives(logprobs: JsonValue) -> Iterator[str]:
    """What all other `bytes` spell, each for itself."""
    pending: list[JsonValue] = [logprobs]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
            # A character that several tokens share shows as replacement marks alone.
            if (text := _decoded(_codes(node))).strip("\ufffd"):
                yield text
        else:
            pending.extend(_items(node))


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _codes(entry: JsonValue) -> list[int]:
    """Numbers of an entry's `bytes`; 98.0 is 98 to a lenient client."""
    codes = _items(entry.get("bytes")) if isinstance(entry, dict) else []
    numbers = [code for code in codes if isinstance(code, int | float)]
    return [int(code) for code in numbers if 0 <= code <= 255]


def _decoded(codes: list[int]) -> str:
    return bytes(codes).decode("utf-8", errors="replace")
