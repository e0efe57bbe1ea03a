"""Strings of a JSON body: which are structure, which are media, which are text. Unknown means text.

A dialect names the fields it knows; whatever string is left over is judged, so a field that a
vendor adds tomorrow is judged the day it appears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from guardproxy.content import MediaKind
from guardproxy.dialects.coded import is_base64, is_coded_medium, is_sealed
from guardproxy.errors import UpstreamError
from guardproxy.strict_json import JsonValue, is_plain_key, string_leaves

# What an id, a model name, an enum value or a fingerprint looks like: no white space, short.
# A structural field that holds anything else is judged as text.
_TOKEN = re.compile(r"[A-Za-z0-9_.:/@+=,#-]{0,128}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z$_][A-Za-z0-9_.$-]{0,63}", re.ASCII)

# RFC 2397 in the one form that hides its content from a reader. All else that begins with `data:`
# is text: "data: how to ..." is a sentence, and `data:,how%20to` can be read as well.
_MEDIUM = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[\w.+-]+)*;base64,[A-Za-z0-9+/=_-]*",
    re.ASCII | re.IGNORECASE,
)
# RFC 3986 knows no other letters: spaces that are not ASCII's, and words of any script, are text.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+", re.ASCII | re.IGNORECASE)
_LINKED = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_-]{256,}")
_KINDS = {"image": MediaKind.IMAGE, "audio": MediaKind.AUDIO}
# Vector drawings carry text that an image policy does not speak about.
_TEXT_BEARING = "image/svg"
_MOST_FOLDS = 4
_TELLING = 1_000_000
"""Seven digits: no phone number, card or account has fewer, and most counts have."""
_EXACT = 1e21
"""Below it, JavaScript and others write a whole number in full."""
SCHEMA_VALUES = frozenset({"default", "enum", "const", "example", "examples"})
"""Keys of a schema below which its author names values; other numbers there are bounds."""
# A code for a letter, and an escape that was escaped once more. The rest normalisation undoes.
_HIDING = ("\\u", "\\\\")
JSON_BEGINNINGS = ("{", "[", '"')
"""How a JSON value with text in it begins; all else is plain text."""


def is_token(value: str) -> bool:
    """Looks like an id or an enum value, not like something to read."""
    return _TOKEN.fullmatch(value) is not None


def is_payload(value: str) -> bool:
    """Looks like a medium, its address or its id: nothing that a text classifier could read."""
    if is_base64(value) or is_token(value):
        return True
    return _MEDIUM.fullmatch(value) is not None or is_address(value)


def is_unread(text: str) -> bool:
    """A medium by its bytes, alone or in a `data:` URL: what no reader takes for a text."""
    return is_coded_medium(text.partition(",")[2] if _MEDIUM.fullmatch(text) else text)


def is_address(value: str) -> bool:
    """Looks like an address and nothing else."""
    return _ADDRESS.fullmatch(value) is not None


def refers_to_media(value: JsonValue) -> bool:
    """Holds an address or a long opaque value: something a text classifier cannot read."""
    return any(
        _LINKED.match(text) or _OPAQUE.search(text) for _, text in string_leaves(value, keys=False)
    )


def text_leaves(
    value: JsonValue, *, structure: re.Pattern[str] | None = None, without_media: bool = False
) -> Iterator[tuple[str, str]]:
    """Every string and telling key of a subtree with its path, empty strings left out.

    `structure` matches the paths whose values are ids or enums: left out while they look the
    part, as sealed values are. Keys that look like identifiers are left out too.
    `without_media` leaves out what `is_unread`, for those who also ask `embedded_media` and
    `clued_media` and so let the policy decide about it.
    """
    for path, text in string_leaves(value, keys=False):
        if structure is not None and structure.fullmatch(path) and is_token(text):
            continue
        if is_sealed(path, text):
            continue
        if text and not (without_media and is_unread(text)):
            yield path, text
    for key in _keys(value):
        if key and not _is_identifier(key):
            yield "*", key


_READABLE = (str, dict, list)


def says_nothing(value: JsonValue, structure: re.Pattern[str]) -> bool:
    """A quick look: whether `text_leaves` and `embedded_media` surely find nothing.

    What surrounds the text of most bodies is numbers, ids and enum values. False says only that
    it has to be read.
    """
    return _is_silent(value, structure, "")


def _is_silent(value: JsonValue, structure: re.Pattern[str], path: str) -> bool:
    if isinstance(value, dict):
        return _has_silent_members(value, structure, path)
    if isinstance(value, str):
        return not value or bool(_TOKEN.fullmatch(value) and structure.fullmatch(path))
    if isinstance(value, list):
        return all(_is_silent(item, structure, f"{path}[{at}]") for at, item in enumerate(value))
    return True


def _has_silent_members(
    value: Mapping[str, JsonValue], structure: re.Pattern[str], path: str
) -> bool:
    for key, member in value.items():
        if not is_plain_key(key):
            return False
        # Without a call for what is most frequent: numbers, null, ids.
        if not isinstance(member, _READABLE):
            continue
        inner = f"{path}.{key}" if path else key
        if isinstance(member, str) and _TOKEN.fullmatch(member) and structure.fullmatch(inner):
            continue
        if not _is_silent(member, structure, inner):
            return False
    return True


def text_of(
    value: JsonValue, *, structure: re.Pattern[str] | None = None, without_media: bool = False
) -> str:
    """The `text_leaves` of a subtree, one a line; empty if there are none."""
    return "\n".join(
        text for _, text in text_leaves(value, structure=structure, without_media=without_media)
    )


def embedded_media(value: JsonValue) -> list[tuple[MediaKind, int]]:
    """Kind and characters of every medium that stands in a subtree as a `data:` URL."""
    return [
        (kind_of(match["type"] or ""), len(text))
        for _, text in string_leaves(value, keys=False)
        if (match := _MEDIUM.fullmatch(text))
    ]


def kind_of(media_type: str) -> MediaKind:
    """What a policy calls a media type; all that is neither picture nor sound is a file."""
    media_type = media_type.lower()
    if media_type.startswith(_TEXT_BEARING):
        return MediaKind.FILE
    return _KINDS.get(media_type.partition("/")[0], MediaKind.FILE)


def everything_in(value: JsonValue) -> str:
    """All strings and all keys of a subtree, one a line: for schemas and tool arguments."""
    return "\n".join(text for _, text in string_leaves(value, keys=True) if text)


def numbers_in(value: JsonValue, below: Collection[str] = ()) -> str:
    """The numbers of a subtree that may be somebody's, as JSON with their names; or nothing.

    For arguments, results and schemas: a card or phone number is as good there without quotes.
    As JSON, and without what surrounds them, as the judge knows them from arguments in a string:
    times and sizes on lines of their own look like phone numbers.

    Args:
        value: what `read` gave.
        below: if given, only what stands below one of these keys counts.
    """
    found = _telling(value, below, here=not below)
    return "" if found is None else json.dumps(found, ensure_ascii=False)


def unfolded(text: str) -> str:
    """What JSON inside a string says, and JSON inside that; empty if it hides nothing.

    Tool arguments are JSON in a string: an escape in them hides a word from a reader, not from
    whoever decodes it.
    """
    if "\\" not in text or not any(escape in text for escape in _HIDING):
        return ""
    lines: list[str] = []
    folded = [text]
    for _ in range(_MOST_FOLDS):
        inside = [line for each in folded for line in _inside(each)]
        lines += inside
        folded = inside
    return "\n".join(lines)


def is_json(body: bytes) -> bool:
    """Whether a body begins as a JSON value with text in it does; all else is plain text."""
    return body.lstrip()[:1] in (b"{", b"[", b'"')


def plain_text(body: bytes) -> str:
    """An answer's body that is not JSON.

    Raises:
        UpstreamError: it is no text, or in a coding that some clients guess: they would read
            something else than we do.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise UpstreamError("the answer is neither JSON nor text") from error
    if text.startswith("\ufeff") or "\0" in text:
        raise UpstreamError("the answer is text in a coding that cannot be read safely")
    return text


