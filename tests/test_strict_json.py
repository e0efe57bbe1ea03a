from __future__ import annotations

import json
from typing import TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.errors import RequestError
from guardproxy.strict_json import (
    NUMBER_CHARACTERS,
    JsonValue,
    read,
    read_text,
    string_leaves,
    with_member,
    without_member,
)

DEPTH, MEMBERS = 64, 1_000
UNBOUNDED = 10**9


def strict(body: bytes, *, depth: int = DEPTH, members: int = MEMBERS) -> JsonValue:
    return read(body, depth=depth, members=members)


def is_object(value: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    return isinstance(value, dict)


def refusal(body: bytes, *, depth: int = DEPTH, members: int = MEMBERS) -> RequestError:
    with pytest.raises(RequestError) as caught:
        strict(body, depth=depth, members=members)
    assert caught.value.status == 400
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "the parser's error holds the body"
    return caught.value


ACCEPTED: dict[str, tuple[bytes, JsonValue]] = {
    "array_empty": (b"[]", []),
    "array_spaces": (b"[ \t\r\n]", []),
    "array_heterogeneous": (
        b'[null, 1, "1", true, false, {}]',
        [None, 1, "1", True, False, {}],
    ),
    "object_empty": (b"{}", {}),
    "object_empty_key": (b'{"":0}', {"": 0}),
    "object_same_value_twice": (b'{"a":1,"b":1}', {"a": 1, "b": 1}),
    "object_same_key_at_other_depth": (b'{"a":{"a":1}}', {"a": {"a": 1}}),
    "object_keys_that_differ_in_case": (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    "object_proto": (b'{"__proto__":1}', {"__proto__": 1}),
    "top_level_string": (b'"a"', "a"),
    "top_level_number": (b" 1 ", 1),
    "top_level_null": (b"null", None),
    "top_level_space_around": (b"\n\t{} \r\n", {}),
    "number_zero": (b"-0", 0),
    "number_fraction": (b"1.5", 1.5),
    "number_exponent": (b"1E+2", 100.0),
    "number_above_64_bits": (b"18446744073709551616", 2**64),
    "number_precise": (b"0.1000000000000000055", 0.1),
    "number_too_small": (b"1e-400", 0.0),
    "number_largest": (b"1.7976931348623157e308", 1.7976931348623157e308),
    "number_longest": (b"1" * NUMBER_CHARACTERS, int("1" * NUMBER_CHARACTERS)),
    "string_escapes": (rb'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
    "string_unicode_escape": (rb'"\u00e9\u20AC"', "é€"),
    "string_null_escape": (rb'"\u0000"', "\0"),
    "string_surrogate_pair": (rb'"\ud83d\uDE00"', "😀"),
    "string_escaped_backslash_before_u": (rb'"\\ud800"', "\\ud800"),
    "string_delete_character": (b'"\x7f"', "\x7f"),
    "string_utf8": ('"日本 \u2028\ufeff😀"'.encode(), "日本 \u2028\ufeff😀"),
    "string_noncharacter": ('"\uffff"'.encode(), "\uffff"),
    "string_of_structure": (rb'["[{,\"", "]}\\"]', ['[{,"', "]}\\"]),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "array_trailing_comma": (b"[1,]", "invalid_json"),
    "array_leading_comma": (b"[,1]", "invalid_json"),
    "array_double_comma": (b"[1,,2]", "invalid_json"),
    "array_no_comma": (b"[1 2]", "invalid_json"),
    "array_unclosed": (b"[1", "invalid_json"),
    "array_closed_as_object": (b"[1}", "invalid_json"),
    "object_trailing_comma": (b'{"a":1,}', "invalid_json"),
    "object_unquoted_key": (b"{a:1}", "invalid_json"),
    "object_single_quotes": (b"{'a':1}", "invalid_json"),
    "object_number_key": (b"{1:1}", "invalid_json"),
    "object_no_colon": (b'{"a" 1}', "invalid_json"),
    "object_no_value": (b'{"a":}', "invalid_json"),
    "object_comment": (b'{"a":1/*b*/}', "invalid_json"),
    "object_line_comment": (b'{"a":1} // b', "invalid_json"),
    "object_duplicate": (b'{"messages":1,"messages":2}', "duplicate_key"),
    "object_duplicate_same_value": (b'{"a":1,"a":1}', "duplicate_key"),
    "object_duplicate_by_escape": (rb'{"messages":1,"m\u0065ssages":2}', "duplicate_key"),
    "object_duplicate_deep": (b'[{"a":[{"content":1,"b":2,"content":3}]}]', "duplicate_key"),
    "object_duplicate_empty_key": (b'{"":1,"":2}', "duplicate_key"),
    "top_level_empty": (b"", "empty_body"),
    "top_level_spaces": (b" \t\r\n", "empty_body"),
    "top_level_two": (b"{}{}", "invalid_json"),
    "top_level_lines": (b"{}\n{}\n", "invalid_json"),
    "top_level_trailing_text": (b"{} a", "invalid_json"),
    "top_level_trailing_null": (b"{}\0", "invalid_json"),
    "top_level_word": (b"nul", "invalid_json"),
    "top_level_capital": (b"True", "invalid_json"),
    "space_no_break": ("[\u00a0]".encode(), "invalid_json"),
    "space_form_feed": (b"[\x0c]", "invalid_json"),
    "byte_order_mark": (b"\xef\xbb\xbf{}", "invalid_json"),
    "byte_order_mark_after_space": (b" \xef\xbb\xbf{}", "invalid_json"),
    "utf16": ("{}".encode("utf-16"), "invalid_unicode"),
    "utf16_without_mark": ('{"a":1}'.encode("utf-16-le"), "invalid_json"),
    "utf8_latin1": (b'"\xe9"', "invalid_unicode"),
    "utf8_overlong": (b'"\xc0\xaf"', "invalid_unicode"),
    "utf8_surrogate": (b'"\xed\xa0\x80"', "invalid_unicode"),
    "utf8_cut": (b'"\xf0\x9f\x98"', "invalid_unicode"),
    "string_lone_high_surrogate": (rb'"\ud800"', "invalid_unicode"),
    "string_lone_low_surrogate": (rb'"a\uDC00"', "invalid_unicode"),
    "string_surrogates_reversed": (rb'"\ude00\ud83d"', "invalid_unicode"),
    "string_surrogate_then_letter": (rb'"\ud83dx"', "invalid_unicode"),
    "string_surrogate_in_key": (rb'{"\uD83D":1}', "invalid_unicode"),
    "string_surrogate_after_escaped_backslash": (rb'"\\\ud800"', "invalid_unicode"),
    "string_raw_newline": (b'"a\nb"', "invalid_json"),
    "string_raw_tab": (b'"a\tb"', "invalid_json"),
    "string_raw_null": (b'"a\0b"', "invalid_json"),
    "string_unclosed": (b'["a', "invalid_json"),
    "string_unclosed_escape": (b'["a\\', "invalid_json"),
    "string_bad_escape": (rb'"\x41"', "invalid_json"),
    "string_short_unicode_escape": (rb'"\u00e"', "invalid_json"),
    "string_signed_unicode_escape": (rb'"\u+0e9"', "invalid_json"),
    "number_nan": (b"[NaN]", "invalid_json"),
    "number_infinity": (b"Infinity", "invalid_json"),
    "number_minus_infinity": (b'{"a":-Infinity}', "invalid_json"),
    "number_nan_lower_case": (b"[nan]", "invalid_json"),
    "number_overflow": (b"1e400", "number_out_of_range"),
    "number_negative_overflow": (b"[-1.0E+309]", "number_out_of_range"),
    "number_long_integer": (b"1" * (NUMBER_CHARACTERS + 1), "number_out_of_range"),
    "number_5000_digits": (b"[-" + b"9" * 5000 + b"]", "number_out_of_range"),
    "number_long_fraction": (b"0." + b"1" * NUMBER_CHARACTERS, "number_out_of_range"),
    "number_leading_zero": (b"[012]", "invalid_json"),
    "number_leading_plus": (b"+1", "invalid_json"),
    "number_no_digits_after_point": (b"[1.]", "invalid_json"),
    "number_no_digits_before_point": (b".5", "invalid_json"),
    "number_hexadecimal": (b"0x10", "invalid_json"),
    "number_full_width": ("[\uff11]".encode(), "invalid_json"),
    "number_underscore": (b"1_000", "invalid_json"),
    "number_double_minus": (b"--1", "invalid_json"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_every_parser_reads_alike_is_read(name: str) -> None:
    body, value = ACCEPTED[name]

    assert strict(body) == value
    assert read_text(body.decode(), depth=DEPTH, members=MEMBERS) == value


@pytest.mark.parametrize("name", REFUSED)
def test_what_parsers_disagree_about_is_refused(name: str) -> None:
    body, code = REFUSED[name]

    assert refusal(body).code == code


def test_a_duplicate_is_named() -> None:
    error = refusal(b'{"model":"m","messages":[],"x":1,"messages":["secret"]}')

    assert error.param == "messages"
    assert error.message == "an object has the key `messages` twice"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (rb'{"messages":[{"content":"secret \ud800"}]}', "messages[0].content"),
        (rb'{"a":{"secret key \ud800":1}}', "a.*"),
        (rb'"\ud800"', None),
    ],
)
def test_half_a_surrogate_pair_is_placed_and_not_quoted(body: bytes, param: str | None) -> None:
    error = refusal(body)

    assert error.param == param
    assert "secret" not in error.message


def test_a_syntax_error_is_placed_and_not_quoted() -> None:
    assert refusal(b'{"secret":\n  secret}').message == (
        "not valid JSON: Expecting value (line 2, column 3)"
    )


@pytest.mark.parametrize("pattern", [b"[%b]", b'{"a":%b}', b'[{"b":[%b]}]', b"[[],%b]"])
def test_depth_is_allowed_up_to_its_bound(pattern: bytes) -> None:
    body = b"1"
    while depth_of(json.loads(body)) < 40:
        body = pattern % body
    deepest = depth_of(json.loads(body))

    assert strict(body, depth=deepest) == json.loads(body)
    assert refusal(body, depth=deepest - 1).code == "json_too_deep"


def test_brackets_in_strings_are_not_depth() -> None:
    assert strict(b'["' + b"[{" * 100 + b'"]', depth=1) == ["[{" * 100]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("bound", [64, UNBOUNDED])
def test_any_depth_is_refused_without_exhausting_the_stack(opening: bytes, bound: int) -> None:
    error = refusal(opening * 300_000, depth=bound, members=UNBOUNDED)

    assert error.code == "json_too_deep"


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b"{}", 0),
        (b"[ ]", 0),
        (b'"a,b"', 0),
        (b"[0]", 1),
        (b"[-1e5]", 1),
        (b"[null]", 1),
        (b"[true]", 1),
        (b"[false]", 1),
        (b'[""]', 1),
        (b"[[ ]]", 1),
        (b'{"a":{}}', 1),
        (b'{"a":{"b":",","c":[1,2]}}', 5),
        (b'["\\"[,", "\\\\", "\\\\\\","]', 3),
    ],
)
def test_members_are_allowed_up_to_their_bound(body: bytes, members: int) -> None:
    assert strict(body, members=members) == json.loads(body)
    if members:
        assert refusal(body, members=members - 1).code == "too_many_members"


