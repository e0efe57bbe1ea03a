"""Undoing disguise of characters: what is hidden, turned, piled up or borrowed from elsewhere.

Order matters (bad inputs, 2.2): hidden text is decoded before anything invisible is taken away,
and right-to-left overrides are undone before their marks are.
"""

from __future__ import annotations

import re
import unicodedata

from guardproxy.normalize import lookalikes
from guardproxy.normalize.slices import occurs, substitute

_BEYOND = re.compile("[\U00010000-\U0010ffff]")
# Tags hide text, but for flags as Scotland's: a black flag, a region's code, a final tag.
_TAGS = re.compile(
    "(\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}"
    "\U000e007f)|[\U000e0020-\U000e007f]+"
)
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_OVERRIDE = re.compile("\u202e([^\u202c\n]*)\u202c?")

# Invisible where they stand, but doing their work: joiners within scripts that join their letters
# and within emoji, selectors after a symbol or a Chinese character, spaces in scripts without.
_KEPT_INVISIBLE = re.compile(
    "(?<=[\u0590-\u1aff\u2190-\u32ff\ua8e0-\uabff\ufb1d-\ufefc\U0001f000-\U0001faff\ufe0f])[\u200c\u200d]"
    "|(?<=[#*0-9\u00a9\u00ae\u2000-\u32ff\U0001f000-\U0001faff])[\ufe0e\ufe0f]"
    "|(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\ufe00-\ufe02\U000e0100-\U000e01ef]"
    "|(?<=[\u0e00-\u109f\u1780-\u17ff])\u200b"
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
# Letters set apart by blanks that nobody types; plain spaces are then the gaps between words.
_APART = re.compile(
    "(?<![^\\W_])[^\\W\\d_](?:[\u00a0\u2000-\u200a\u202f\u205f\u2800][^\\W\\d_]){2,}+(?![^\\W_])"
)

_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK = re.compile(f"[{_MARKS}]")
_MARKED = re.compile(f"[^{_MARKS}][{_MARKS}]")
_PILE = re.compile(f"[{_MARKS}]{{2}}")
_OVERLAY = re.compile("[\u0334-\u0338\u20d2\u20d3\u20e5\u20e6]")
_WORD = re.compile(f"(?:[^\\W\\d_][{_MARKS}]*)+")

# Two letters that may carry a mark, and no mark by itself: nothing piles up there.
_FEW_ACCENTS = re.compile(f"[A-Za-z]*+(?:[^\x00-\x7f{_MARKS}][A-Za-z]*+){{0,2}}+")

_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]+")
_FLAGS = frozenset(re.findall("..", lookalikes.FLAGS))
_ENCLOSED = re.compile(f"[{lookalikes.ENCLOSED[::2]}]{{2,}}")
_ENCLOSED_LETTERS = str.maketrans(lookalikes.ENCLOSED[::2], lookalikes.ENCLOSED[1::2])
_FOREIGN = frozenset(lookalikes.FOREIGN[::2])
_CHANGED = frozenset(lookalikes.CHANGED[::2])
_ALIKE = re.compile(f"[{lookalikes.FOREIGN[::2]}{lookalikes.CHANGED[::2]}]")
_LETTERS = str.maketrans(
    lookalikes.FOREIGN[::2] + lookalikes.CHANGED[::2],
    lookalikes.FOREIGN[1::2] + lookalikes.CHANGED[1::2],
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
"""Of the letters that are not white space. Phonetic transcription has fewer."""

_MARKED_SHARE = 0.75
"""Of a word's letters with an accent; no honest spelling has as many."""
_CHANGED_SHARE = 0.6
"""Of a word's letters with a stroke or as small capitals."""
_WORD_LETTERS = 3
"""Shortest word to judge by shares: shorter ones are symbols and units."""


def clean(text: str) -> str:
    """The text as it reads: no hidden characters, no look-alikes from other scripts."""
    if "\b" in text or "\x7f" in text:
        text = _erase(text)
    if text.isascii():
        return text if text.isprintable() else _CONTROL.sub("", text)
    # Tags, letters in circles and regional letters are all beyond the first plane.
    beyond = occurs(_BEYOND, text)
    text = _reveal(text, beyond=beyond)
    text = _without_invisible(text)
    text = substitute(_APART, lambda run: run[0][::2], text).replace("\u2800", " ")
    if beyond:
        text = _ENCLOSED.sub(lambda run: run[0].translate(_ENCLOSED_LETTERS), text)
        text = _REGIONAL.sub(_read_regional, text)
    text = unicodedata.normalize("NFKC", text)
    if occurs(_MARK, unicodedata.normalize("NFD", text)):
        text = _without_piles(text)
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


def _reveal(text: str, *, beyond: bool) -> str:
    """Text carried by tags, by variation selectors, or by an override of direction."""
    if beyond:
        text = _TAGS.sub(_read_tags, text)
    text = substitute(_SELECTORS, _read_selectors, text)
    return _OVERRIDE.sub(lambda run: run[1][::-1], text)


def _read_tags(run: re.Match[str]) -> str:
    if run[1]:
        return run[1]
    letters = "".join(chr(ord(tag) - 0xE0000) for tag in run[0] if tag != "\U000e007f")
    return f" {letters} " if letters else ""


def _read_selectors(run: re.Match[str]) -> str:
    """Each selector is a byte: the first sixteen and 240 of the supplement."""
    codes = [ord(selector) for selector in run[0]]
    carried = bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in codes)
    text = carried.decode("utf-8", errors="replace")
    return f" {text} " if text.isprintable() and "\ufffd" not in text else run[0]


