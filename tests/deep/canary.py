"""The sentence that must not get past, and the judge that knows nothing else."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from guardproxy.content import Passage
from guardproxy.normalize import views
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Scores
from tests.dialects.bodies import CANARY

# A guard may lose the white space between two words, but a word that it breaks is lost to a model.
_NEEDLE = re.compile(r"\s*".join(map(re.escape, CANARY.split())), re.IGNORECASE)

DISGUISES: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "zero-width": "\u200b".join,
    "soft hyphen": lambda text: text.replace("n", "n\u00ad"),
    "full-width": lambda text: "".join(
        chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in text
    ),
    "look-alikes": lambda text: text.translate(str.maketrans("aeo", "\u0430\u0435\u043e")),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "entity": lambda text: html.escape(text).replace("a", "&#97;"),
    "percent": urllib.parse.quote,
    "escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
}
"""All of them contain what no id contains, so they are judged in every field."""
ONE_WORD: Mapping[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
}
"""These look like ids: judged where text stands."""


def sings(text: str) -> bool:
    """Whether the sentence is in a text, as it stands or once a disguise is undone."""
    return _NEEDLE.search(text) is not None or _sings_undone(text)


@lru_cache(maxsize=20_000)
def _sings_undone(text: str) -> bool:
    # The tokenizer of the model normalises by NFKC, so views leave that to it.
    return any(_NEEDLE.search(unicodedata.normalize("NFKC", view)) for view in views(text))


class CanaryJudge:
    """A `Classifier` that finds the sentence dangerous, and nothing else."""

    name = "canary 1.0"
    default_thresholds: Mapping[str, float] = dict.fromkeys(V2_CATEGORIES, 0.5)
    context_characters = 0

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        found = [0.9 if sings(passage.text) else 0.01 for passage in passages]
        return [dict.fromkeys(V2_CATEGORIES, 0.01) | {"dangerous": score} for score in found]
