"""YAML, read strictly: text -> plain values, and the line each of them stands on. Pure.

A policy is a safety device, so nothing in it may mean something else to another reader: aliases,
tags, further documents, duplicate keys and scalars that YAML 1.1 and 1.2 read differently (`off`,
`010`, `12:30`, dates) are refused, with the line and a hint to quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from guardproxy.errors import PolicyError

Loc: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the root, as pydantic's `loc`."""

# A policy is a page or two. The bounds keep a hostile file from costing memory or the stack.
_MAX_DEPTH = 32
_MAX_NODES = 50_000
_MOST_SHOWN = 80

_TAG = "tag:yaml.org,2002:"
_NULLS = {"": None, "~": None, "null": None}
_BOOLEANS = {"true": True, "false": False}
# What YAML 1.1, YAML 1.2 and JSON agree on.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+|-?\.[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Words of PyYAML's -> what to do.
_ADVICE = {
    r"'\t' that cannot start": "; write spaces, not a tab",
    "that cannot start any token": "; quote the text",
    "mapping values are not allowed": "; quote a text with a colon in it, or look at the "
    "indentation here and above",
    "expected <block end>": "; look at the indentation here and above",
    "expected ':'": "; a key needs a colon and a space behind it",
}
# A line's end to YAML 1.1 alone: what stands behind it in a comment is a key to one reader.
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
_NO_CHARACTER = r"has an escape (\u, \U) for what is no character"
# A number to YAML 1.2, a word to YAML 1.1: 1e3, 0o17.
_NUMBER_OF_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")


@dataclass(frozen=True, slots=True)
class YamlTree:
    """Plain values, and where they stood.

    `lines` counts from 1 and has an entry for every key and every list item.
    """

    value: object
    lines: Mapping[Loc, int]

    def line(self, path: Loc) -> int:
        """Line of the value at `path`, or of the nearest one around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return self.lines[()]


@dataclass(slots=True)
class _Builder:
    source: str
    lines: dict[Loc, int] = field(default_factory=dict)

    def refuse(self, message: str, place: yaml.Node | yaml.Event, path: Loc = ()) -> PolicyError:
        line = None if place.start_mark is None else place.start_mark.line + 1
        return PolicyError(message, file=self.source, line=line, key=dotted(path))

    def check_events(self, text: str) -> None:
        """Refuse what no policy needs, before anything recurses or is shared."""
        depth = documents = unquoted = 0
        for count, event in enumerate(self.events(text)):
            documents += isinstance(event, yaml.DocumentStartEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if documents > 1:
                raise self.refuse("has a second document; one file is one policy", event)
            if depth > _MAX_DEPTH or count > _MAX_NODES:
                raise self.refuse("is nested too deeply or too long", event)
            if isinstance(event, yaml.NodeEvent):
                self.check_node(event)
            begin, end = event.start_mark, event.end_mark
            if getattr(event, "style", None) in {"'", '"'} and begin and end:
                self.check_breaks(text, unquoted, begin.index)
                unquoted = end.index
        self.check_breaks(text, unquoted, len(text))

    def check_breaks(self, text: str, start: int, end: int) -> None:
        if odd := _ODD_BREAK.search(text, start, end):
            name = f"U+{ord(odd[0]):04X}"
            message = f"has {name}, which ends a line for some readers of YAML only; take it out"
            raise PolicyError(message, file=self.source, line=_line_at(text, odd.start()))

    def events(self, text: str) -> Iterator[yaml.Event]:
        loader = yaml.SafeLoader(text)
        try:
            while loader.check_event():
                yield loader.get_event()  # type: ignore[no-untyped-call] # not in its stubs
        except (ValueError, OverflowError):  # of `chr`: the library does not look at `\U00110000`
            raise PolicyError(_NO_CHARACTER, file=self.source, line=loader.line + 1) from None

    def check_node(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refuse("aliases and anchors (& and *) are not allowed; write it out", event)
        if getattr(event, "tag", None) is not None:
            raise self.refuse("tags (!) are not allowed", event)

    def build(self, node: yaml.Node, path: Loc) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        return dict(self.members(node, path))

    def members(self, node: yaml.Node, path: Loc) -> Iterator[tuple[str, object]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise self.refuse(
                    f"duplicate key, first given on line {seen[key]}",
                    key_node,
                    (*path, key),
                )
            seen[key] = self.lines[(*path, key)] = line
            yield key, self.build(value_node, (*path, key))

    def key(self, node: yaml.Node, path: Loc) -> str:
        key = self.scalar(node, path) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise self.refuse("a key must be text", node, path)
        return key

    def scalar(self, node: yaml.ScalarNode, path: Loc) -> object:
        text: str = node.value
        if _SURROGATE.search(text):
            raise self.refuse(_NO_CHARACTER, node, path)
        if node.style is not None:
            return text
        kind = node.tag.removeprefix(_TAG)
        if kind == "str" and not _NUMBER_OF_1_2.fullmatch(text):
            return text
        if kind == "null" and text.lower() in _NULLS:
            return None
        if kind == "bool" and text.lower() in _BOOLEANS:
            return _BOOLEANS[text.lower()]
        if kind == "int" and _INTEGER.fullmatch(text):
            return int(text)
        if kind == "float" and _DECIMAL.fullmatch(text):
            return float(text)
        raise self.refuse(_ambiguous(text, kind), node, path)


def _ambiguous(text: str, kind: str) -> str:
    if kind == "bool":
        return f"{text} is a boolean to some readers of YAML; write true or false, or quote it"
    if kind in {"int", "float", "str"}:
        shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
        return f"{shown} is not a plain decimal number; write one, or quote it if it is text"
    if kind == "timestamp":
        return f"{text} is a date to some readers of YAML; quote it"
    return f"{text} has a special meaning in YAML; quote it"


def read_yaml(text: str, source: str) -> YamlTree:
    """Values and lines of a YAML text.

    Args:
        text: one YAML document.
        source: the file's name, for messages.

    Raises:
        PolicyError: it is not YAML, or YAML that is not read the same everywhere.
    """
    builder = _Builder(source)
    try:
        builder.check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        message = f"is not YAML: {error.problem}{_advice(error)}"
        raise PolicyError(message, file=source, line=line) from None
    except yaml.reader.ReaderError as error:
        line = _line_at(text, error.position)
        raise PolicyError("has a control character", file=source, line=line) from None
    if node is None or node.value == "":
        raise PolicyError(
            "is empty; `guardproxy policy list` names policies to start from", file=source
        )
    return YamlTree(builder.build(node, ()), builder.lines)


def _advice(error: yaml.MarkedYAMLError) -> str:
    problem, begin, end = str(error.problem), error.context_mark, error.problem_mark
    if "stream" in problem and begin and end and begin.line < end.line:
        return f"; what begins on line {begin.line + 1} is not closed"
    return next((advice for words, advice in _ADVICE.items() if words in problem), "")


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def dotted(path: Loc) -> str:
    """`("input", 0, "action")` -> `input[0].action`; one line, whatever the keys."""
    return "".join(map(_step, path)).removeprefix(".")


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if part.isprintable() else f".{part!a}"