def _without_invisible(text: str) -> str:
    def kept(found: re.Match[str]) -> str:
        return found[0] if _KEPT_INVISIBLE.match(text, found.start()) else ""

    return substitute(_INVISIBLE, kept, text)


def _read_regional(run: re.Match[str]) -> str:
    letters = "".join(chr(ord(symbol) - 0x1F1E6 + ord("A")) for symbol in run[0])
    pairs = [letters[at : at + 2] for at in range(0, len(letters), 2)]
    return run[0] if _FLAGS.issuperset(pairs) else letters


def _without_piles(text: str) -> str:
    """The text with each word as `_without_piled_marks` leaves it."""
    # Each word once: a text says most of its words again, and honest accents change none.
    words = {found[0] for found in _WORD.finditer(text) if not found[0].isascii()}
    changed = {word: bare for word in words if (bare := _without_piled_marks(word)) != word}
    if not changed:
        return text
    return _WORD.sub(lambda word: changed.get(word[0], word[0]), text)


def _without_piled_marks(word: str) -> str:
    """The word without marks where they pile up, strike through, or sit on nearly every letter."""
    if _FEW_ACCENTS.fullmatch(word):
        return word
    bare = _OVERLAY.sub("", word)
    apart = unicodedata.normalize("NFD", bare)
    letters = _MARK.sub("", apart)
    marked = len(_MARKED.findall(apart))
    covered = letters.isascii() and marked >= max(_MARKED_SHARE * len(letters), _WORD_LETTERS)
    return letters if covered or _PILE.search(bare) else bare


def _turn(text: str) -> str:
    turned = len(_TURNED.findall(text))
    if turned < _WORD_LETTERS or turned < _TURNED_SHARE * sum(map(str.isalpha, text)):
        return text
    return text[::-1].translate(_TURNED_LETTERS)


def _fold(text: str) -> str:
    """Look-alikes as the letters they look like, in texts that mix them in.

    Unicode Technical Standard 39 calls a word suspicious that mixes scripts. Words wholly of
    another script are that script's, unless they stand beside mixed ones and all look alike.
    """
    if not occurs(_ALIKE, text):
        return text
    words = {found[0] for found in _WORD.finditer(text) if not found[0].isascii()}
    if not any(map(_is_mixed, words)):
        return text
    return _WORD.sub(lambda word: _fold_word(word[0]), text)


def _is_mixed(word: str) -> bool:
    if len(word) < _WORD_LETTERS or not _fold_word(word).isascii():
        return False
    foreign = sum(letter in _FOREIGN for letter in word)
    changed = sum(letter in _CHANGED for letter in word)
    return 0 < foreign < len(word) or changed >= _CHANGED_SHARE * len(word)


def _fold_word(word: str) -> str:
    """The word in plain letters; accented ones lose theirs. As it is, if letters are left over."""
    folded = _MARK.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS)))
    return folded if folded.isascii() else word
