"""Characters that nobody sees, or that are out of place: taken away unless they do some work."""

from __future__ import annotations

import re
import unicodedata
from unicodedata import category

from guardproxy.normalize.marks import MARKS
from guardproxy.normalize.slices import occurs, substitute

_EMOJI = (
    "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\U0001f000-\U0001f0ff\U0001f200-\U0001faff"
)
# Invisible where they stand, but doing their work: joiners within scripts that join their letters
# and within emoji, selectors after a symbol or a Chinese character, spaces in scripts without.
# Each stands behind what is left before it. Symbols that NFKC makes letters are part of no word.
_KEPT_INVISIBLE = re.compile(
    f"[\u0590-\u109f\u1780-\u1aff\ua8e0-\uab2f\uabc0-\uabff\ufb1d-\ufefc\ufe0f{_EMOJI}][\u200c\u200d]"
    f"|[\u00a9\u00ae\u203c\u2049\u3030\u303d\u3297\u3299\U0001f18e\U0001f191-\U0001f19a{_EMOJI}]"
    "[\ufe0e\ufe0f]|[#*0-9][\ufe0e\ufe0f]\u20e3"
    "|[\u2122\u2139\u24c2\U0001f170\U0001f171\U0001f17e\U0001f17f][\ufe0e\ufe0f]"
    "(?![\\w\u2460-\u24ff\U0001f100-\U0001f1ff])"
    "|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][\ufe00-\ufe02\U000e0100-\U000e01ef]"
    "|[\u0e00-\u109f\u1780-\u17ff]\u200b"
)
_UNSEEN = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
_UNSEEN_BEYOND = (
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff"
)
# What no font shows as a letter: private, not assigned, replaced. Dropped inside words alone.
_NOTHING = "\ue000-\uf8ff\ufffc\ufffd" + "".join(
    chr(code) for code in range(0x10000) if category(chr(code)) == "Cn"
)
_NOTHING_BEYOND = (
    "\U0001fc00-\U0001ffff\U0002fffe\U0002ffff\U000323b0-\U000dffff\U000e1000-\U0010ffff"
)
_INVISIBLE = re.compile(f"[{_UNSEEN}{_NOTHING}{_UNSEEN_BEYOND}{_NOTHING_BEYOND}]++")
# The same in a text of the first plane, sooner.
_INVISIBLE_WITHIN = re.compile(f"[{_UNSEEN}{_NOTHING}]++")
_DROPPED_IN_WORDS = re.compile(f"[{_NOTHING}{_NOTHING_BEYOND}]")

# Marks that belong to scripts, and the signs before Arabic numbers: each in its own company.
_COMPANIES = (
    "\u0900-\u0dff\u1cd0-\u1cff\ua800-\ua8ff",
    "\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "\u0e00-\u0eff",
    "\u0590-\u05ff\ufb1d-\ufb4f",
    "\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001aff0-\U0003ffff",
    "\u0f00-\u109f\u1700-\u1aaf\u1b00-\u1c7f\ua6a0-\ua6ff\ua900-\ua95f\ua980-\uaaff\uabc0-\uabff",
    "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "\u1200-\u139f\u2d80-\u2ddf\uab00-\uab2f",
    "\u2c80-\u2cff",
    "\u2d30-\u2d7f",
)
_OF_SCRIPTS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2" + "".join(
    mark
    for mark in map(chr, range(0x10000))
    if category(mark)[0] == "M" and not re.match(f"[{MARKS}{_UNSEEN}]", mark)
)
_SECOND = "\U00010000-\U0001efff"
# Of no use where it stands: behind a letter that is no company. (Half-width kana marks, which NFKC
# makes whole ones, are ears of faces.)
_OUT_OF_PLACE = (
    f"(?<!{'|'.join(f'[{company}][{company}]' for company in _COMPANIES)})"
    f"(?<=[\\w{MARKS}].)(?<![\u3099\u309a](?![\\w{_OF_SCRIPTS}{MARKS}{_SECOND}]))"
)
_BESIDE = f"{_OF_SCRIPTS}{MARKS}{_UNSEEN}{_NOTHING}"
_MISPLACED = re.compile(f"[{_OF_SCRIPTS}]{_OUT_OF_PLACE}[{_BESIDE}]*+")
# The same with the second plane, where marks and letters stand close together.
_MISPLACED_BEYOND = re.compile(
    f"[{_OF_SCRIPTS}{_SECOND}]{_OUT_OF_PLACE}(?<![\U00010000-\U0010ffff].)[{_BESIDE}{_SECOND}]*+"
)
# Quick to look for, and in every text of the first plane in which one of these is.
_ODD = re.compile(f"[{_OF_SCRIPTS}\uff9e\uff9f{_UNSEEN}{_NOTHING}]")
_NO_LETTERS = frozenset(("Mn", "Mc", "Me", "Cf", "Cn"))
# Letters set apart by blanks that nobody types; plain spaces are then the gaps between words.
_APART = re.compile(
    "(?<![^\\W_])[^\\W\\d_](?:[\u00a0\u2000-\u200a\u202f\u205f\u2800][^\\W\\d_]){2,}+(?![^\\W_])"
)


def compose(text: str, *, beyond: bool) -> str:
    """The text as NFKC, without what has no work between its characters: spaces, signs, marks."""
    odd = beyond or occurs(_ODD, text)
    if odd:
        invisible = _INVISIBLE if beyond else _INVISIBLE_WITHIN
        text = substitute(invisible, _without_invisible, text)
    text = substitute(_APART, lambda run: run[0][::2], text).replace("\u2800", " ")
    text = unicodedata.normalize("NFKC", text)
    if beyond:
        return substitute(_MISPLACED_BEYOND, _without_marks, text)
    return substitute(_MISPLACED, lambda _: "", text) if odd else text


def _without_invisible(run: re.Match[str]) -> str:
    """What stays of characters that nobody sees, decided on what is left before each."""
    text, (start, end) = run.string, run.span()
    if end - start == 1 and start and _KEPT_INVISIBLE.match(text, start - 1):
        return run[0]
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    inside = _in_word(before) and _in_word(after)
    kept = ""
    for unseen in run[0]:
        nothing = _DROPPED_IN_WORDS.match(unseen)
        if not inside if nothing else _KEPT_INVISIBLE.match(before + unseen + after):
            kept += unseen
            before = unseen
    return kept


def _in_word(character: str) -> bool:
    """Whether it is no edge of a text, a line or a word."""
    return character != "" and category(character) != "Cc" and category(character)[0] not in "PZ"


def _without_marks(run: re.Match[str]) -> str:
    return "".join(
        letter for letter in run[0] if letter > "\uffff" and category(letter) not in _NO_LETTERS
    )
