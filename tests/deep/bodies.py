"""Where in a JSON body the sentence may stand, and in how many ways JSON may be written."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from guardproxy.policy.scope import FRAGMENT_CHARACTERS
from tests.deep.canary import DISGUISES, ONE_WORD
from tests.dialects.bodies import CANARY, FIELDS, Json, places

# Beside the sentence itself: what a careless reader takes for an address or a medium.
_DRESSES = (
    "{}", "{}", "{}", "data: {}", "data:text/plain,{}", "data:image/png;base64,{}",
    "https://example.com {}", "  {}\n", "well then, {} and so it goes",
)  # fmt: skip
# What no reader of the code minds, and a careless one stumbles over. Where text stands: elsewhere
# one word with an address around it is an address.
_TIGHT = {
    "base64": ("word{}", "see:{}", "{}word", "abc{}"),
    "hex": ("word{}", "be{}", "{}, and", "fade{}"),
    "percent": ("https://example.com/?q={}", "https://example.com/{}/a", "see%20{}"),
}
TEXT_KEYS = frozenset(
    {
        "content", "text", "prompt", "input", "arguments", "refusal", "reasoning", "thinking",
        "reasoning_content", "transcript", "system", "instructions", "output", "partial_json",
        "cited_text", "delta", "response",
    }
)  # fmt: skip
"""Keys whose strings are text in every API, so that even what looks like an id is judged there."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass
class Plan:
    """What a case does, in words for its report; `song` is the sentence as this case sings it.

    `pieces` are those of a song that stands in more than one channel.
    """

    rng: Random
    song: str = ""
    pieces: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def says(self, *words: str) -> None:
        self.words.extend(words)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def sing(self, *, in_text: bool = False, short: bool = False) -> str:
        """The sentence, most often plain; `in_text` where even one word is judged.

        `short`: not longer than a fragment, as only those are joined over turns.
        """
        disguises = {**DISGUISES, **ONE_WORD} if in_text else DISGUISES
        name = "plain" if self.chance(0.6) else self.rng.choice(list(disguises))
        if short:
            self.song = disguises[name](CANARY)
            if len(self.song) < FRAGMENT_CHARACTERS:
                self.says(name)
                return self.song
            name = "plain"
        self.says(name)
        self.song = disguises[name](CANARY)
        if not in_text:
            return self.rng.choice(_DRESSES).format(self.song)
        # A code that is called a picture is one: that is for the policy on media.
        plain = [dress for dress in _DRESSES if name not in ONE_WORD or "base64" not in dress]
        return self.rng.choice((*plain, *_TIGHT.get(name, ()))).format(self.song)


def wrapped(plan: Plan) -> Json:
    """A song on its own, or somewhere inside; or as a key."""
    rng = plan.rng
    value: Json = plan.sing()
    for _ in range(rng.choice((0, 0, 1, 2, 5))):
        key = rng.choice(FIELDS)
        value = rng.choice(([value], {key: value}, ["x", value], {"type": key, key: value}))
    if plan.chance(0.15):
        plan.says("key")
        return {plan.sing(): rng.choice((1, None, value))}
    return value


def put(plan: Plan, body: Json) -> None:
    """Puts a song at some place of a body: in another's stead, or in a new field."""
    rng = plan.rng
    container, key = rng.choice(places(body))
    if isinstance(container, list) and plan.chance(0.5):
        plan.says("appended")
        container.append(wrapped(plan))
    elif isinstance(container, dict) and plan.chance(0.5):
        name = rng.choice(FIELDS)
        plan.says(f"new field {name!r}")
        container[name] = wrapped(plan)
    else:
        plan.says(f"instead of {key!r}")
        in_text = key in TEXT_KEYS and isinstance(container[key], str) and plan.chance(0.5)
        container[key] = plan.sing(in_text=True) if in_text else wrapped(plan)


def text_places(body: Json) -> list[tuple[Json, Json]]:
    """Every (container, key) below a value where a known text stands."""
    return [
        (container, key)
        for container, key in places(body)
        if key in TEXT_KEYS and isinstance(container[key], str)
    ]


def cut(plan: Plan, text: str, most: int = 5) -> list[str]:
    """A text in pieces, at any characters."""
    count = plan.rng.randint(1, most)
    at = sorted(plan.rng.sample(range(1, len(text)), min(count, len(text) - 1)))
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


def folded(plan: Plan, text: str) -> str:
    """JSON in a string, in a string: arguments as a careless model writes them."""
    for _ in range(plan.rng.choice((1, 1, 2, 3))):
        written = json.dumps(text, ensure_ascii=plan.chance(0.5))
        if plan.chance(0.3):
            written = escaped(plan, written)
        text = f'{{"q": {written}}}'
    return text