def left_over(value: Mapping[str, JsonValue], known: Collection[str]) -> dict[str, JsonValue]:
    """The members a dialect does not know."""
    return {key: member for key, member in value.items() if key not in known}


def _inside(text: str) -> list[str]:
    if not text.lstrip().startswith(JSON_BEGINNINGS):
        return []
    try:
        # Lenient: this is a second look at what is judged as it stands anyway.
        value: JsonValue = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return []
    return [line for _, line in string_leaves(value, keys=True) if line]


def _telling(value: JsonValue, below: Collection[str], *, here: bool) -> JsonValue:
    """What is left of a value if all but its long numbers is taken away; None if nothing."""
    if isinstance(value, dict):
        members: dict[str, JsonValue] = {
            key: left
            for key, member in value.items()
            if (left := _telling(member, below, here=here or key in below)) is not None
        }
        return members or None
    if isinstance(value, list):
        items = [_telling(item, below, here=here) for item in value]
        return [item for item in items if item is not None] or None
    if not here or not isinstance(value, int | float) or abs(value) < _TELLING:
        return None
    # A sign hides a number from whoever looks for one, and so does an exponent.
    whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    return abs(int(value) if whole else value)


def _keys(value: JsonValue) -> Iterable[str]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield from node
            pending += [member for member in node.values() if isinstance(member, dict | list)]
        elif isinstance(node, list):
            pending += [item for item in node if isinstance(item, dict | list)]


def _is_identifier(key: str) -> bool:
    return is_plain_key(key) or _IDENTIFIER.fullmatch(key) is not None
