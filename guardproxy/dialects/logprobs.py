"""What log probabilities say: they repeat an answer token by token, and name what it nearly said.

OpenAI's form holds entries with `token`, `bytes` and `top_logprobs`; the legacy form holds lists,
and objects with tokens as keys. Whatever the form, every string and every `bytes` in it is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from guardproxy.strict_json import JsonValue, string_leaves

_CHOSEN = re.compile(r"(?P<list>\w+)\[\d+\]\.token|(?P<legacy>tokens)\[\d+\]")
_RANKS = 3
"""Alternatives of a position that are read along with those of other positions, best first."""
_OWN_WORDS = frozenset(
    {
        "content", "refusal", "token", "logprob", "bytes", "top_logprobs", "tokens",
        "token_logprobs", "text_offset",
    }
)  # fmt: skip


def tokens_said(logprobs: JsonValue, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Pairs of (name of a channel, text), for what says more than the `known` texts.

    A chosen list (`content`, `tokens`) is one text, and so is what its bytes spell; alternatives
    come as `top`, one after the other, and those of one rank as `top[rank]`, joined like a text.
    """
    chosen: dict[str, list[str]] = {}
    others: list[str] = []
    for path, text in string_leaves(logprobs, keys=True):
        if (match := _CHOSEN.fullmatch(path)) and text != "token":
            chosen.setdefault(match["list"] or match["legacy"], []).append(text)
        elif text not in _OWN_WORDS:
            others.append(text)
    seen = set(known)
    for name, text in (*_chosen(logprobs, chosen), *_ranked(logprobs)):
        if text.strip("\ufffd") and text not in seen:
            seen.add(text)
            yield name, text
    repeated = {token for tokens in chosen.values() for token in tokens}
    others += [text for text in _alternatives(logprobs) if text not in others]
    if others := [text for text in others if text not in repeated]:
        yield "top", " ".join(others)


def _chosen(logprobs: JsonValue, chosen: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """What each chosen list says, by its tokens and by its bytes."""
    for name, tokens in chosen.items():
        yield name, "".join(tokens)
        yield f"{name}.bytes", _spelled(logprobs, name)


def _ranked(logprobs: JsonValue) -> Iterator[tuple[str, str]]:
    """What the first alternatives of all positions say together, then the second, and so on."""
    ranks: list[list[JsonValue]] = [[] for _ in range(_RANKS)]
    for position in _positions(logprobs):
        for rank, other in zip(ranks, position, strict=False):
            rank.append(other)
    for number, others in enumerate(ranks):
        if len(others) > 1:  # one alone is said as one of the alternatives
            yield f"top[{number}]", "".join(map(_token, others))
            codes = [code for other in others for code in _codes(other)]
            yield f"top[{number}].bytes", _decoded(codes)


def _positions(logprobs: JsonValue) -> Iterator[Sequence[JsonValue]]:
    """The first alternatives of each position: entries, or an object's keys, which are tokens."""
    for name, entries in logprobs.items() if isinstance(logprobs, dict) else ():
        for entry in _items(entries):
            top = entry
            if name != "top_logprobs":
                top = entry.get("top_logprobs") if isinstance(entry, dict) else None
            yield list(islice(top, _RANKS)) if isinstance(top, dict) else _items(top)[:_RANKS]


def _token(alternative: JsonValue) -> str:
    token = alternative.get("token") if isinstance(alternative, dict) else alternative
    return token if isinstance(token, str) else ""


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