@pytest.mark.parametrize("body", [b"[" + b'"",' * 9_999 + b'""]', b"[]" * 9_999, b"]" * 9_999])
def test_too_many_strings_or_brackets_are_refused_before_they_are_parsed(body: bytes) -> None:
    assert refusal(body).code == "too_many_members"


@given(
    st.text("0123456789", min_size=1, max_size=9),
    st.sampled_from(["", ".", "e", "E+", ".5e-", "-"]),
    st.integers(0, 200),
    st.integers(NUMBER_CHARACTERS - 2, NUMBER_CHARACTERS + 80),
    st.integers(0, NUMBER_CHARACTERS),
)
def test_a_number_that_is_too_long_is_found_wherever_it_begins(
    digits: str, sign: str, before: int, length: int, at: int
) -> None:
    row = (digits.lstrip("0") or "1") * length
    number = (sign + row if sign == "-" else row[:at] + sign + row)[:length].rstrip("eE.+-") + "1"
    number = number if number[0].isdigit() or number[0] == "-" else "1" + number
    body = b'{"' + b"k" * before + b'": [1, ' + number.encode() + b"]}"

    if len(number) > NUMBER_CHARACTERS:
        assert refusal(body).code == "number_out_of_range"


def test_text_that_cannot_be_utf8_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        read_text('"\ud800"', depth=DEPTH, members=MEMBERS)

    assert caught.value.code == "invalid_unicode"


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b'{"g":1}', b"{}"),
        (b'{ "g" : [1, {"g": 2}] }', b"{  }"),
        (b'{"g":1, "b":2}', b'{ "b":2}'),
        (b'{"a":1 , "g":"}" ,"b":2}', b'{"a":1  ,"b":2}'),
        (b'\n{"a":1,\n "g": null\n}\n', b'\n{"a":1\n}\n'),
        (rb'{"a":{"g":1},"\u0067":2}', b'{"a":{"g":1}}'),
        ('{"é":"日本😀","g":"é","ü":1e2}'.encode(), '{"é":"日本😀","ü":1e2}'.encode()),
        (b'{"a":18446744073709551616,"x":1.50}', b'{"a":18446744073709551616,"x":1.50}'),
        (b"{}", b"{}"),
    ],
)
def test_a_member_is_cut_out_and_the_rest_stays_as_it_came(body: bytes, rest: bytes) -> None:
    assert without_member(body, "g") == rest


