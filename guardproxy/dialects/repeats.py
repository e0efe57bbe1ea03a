"""What of a stream has been said before: the Responses API says every text up to five times.

A text that was handed out whole, or in pieces of one channel, is covered by the judgement on it
wherever it comes again. So the work stays linear in the answer, and a repeat that differs in one
character is a new text.
"""

from __future__ import annotations

import hashlib
import re

ECHOED = re.compile(r"(?:instructions|tools)(?:[.\[].*)?", re.DOTALL)
"""Fields of OpenAI's Responses that repeat the request's own. They may go on unjudged where the
policy exempts them, so what the model says is no repeat of them."""
_MOST_KNOWN = 4_096
"""Texts remembered, as digests; what is forgotten is judged again."""


class Repeats:
    """Remembers texts by digest, so that its size does not depend on theirs."""

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}
        self._running: dict[str, hashlib.blake2b] = {}
        self._changed: set[str] = set()

    def continues(self, channel: str, text: str) -> None:
        """Notes that a channel goes on with a text."""
        digest = self._running.setdefault(channel, _new())
        digest.update(_bytes(text))
        self._changed.add(channel)

    def is_new(self, text: str) -> bool:
        """Whether a whole text was said never before; from now on it was."""
        for channel in self._changed:
            self._remember(self._running[channel].digest())
        self._changed.clear()
        digest = _new()
        digest.update(_bytes(text))
        return self._remember(digest.digest())

    def _remember(self, digest: bytes) -> bool:
        new = digest not in self._known
        self._known[digest] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return new


def _new() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
