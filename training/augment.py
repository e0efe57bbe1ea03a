"""What a text may look like besides itself: cut short, misspelt, hidden among others, in a talk.

Each change keeps only those labels it cannot have made wrong; the others become unknown.
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from guardproxy.evals.buried import DENSITY
from guardproxy.guard import turn
from guardproxy.policy.scope import FRAGMENT_CHARACTERS
from training.config import RunConfig
from training.rows import UNKNOWN, Row

PREFIXES: Final = (0.25, 0.5, 0.75)
_SHOWN_FROM: Final = 0.75
"""A prefix this long is taken to show already what the whole text is."""

_SHORT: Final = 240
"""Characters of a text that may be hidden among others, at most."""

_LEET: Final = str.maketrans("aeiost", "431057")
_MORE_NOISE: Final = 0.3
_TURN: Final = 200
"""Characters of a turn, at most."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Harmless texts to put around others, and harmful talks to put before harmless texts."""

    benign: Mapping[str, Sequence[Row]]
    harmful: Mapping[str, Sequence[Row]]
    fragments: Mapping[str, Sequence[Row]]
    """Harmless texts so short that the proxy also reads them joined to others."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Pools:
        """By language; only texts whose source vouches for them, only short harmful ones."""
        benign: dict[str, list[Row]] = {}
        harmful: dict[str, list[Row]] = {}
        fragments: dict[str, list[Row]] = {}
        for row in rows:
            if row.benign == 1 and not row.context and len(row.text) < 4 * _SHORT:
                benign.setdefault(row.lang, []).append(row)
                if len(row.text) < FRAGMENT_CHARACTERS:
                    fragments.setdefault(row.lang, []).append(row)
            elif row.positive and not row.context and len(row.text) < _SHORT:
                harmful.setdefault(row.lang, []).append(row)
        return cls(benign, harmful, fragments)


def augmented(row: Row, pools: Pools, config: RunConfig, chance: random.Random) -> Row:
    """The row, or one change of it; how often which, `config.augment` says."""
    drawn = chance.random()
    for name, share in config.augment.items():
        if drawn < share:
            return CHANGES[name](row, pools, chance)
        drawn -= share
    return row


def prefix(row: Row, _pools: Pools, chance: random.Random) -> Row:
    """The first 25, 50 or 75 %; what a short prefix may not show yet becomes unknown."""
    share = chance.choice(PREFIXES)
    cut = max(8, round(len(row.text) * share))
    if cut >= len(row.text):
        return row
    labels = row.labels
    if share < _SHOWN_FROM:
        labels = tuple(0 if label == 0 else UNKNOWN for label in labels)
    return replace(row, text=row.text[:cut], labels=labels)


def needle(row: Row, pools: Pools, chance: random.Random) -> Row:
    """The text among harmless ones of the same language, up to about a window long."""
    around = pools.benign.get(row.lang, ())
    if len(row.text) > _SHORT or row.context or not around:
        return row
    room = chance.uniform(0.2, 0.8) * 420 * DENSITY.get(row.lang, 1.0) - len(row.text)
    parts, labels = [row.text], row.labels
    while room > 0:
        other = chance.choice(around)
        taken = other.text[: max(40, int(room))]
        parts.insert(chance.randint(0, len(parts)), taken)
        labels = both(labels, other.labels)
        room -= len(taken) + 1
    text = chance.choice((" ", " ", "\n", "\n\n")).join(parts)
    return replace(row, text=text, labels=labels)


def filler(row: Row, pools: Pools, chance: random.Random) -> Row:
    """Harmless texts alone, in the shape that `needle` gives them."""
    around = pools.benign.get(row.lang, ())
    return needle(chance.choice(around), pools, chance) if around else row


def repeat(row: Row, _pools: Pools, chance: random.Random) -> Row:
    """The same text again and again: what is harmless once is harmless ten times."""
    if len(row.text) > _SHORT or row.context:
        return row
    room = chance.uniform(0.3, 1.2) * 420 * DENSITY.get(row.lang, 1.0)
    times = max(2, int(room / (len(row.text) + 1)))
    between = chance.choice((" ", " ", "\n", ", ", ""))
    return replace(row, text=between.join([row.text] * times))


def switch(row: Row, pools: Pools, chance: random.Random) -> Row:
    """The text with harmless ones of another language before it, behind it, or both."""
    others = [lang for lang in pools.benign if lang != row.lang]
    if len(row.text) > _SHORT or row.context or not others:
        return row
    around = pools.benign[chance.choice(others)]
    parts, labels = [row.text], row.labels
    for place in chance.choice(((0,), (1,), (0, 2))):
        other = chance.choice(around)
        parts.insert(place, other.text[:_TURN])
        labels = both(labels, other.labels)
    return replace(row, text=chance.choice((" ", "\n", ", ")).join(parts), labels=labels)


def wrap(row: Row, _pools: Pools, chance: random.Random) -> Row:
    """The text as a value, a cell, a comment, a quotation, or mark-up."""
    if len(row.text) > 2 * _SHORT:
        return row
    return replace(row, text=chance.choice(_WRAPS)(row.text))


_WRAPS: Final[Sequence[Callable[[str], str]]] = (
    lambda text: json.dumps({"text": text}, ensure_ascii=False),
    lambda text: json.dumps([{"id": 1, "message": text}], ensure_ascii=False, indent=1),
    lambda text: "note: |\n" + _each_line("  ", text),
    lambda text: f'1,"{text.replace(chr(34), chr(34) * 2)}",open',
    lambda text: f"| task | {' '.join(text.split())} |\n| --- | --- |",
    lambda text: f"```\n{text}\n```",
    lambda text: _each_line("# ", text),
    lambda text: _each_line("> ", text),
    lambda text: f"<p>{text}</p>",
    lambda text: f"- {text}\n- ...",
    lambda text: f'"{text}"',
)


def _each_line(start: str, text: str) -> str:
    return "\n".join(start + line for line in text.splitlines())


def both(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    """Labels of two texts joined: 1 where either is, 0 where both are, else unknown."""
    return tuple(
        1 if 1 in pair else (0 if pair == (0, 0) else UNKNOWN)
        for pair in zip(one, other, strict=True)
    )


def noise(row: Row, _pools: Pools, chance: random.Random) -> Row:
    """Some letters lost, doubled, swapped or written as digits, spaces or accents lost."""
    letters = list(row.text)
    kind = chance.random()
    if kind < 0.1:
        return replace(row, text=row.text.translate(_LEET))
    if kind < 0.2:
        plain = unicodedata.normalize("NFD", row.text)
        return replace(row, text="".join(c for c in plain if not unicodedata.combining(c)))
    rate = chance.uniform(0.02, 0.08)
    for place in range(len(letters) - 1):
        if chance.random() < rate:
            _misspell(letters, place, chance)
    return replace(row, text="".join(letters))


def _misspell(letters: list[str], place: int, chance: random.Random) -> None:
    drawn = chance.random()
    if drawn < _MORE_NOISE:
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
    elif drawn < 2 * _MORE_NOISE:
        letters[place] *= 2
    elif drawn < 3 * _MORE_NOISE:
        letters[place] = ""
    else:
        letters[place] += chance.choice(" .-*")


def case(row: Row, _pools: Pools, chance: random.Random) -> Row:
    """Everything small, large, or with large first letters."""
    change: Callable[[str], str] = chance.choice((str.lower, str.lower, str.upper, str.title))
    return replace(row, text=change(row.text))


def context(row: Row, pools: Pools, chance: random.Random) -> Row:
    """A talk about something else before the text, harmful half of the time: labels stay."""
    if row.context:
        return row
    pool = pools.harmful if chance.random() < 0.5 else pools.benign
    before = pool.get(row.lang, ())
    if not before:
        return row
    answers = pools.benign.get(row.lang, before)
    talk = ""
    for number in range(chance.randint(1, 3)):
        role, said = ("user", before) if number % 2 == 0 else ("assistant", answers)
        talk += turn(role, chance.choice(said).text)
    return replace(row, context=talk)


def join(row: Row, pools: Pools, chance: random.Random) -> Row:
    """Short messages in one text, as the proxy reads them: nothing between them, or a space.

    Half of the time all are harmless. Where the text was cut, a space may be wrong or missing.
    """
    around = pools.fragments.get(row.lang, ())
    if len(row.text) >= FRAGMENT_CHARACTERS or row.context or not around:
        return row
    first = chance.choice(around) if chance.random() < 0.5 else row
    parts, labels = [_torn(first.text, chance) if first.positive else first.text], first.labels
    for _ in range(chance.randint(1, 6)):
        other = chance.choice(around)
        parts.insert(chance.randint(0, len(parts)), other.text)
        labels = both(labels, other.labels)
    return replace(first, text=chance.choice(("", " ")).join(parts), labels=labels)


def _torn(text: str, chance: random.Random) -> str:
    """The text with a space at some place, or one of its spaces lost."""
    place = chance.randrange(len(text))
    return text[:place] + ("" if text[place] == " " else " " + text[place]) + text[place + 1 :]


CHANGES: Final[Mapping[str, Callable[[Row, Pools, random.Random], Row]]] = {
    "prefix": prefix,
    "needle": needle,
    "filler": filler,
    "repeat": repeat,
    "switch": switch,
    "wrap": wrap,
    "noise": noise,
    "case": case,
    "context": context,
    "join": join,
}