@pytest.mark.parametrize(
    ("body", "longer"),
    [
        (b"{}", b'{"g":[1]}'),
        (b"{ \n} ", b'{ \n"g":[1]} '),
        (b'{"a":1}', b'{"a":1,"g":[1]}'),
        (b'{"a":{}\n}\n', b'{"a":{}\n,"g":[1]}\n'),
        (b'{"a":"{"}', b'{"a":"{","g":[1]}'),
    ],
)
def test_a_member_is_put_in_at_the_end(body: bytes, longer: bytes) -> None:
    assert with_member(body, "g", b"[1]") == longer


def test_a_member_put_in_has_its_key_escaped() -> None:
    assert with_member(b"{}", '"\n', b"1") == rb'{"\"\n":1}'


def test_string_leaves_come_in_order_with_their_paths() -> None:
    value = strict(b'{"a":{"b":["x",{"c":"y"},["z"]],"n":1},"tool-call":"t","$ref":"r"}')

    assert list(string_leaves(value, keys=False)) == [
        ("a.b[0]", "x"),
        ("a.b[1].c", "y"),
        ("a.b[2][0]", "z"),
        ("tool-call", "t"),
        ("$ref", "r"),
    ]


def test_keys_come_before_their_values_if_asked_for() -> None:
    value = strict(b'[{"a":{"b":"x"}},"y"]')

    assert list(string_leaves(value, keys=True)) == [
        ("[0].a", "a"),
        ("[0].a.b", "b"),
        ("[0].a.b", "x"),
        ("[1]", "y"),
    ]


