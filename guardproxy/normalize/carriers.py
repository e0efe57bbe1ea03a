"""Hidden text: what tags and variation selectors carry, which nobody sees and models read."""

from __future__ import annotations

import re

from guardproxy.normalize.slices import occurs, substitute

# A tag or a selector carries a byte. Tags stand in three flags, too: a black one, a region, an end.
_FLAG = (
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)"
    "\U000e007f"
)
_CARRIERS = re.compile(f"({_FLAG})|[\ufe00-\ufe0f\U000e0000-\U000e007f\U000e0100-\U000e01ef]++")
_TAGS = re.compile(f"({_FLAG})|[\U000e0000-\U000e007f]++")
# Any tag, and selectors that carry more than signs: Chinese characters have lower ones.
_TELLING = re.compile("[\U000e0020-\U000e007f\U000e0120-\U000e01ef]")
_CONTROL_BYTES = bytes({*range(32)} - {*b"\t\n\r"})
# The tag that ends a flag ends a word, where the flag is none.
_END_AS_SPACE = bytes.maketrans(b"\x7f", b" ")
_SAYS = re.compile("[^\x00-/:-@[-`{-\x7f]")
_HIDDEN_DEEP = 3


def reveal(text: str) -> str:
    """The text with what tags and variation selectors carry, which may be such characters again."""
    if not occurs(_TELLING, text):
        return text
    for _ in range(_HIDDEN_DEEP):
        text = _read_carriers(text)
    return substitute(_TAGS, lambda run: run[1] or "", text)


def _read_carriers(text: str) -> str:
    """What is carried where it stands, and all of it once more in one piece, behind the text.

    In place it may be a part of a word; in one piece it does not matter what stands between.
    """
    runs: list[str] = []

    def shown(run: re.Match[str]) -> str:
        if run[1]:
            return run[1]
        runs.append(run[0])
        return _carried(run[0])

    in_place = substitute(_CARRIERS, shown, text)
    hidden = _carried("".join(runs))
    return f"{in_place} {hidden} " if _SAYS.search(hidden) else text


def _carried(carriers: str) -> str:
    """Tags are ASCII; selectors are bytes: the first sixteen and 240 of the supplement."""
    carried = bytes(map(_byte, carriers)).translate(_END_AS_SPACE, _CONTROL_BYTES)
    return carried.decode("utf-8", errors="ignore")


def _byte(carrier: str) -> int:
    code = ord(carrier)
    if code < 0xFE10:
        return code - 0xFE00
    return code - 0xE0000 if code < 0xE0080 else code - 0xE0100 + 16
