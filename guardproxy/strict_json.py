"""Reading foreign JSON so that every conforming parser reads the same: one view (RFC 8259, I-JSON).

We judge what we read and forward the bytes that came. So whatever two parsers may read differently
is refused: keys given twice, NaN, numbers beyond a double, halves of surrogate pairs, a byte order
mark, anything after the value. Bounds hold before the parser runs, so a hostile body costs no more
than a few passes over its bytes.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import NoReturn, TypeAlias

from guardproxy.errors import RequestError

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

NUMBER_CHARACTERS = 500
"""Longest number literal: every double fits, and a body full of them is still read quickly, though
reading an integer takes time that grows with the square of its length."""

_NUMBER_STEP = 64
# Of a number that is too long, so many bytes in a row are among every 64th of its body.
_LONG_NUMBER = re.compile(rb"[0-9eE.+-]{%d}" % (NUMBER_CHARACTERS // _NUMBER_STEP))

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = " \t\n\r"
_SPACES = re.compile(f"[{_SPACE}]*")
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,63}")
_PLAIN_KEY_CHARACTERS = 64

# What is left of a body to count its members: brackets, commas, quotes, and of every number and
# literal at least one character (true and false have an e, null has a u).
_OUTLINE = b'[]{},"0123456789eu'
_NOT_OUTLINE = bytes(set(range(256)) - set(_OUTLINE))
_NOT_MARKS = bytes(set(range(256)) - set(b"[]{},"))
_NOT_NESTING = bytes(set(range(256)) - set(b'[]{}"'))
_NOT_BRACKETS = bytes(set(_OUTLINE) - set(b"[]{}"))
_STEP = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]


def read(body: bytes, *, depth: int, members: int) -> JsonValue:
    """The value of a JSON text in UTF-8.

    Args:
        body: the bytes as they came.
        depth: most containers inside each other; `[]` has depth 1.
        members: most object members and array items, in all.

    Raises:
        RequestError: two parsers might read it differently, or a bound is exceeded. Codes:
            `empty_body`, `invalid_json`, `invalid_unicode`, `duplicate_key`,
            `number_out_of_range`, `json_too_deep`, `too_many_members`.
    """
    if body.startswith(_BYTE_ORDER_MARK):
        _refuse("invalid_json", "the JSON begins with a byte order mark; send it without")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse("invalid_unicode", f"the JSON is not UTF-8 (byte {error.start})")
    return _read(body, text, depth, members)


def read_text(text: str, *, depth: int, members: int) -> JsonValue:
    """As `read`, for JSON that is decoded already: an event's data, a tool call's arguments."""
    try:
        body = text.encode("utf-8")
    except UnicodeEncodeError as error:
        _refuse(
            "invalid_unicode", f"the JSON holds half a surrogate pair (character {error.start})"
        )
    return _read(body, text, depth, members)


def without_member(body: bytes, key: str) -> bytes:
    """The body of a top-level object with one member and one comma cut out.

    Every other byte stays as it came; without such a member, all do. The cut is from the comma
    before the member to the end of its value, or from the first member's key through the comma
    after it. Only for a body that `read` accepted.
    """
    text = body.decode("utf-8")
    before = opened = _after_spaces(text, 0) + 1
    while text.startswith('"', start := _after_spaces(text, before)):
        name, end = _SPANS.raw_decode(text, start)
        colon = _after_spaces(text, end)
        _, end = _SPANS.raw_decode(text, _after_spaces(text, colon + 1))
        after = _after_spaces(text, end)
        if name == key:
            first, last = before == opened, text[after] == "}"
            cut_from = start if first else before - 1
            cut_to = end if last or not first else after + 1
            return (text[:cut_from] + text[cut_to:]).encode("utf-8")
        before = after + 1
    return body


def with_member(body: bytes, key: str, value: bytes) -> bytes:
    """The body of a top-level object with a member put in before its final `}`.

    Only for a body that `read` accepted and that has no such key yet; `value` is JSON.
    """
    end = body.rindex(b"}")
    comma = b"" if body[:end].rstrip().endswith(b"{") else b","
    return b"".join((body[:end], comma, json.dumps(key).encode(), b":", value, body[end:]))


def string_leaves(value: JsonValue, *, keys: bool) -> Iterator[tuple[str, str]]:
    """Every string with its JSON path (`a.b[0].c`), depth first, in the order of the text.

    Args:
        value: what `read` gave.
        keys: also every object key, at the path of its member, before its value.

    A key that is no short identifier stands in paths as `*`: paths get into logs and answers,
    and a key may be anybody's text.
    """
    # Iterative, as the depth of `value` need not fit the interpreter's stack. What holds no string
    # is not looked at twice: most of an answer's members are numbers and null.
    waiting: list[tuple[str, str | None, JsonValue]] = [("", None, value)]
    while waiting:
        path, key, found = waiting.pop()
        if keys and key is not None:
            yield path, key
        if isinstance(found, str):
            yield path, found
        elif isinstance(found, dict):
            waiting += [
                (member_path(path, name), name, item)
                for name, item in reversed(found.items())
                if keys or isinstance(item, _HOLDS_STRINGS)
            ]
        elif isinstance(found, list):
            waiting += [
                (f"{path}[{at}]", None, found[at])
                for at in range(len(found) - 1, -1, -1)
                if isinstance(found[at], _HOLDS_STRINGS)
            ]


_HOLDS_STRINGS = (str, dict, list)


def member_path(path: str, key: str) -> str:
    """Where a member stands, in the paths of `string_leaves`."""
    name = key if is_plain_key(key) else "*"
    return f"{path}.{name}" if path else name


def is_plain_key(key: str) -> bool:
    """A short identifier: a name that somebody gave a field, not somebody's text."""
    if len(key) <= _PLAIN_KEY_CHARACTERS and key.isidentifier() and key.isascii():
        return True
    return _PLAIN_KEY.fullmatch(key) is not None