def escaped(plan: Plan, written: str) -> str:
    """JSON whose strings have some letters as escapes: the same value, other bytes."""
    share = plan.rng.choice((0.1, 1.0))

    def letters(found: re.Match[str]) -> str:
        return re.sub(
            r"\\u....|\\.|[A-Za-z ]",
            lambda each: (
                f"\\u{ord(each[0]):04x}" if len(each[0]) == 1 and plan.chance(share) else each[0]
            ),
            found[0],
        )

    return _STRING.sub(letters, written)


def written(plan: Plan, value: Json) -> str:
    """A value as JSON, in some legal way."""
    style = plan.rng.choice(("plain", "plain", "compact", "indented", "ascii", "escaped"))
    plan.says(style)
    match style:
        case "compact":
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case "indented":
            return json.dumps(value, ensure_ascii=False, indent=plan.rng.choice((1, 2, "\t")))
        case "ascii":
            return json.dumps(value)
        case "escaped":
            return escaped(plan, json.dumps(value))
        case _:
            return json.dumps(value, ensure_ascii=False)


def tricked(plan: Plan, text: str) -> bytes:
    """JSON that some parsers read and others do not, or read otherwise."""
    name = plan.rng.choice(list(TRICKS))
    plan.says(name)
    return TRICKS[name](plan, text)


def _twice(plan: Plan, text: str) -> bytes:
    """The first of the members again, behind, with something harmless; or before."""
    members = re.match(r'\s*\{\s*("(?:[^"\\]|\\.)*")', text)
    if members is None:
        return text.encode()
    key = members[1]
    other = key.replace("e", "\\u0065", 1) if plan.chance(0.3) else key
    harmless = plan.rng.choice(("null", '"fine"', "[]", '[{"role":"user","content":"hello"}]'))
    return (text.rstrip()[:-1] + f",{other}:{harmless}}}").encode()


TRICKS: Mapping[str, Callable[[Plan, str], bytes]] = {
    "key twice": _twice,
    "byte order mark": lambda _, text: b"\xef\xbb\xbf" + text.encode(),
    "utf-16": lambda plan, text: text.encode(plan.rng.choice(("utf-16", "utf-16-le"))),
    "latin-1": lambda _, text: text.encode("latin-1", "replace") + b"\xe9",
    "trailing comma": lambda _, text: (text.rstrip()[:-1] + ",}").encode(),
    "comment": lambda _, text: (text + " // fine").encode(),
    "comment inside": lambda _, text: text.replace(":", ":/* a */", 1).encode(),
    "two documents": lambda plan, text: plan.rng.choice(("{}\n" + text, text + "{}")).encode(),
    "single quotes": lambda _, text: text.replace('"', "'").encode(),
    "NaN": lambda _, text: (text.rstrip()[:-1] + ',"x":NaN}').encode(),
    "huge number": lambda _, text: (text.rstrip()[:-1] + ',"x":1e400}').encode(),
    "digits": lambda _, text: (text.rstrip()[:-1] + ',"x":' + "9" * 5_000 + "}").encode(),
    "lone surrogate": lambda _, text: text.replace('"', '"\\ud800', 1).encode(),
    "raw control": lambda plan, text: text.replace(
        '"', '"' + plan.rng.choice("\0\n\x1f"), 1).encode(),
    "deep": lambda plan, text: _deep(text, plan.rng.choice((40, 90, 2_000))),
    "array": lambda _, text: f"[{text}]".encode(),
    "string": lambda _, text: json.dumps(text).encode(),
    "cut": lambda plan, text: text.encode()[: plan.rng.randrange(len(text))],
    "padded": lambda plan, text: (plan.rng.choice(" \n\t\r") * 5_000 + text + "\r\n").encode(),
    "bad padding": lambda plan, text: (plan.rng.choice("\x0c\x0b\u00a0\u2028") + text).encode(),
    "many members": lambda _, text: (
        text.rstrip()[:-1] + ',"x":[' + "1," * 30_000 + "1]}").encode(),
}  # fmt: skip


def _deep(text: str, levels: int) -> bytes:
    return (text.rstrip()[:-1] + ',"x":' + "[" * levels + "]" * levels + "}").encode()


def copied(value: Json) -> Json:
    return copy.deepcopy(value)


def strings_in(value: Json, path: str = "", *, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every string and key below a value with its path, and of JSON in strings as well."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield f"{path}.*", key
            yield from strings_in(member, f"{path}.{key}", depth=depth)
    elif isinstance(value, list):
        for at, member in enumerate(value):
            yield from strings_in(member, f"{path}[{at}]", depth=depth)
    elif isinstance(value, str):
        yield path, value
        if depth < 4 and value.lstrip()[:1] in ("{", "[", '"'):
            try:
                inner = json.loads(value, strict=False)
            except (ValueError, RecursionError):
                return
            yield from strings_in(inner, f"{path}!", depth=depth + 1)
