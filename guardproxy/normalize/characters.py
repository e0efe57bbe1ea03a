"""Undoing disguise of characters: what is hidden, turned, piled up or borrowed from elsewhere.

Order matters (bad inputs, 2.2): hidden text is decoded before anything invisible is taken away,
and right-to-left overrides are undone before their marks are.
"""

from __future__ import annotations

import re
import unicodedata

from guardproxy.normalize import lookalikes
from guardproxy.normalize.carriers import reveal
from guardproxy.normalize.invisibles import compose
from guardproxy.normalize.marks import MARK, MARKS, WORD, WORD_LETTERS, without_piles
from guardproxy.normalize.slices import occurs

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_OVERRIDE = re.compile("\u202e([^\u202c\n]*)\u202c?")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")

_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]+")
_FLAGS = frozenset(re.findall("..", lookalikes.FLAGS))
_ENCLOSED = re.compile("[\U0001f150-\U0001f169\U0001f170-\U0001f189]{2,}")
_ENCLOSED_LETTERS = str.maketrans(lookalikes.ENCLOSED[::2], lookalikes.ENCLOSED[1::2])
_FOREIGN = dict(zip(lookalikes.FOREIGN[::2], lookalikes.FOREIGN[1::2], strict=True))
# Greek and Cyrillic letters with an accent read as those without.
_FOREIGN |= {
    letter: _FOREIGN[bare]
    for letter in map(chr, (*range(0x370, 0x530), *range(0x1F00, 0x2000)))
    if (bare := unicodedata.normalize("NFD", letter)[0]) in _FOREIGN
}
_SCRIPTS = {letter: unicodedata.name(letter).split()[0] for letter in _FOREIGN}
_CHANGED = frozenset(lookalikes.CHANGED[::2])
# Small capitals and phonetic letters, but for those that some language is written with.
_NO_SPELLING = frozenset(
    letter
    for letter in _CHANGED
    if "SMALL CAPITAL" in unicodedata.name(letter) or re.match("[\u0250-\u02af]", letter)
) - frozenset("\u0253\u0256\u0257\u0260\u0268\u0272\u028b")
_ALIKE = re.compile(f"[{''.join(_FOREIGN)}{lookalikes.CHANGED[::2]}]")
_LETTERS = str.maketrans(
    _FOREIGN | dict(zip(lookalikes.CHANGED[::2], lookalikes.CHANGED[1::2], strict=True))
)
_OF_ONE_SCRIPT = re.compile(
    f"[\u0400-\u052f{MARKS}]+|[\u0370-\u03ff\u1f00-\u1fff{MARKS}]+|[\u0531-\u0587]+"
)
# Letters upside down, each before what it is; the plain ones among them say nothing alone.
_TURNED_PAIRS = (
    "\u0250a\u0254c\u01dde\u025ff\u0183g\u0265h\u1d09i\u027ej\u029ek\ua781l\u05dfl\u026fm"
    "\u0279r\u0287t\u028cv\u028dw\u028ey\u0131i"
    "bqqbdppdnuun"
)
_TURNED_LETTERS = str.maketrans(_TURNED_PAIRS[::2], _TURNED_PAIRS[1::2])
_TURNED = re.compile(f"[{_TURNED_PAIRS[:-14:2]}]")
_TURNED_SHARE = 0.15
"""Of a text's letters. Phonetic transcription has fewer."""

_CHANGED_SHARE = 0.6
"""Of a word's letters with a stroke or as small capitals."""
_UNKNOWN_SHARE = 0.34
"""Of a word's letters that look like none of a-z, when those of two scripts are mixed in it."""


def clean(text: str) -> str:
    """The text as it reads: no hidden characters, no look-alikes from other scripts."""
    if "\b" in text or "\x7f" in text:
        text = _erase(text)
    if text.isascii():
        return text if text.isprintable() else _CONTROL.sub("", text)
    # Tags, letters in circles and regional letters are all beyond the first plane.
    beyond = occurs(_BEYOND, text)
    if beyond:
        text = reveal(text)
    text = _OVERRIDE.sub(lambda run: run[1][::-1], text)
    text = compose(text, beyond=beyond)
    if beyond:
        text = _ENCLOSED.sub(lambda run: run[0].translate(_ENCLOSED_LETTERS), text)
        text = _REGIONAL.sub(_read_regional, text)
    if occurs(MARK, unicodedata.normalize("NFD", text)):
        text = without_piles(text)
    return _fold(_turn(text))


def _erase(text: str) -> str:
    """What is left when backspaces and deletes have done their work."""
    kept: list[str] = []
    for character in text:
        if character not in "\b\x7f":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)


def _read_regional(run: re.Match[str]) -> str:
    letters = "".join(chr(ord(symbol) - 0x1F1E6 + ord("A")) for symbol in run[0])
    pairs = [letters[at : at + 2] for at in range(0, len(letters), 2)]
    return run[0] if _FLAGS.issuperset(pairs) else letters


def _turn(text: str) -> str:
    turned = len(_TURNED.findall(text))
    if turned < WORD_LETTERS or turned < _TURNED_SHARE * sum(map(str.isalpha, text)):
        return text
    return text[::-1].translate(_TURNED_LETTERS)


def _fold(text: str) -> str:
    """Look-alikes as the letters they look like, in texts that mix them in.

    Unicode Technical Standard 39 calls a word suspicious that mixes scripts. Words wholly of
    another script are that script's, unless they stand beside mixed ones and all look alike.
    """
    if not occurs(_ALIKE, text):
        return text
    words = {found[0] for found in WORD.finditer(text) if not found[0].isascii()}
    mixed = frozenset(filter(_is_mixed, words))
    if not mixed:
        return text
    return WORD.sub(lambda word: _fold_word(word[0], anyhow=word[0] in mixed), text)


def _is_mixed(word: str) -> bool:
    if len(word) < WORD_LETTERS or _OF_ONE_SCRIPT.fullmatch(word):
        return False
    folded = _fold_word(word, anyhow=True)
    scripts = {
        _SCRIPTS.get(letter, "LATIN")
        for letter in word
        if letter in _FOREIGN or letter in _CHANGED or letter.isascii()
    }
    if len(scripts) > 1:
        unknown = sum(not letter.isascii() for letter in folded)
        return unknown <= _UNKNOWN_SHARE * len(folded)
    changed = sum(letter in _CHANGED for letter in word)
    odd = not _NO_SPELLING.isdisjoint(word) or changed >= _CHANGED_SHARE * len(word)
    return scripts == {"LATIN"} and odd and folded.isascii()


def _fold_word(word: str, *, anyhow: bool) -> str:
    """The word in plain letters; accented ones lose theirs. As it is, if letters are left over."""
    folded = MARK.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS)))
    return folded if anyhow or folded.isascii() else word