def test_a_key_that_is_somebodys_text_is_not_in_a_path() -> None:
    value = strict(b'{"my secret":{"a.b":"x"},"%b":"y"}' % (b"k" * 65))

    assert list(string_leaves(value, keys=False)) == [("*.*", "x"), ("*", "y")]


def test_a_string_alone_has_an_empty_path_and_a_number_no_leaf() -> None:
    assert list(string_leaves("a", keys=True)) == [("", "a")]
    assert list(string_leaves(1, keys=True)) == []


def test_string_leaves_go_deeper_than_the_stack() -> None:
    value: JsonValue = "x"
    for _ in range(50_000):
        value = [value]

    assert [text for _, text in string_leaves(value, keys=True)] == ["x"]


def depth_of(value: JsonValue) -> int:
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case _:
            return 0


def members_of(value: JsonValue) -> int:
    match value:
        case dict():
            return len(value) + sum(map(members_of, value.values()))
        case list():
            return len(value) + sum(map(members_of, value))
        case _:
            return 0


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.sampled_from(["a", "guardrails", "é", '"', "\\"]) | st.text(max_size=4)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS | st.text(max_size=8) | st.sampled_from(['[{,"', "\\", "😀"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SPACES = st.text(alphabet=" \t\r\n", max_size=2).map(str.encode)


@st.composite
def written(draw: st.DrawFn, value: JsonValue) -> bytes:
    """The value as JSON with white space and escapes as they fall."""

    def write(value: JsonValue) -> bytes:
        match value:
            case dict():
                pairs = [
                    gap() + write(key) + gap() + b":" + write(item) for key, item in value.items()
                ]
                inside = b"{" + (b",".join(pairs) or gap()) + b"}"
            case list():
                inside = b"[" + (b",".join(map(write, value)) or gap()) + b"]"
            case _:
                inside = json.dumps(value, ensure_ascii=draw(st.booleans())).encode()
        return gap() + inside + gap()

    def gap() -> bytes:
        return draw(SPACES)

    return write(value)


BODIES = VALUES.flatmap(written)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5).flatmap(written)


@given(BODIES)
def test_valid_json_is_read_within_its_own_bounds_and_not_below(body: bytes) -> None:
    value = json.loads(body)
    depth, members = depth_of(value), members_of(value)

    assert strict(body, depth=depth, members=members) == value
    if depth:
        assert refusal(body, depth=depth - 1).code == "json_too_deep"
    if members:
        assert refusal(body, members=members - 1).code == "too_many_members"


JSONISH = st.lists(
    st.sampled_from([*'[]{},:"\\ue019-. \n', "true", "null", '"a"', "\\ud83d", "é", "NaN", "1e9"])
).map("".join)


@given(JSONISH.map(str.encode) | st.binary(max_size=40))
def test_any_bytes_are_read_as_json_does_or_refused(body: bytes) -> None:
    try:
        value = strict(body)
    except RequestError:
        return
    assert value == json.loads(body)


@given(OBJECTS, st.sampled_from(["guardrails", "a", "é", '"']))
def test_cutting_a_member_out_leaves_all_others(body: bytes, key: str) -> None:
    value = strict(body)
    assert is_object(value)
    rest = without_member(body, key)

    assert strict(rest) == {name: item for name, item in value.items() if name != key}
    assert body.startswith(common := common_start(body, rest))
    assert rest[len(common) :] == b"" or body.endswith(rest[len(common) :])


def common_start(one: bytes, other: bytes) -> bytes:
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return other if length is None else other[:length]


@given(OBJECTS, VALUES)
def test_what_was_put_in_can_be_cut_out_again(body: bytes, value: JsonValue) -> None:
    longer = with_member(without_member(body, "g"), "g", json.dumps(value).encode())
    before = strict(without_member(body, "g"))
    assert is_object(before)

    assert strict(longer) == {**before, "g": value}
    assert without_member(longer, "g") == without_member(body, "g")


@given(VALUES)
def test_string_leaves_are_the_strings_and_keys_of_the_text_in_order(value: JsonValue) -> None:
    def leaves(value: JsonValue) -> list[str]:
        match value:
            case str():
                return [value]
            case dict():
                return [text for key, item in value.items() for text in (key, *leaves(item))]
            case list():
                return [text for item in value for text in leaves(item)]
            case _:
                return []

    assert [text for _, text in string_leaves(value, keys=True)] == leaves(value)