def _read(body: bytes, text: str, depth: int, members: int) -> JsonValue:
    _check_bounds(body, depth, members)
    try:
        decoder = _STRICT if _may_hold_long_number(body) else _STRICT_OF_SHORT_NUMBERS
        value: JsonValue = decoder.decode(text)
    except json.JSONDecodeError as error:
        if not text.strip(_SPACE):
            _refuse("empty_body", "the body is empty; send a JSON value")
        _refuse(
            "invalid_json",
            f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})",
        )
    except RecursionError:
        _refuse("json_too_deep", "the JSON is nested deeper than can be read")
    # The first is quick, and needed for the others.
    if b"\\" in body and (b"\\ud" in body or b"\\uD" in body):
        _check_surrogates(value)
    return value


def _may_hold_long_number(body: bytes) -> bool:
    """False if no number is longer than `NUMBER_CHARACTERS`: a look at a few bytes of many."""
    return _LONG_NUMBER.search(body[::_NUMBER_STEP]) is not None


def _check_bounds(body: bytes, depth: int, members: int) -> None:
    """Refuse what is too deep or has too many members, before the parser builds any of it.

    Exact for JSON; of other texts, exact up to the place where the parser will stop.
    """
    # Most bodies have fewer of these bytes, in strings or not, than either bound allows.
    marks = body.translate(None, _NOT_MARKS)
    if len(marks) <= members:
        if marks.count(b"[") + marks.count(b"{") > depth:
            nesting = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_NESTING)
            _check_depth(b"".join(nesting.split(b'"')[::2]), depth)
        return
    # Without escapes, every second stretch between quotes is a string.
    outline = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_OUTLINE)
    # A member has at most two strings and is in or around one container: bounds for what follows.
    if outline.count(b'"') > 4 * (members + 1):
        _refuse_members(members)
    outline = b"0".join(outline.split(b'"')[::2])
    brackets = outline.translate(None, _NOT_BRACKETS)
    opened = brackets.count(b"[") + brackets.count(b"{")
    empty = outline.count(b"[]") + outline.count(b"{}")
    if opened - empty + outline.count(b",") > members or len(brackets) > 2 * (members + 1):
        _refuse_members(members)
    _check_depth(brackets, depth)


def _check_depth(brackets: bytes, depth: int) -> None:
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > depth:
        _refuse("json_too_deep", f"the JSON is nested more than {depth} deep")


def _check_surrogates(value: JsonValue) -> None:
    for path, text in string_leaves(value, keys=True):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            _refuse("invalid_unicode", "a string holds half a surrogate pair", param=path or None)


def _after_spaces(text: str, start: int) -> int:
    if not text[start : start + 1].isspace():
        return start
    found = _SPACES.match(text, start)
    return found.end() if found else start


def _read_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    read_pairs = dict(pairs)
    if len(read_pairs) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        name = member_path("", twice)
        _refuse("duplicate_key", f"an object has the key `{name}` twice", param=name)
    return read_pairs


def _read_integer(literal: str) -> int:
    _check_length(literal)
    return int(literal)


def _read_fraction(literal: str) -> float:
    _check_length(literal)
    number = float(literal)
    if math.isinf(number):
        _refuse("number_out_of_range", "a number is beyond the range of a double")
    return number


def _check_length(literal: str) -> None:
    if len(literal) > NUMBER_CHARACTERS:
        _refuse("number_out_of_range", f"a number has more than {NUMBER_CHARACTERS} characters")


def _read_constant(literal: str) -> NoReturn:
    _refuse("invalid_json", f"not valid JSON: {literal} is not a JSON number")


def _refuse_members(members: int) -> NoReturn:
    _refuse("too_many_members", f"the JSON has more than {members} members and items")


def _refuse(code: str, message: str, *, param: str | None = None) -> NoReturn:
    # `from None`: the parser's errors hold the whole text.
    raise RequestError(message, code=code, param=param) from None


_STRICT = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_integer,
    parse_float=_read_fraction,
    parse_constant=_read_constant,
)
_STRICT_OF_SHORT_NUMBERS = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=_read_fraction,
    parse_constant=_read_constant,
)
"""The same where no number is too long: integers are read without a call for each."""
_SPANS = json.JSONDecoder(parse_int=str, parse_float=str)
"""For where values end, not for what they are."""
