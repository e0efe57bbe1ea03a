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

Path: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the root, as pydantic's `loc`."""

# A policy is a page or two. The bounds keep a hostile file from costing memory or the stack.
MAX_BYTES = 1_000_000
_MAX_DEPTH = 32
_MAX_NODES = 50_000

_TAG = "tag:yaml.org,2002:"
_NULLS = {"": None, "~": None, "null": None}
_BOOLEANS = {"true": True, "false": False}
# What YAML 1.1, YAML 1.2 and JSON agree on.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+|-?\.[0-9]+")
# A number to YAML 1.2, a word to YAML 1.1: 1e3, 0o17.
_NUMBER_OF_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+")


@dataclass(frozen=True, slots=True)
class YamlTree:
    """Plain values, and where they stood.

    `lines` counts from 1 and has an entry for every key and every list item.
    """

    value: object
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Line of the value at `path`, or of the nearest one around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return self.lines[()]


@dataclass(slots=True)
class _Builder:
    source: str
    lines: dict[Path, int] = field(default_factory=dict)

    def refuse(self, message: str, place: yaml.Node | yaml.Event, path: Path = ()) -> PolicyError:
        line = None if place.start_mark is None else place.start_mark.line + 1
        return PolicyError(message, file=self.source, line=line, key=dotted(path))

    def check_events(self, text: str) -> None:
        """Refuse what no policy needs, before anything recurses or is shared."""
        depth = documents = 0
        for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            documents += isinstance(event, yaml.DocumentStartEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if documents > 1:
                raise self.refuse("has a second document; one file is one policy", event)
            if depth > _MAX_DEPTH or count > _MAX_NODES:
                raise self.refuse("is nested too deeply or too long", event)
            if isinstance(event, yaml.NodeEvent):
                self.check_node(event)

    def check_node(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refuse("aliases and anchors (& and *) are not allowed; write it out", event)
        if getattr(event, "tag", None) is not None:
            raise self.refuse("tags (!) are not allowed", event)

    def build(self, node: yaml.Node, path: Path) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        return dict(self.members(node, path))

    def members(self, node: yaml.Node, path: Path) -> Iterator[tuple[str, object]]:
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

    def key(self, node: yaml.Node, path: Path) -> str:
        key = self.scalar(node, path) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            raise self.refuse("a key must be text", node, path)
        return key

    def scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        text: str = node.value
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
        return f"{text} is not a plain decimal number; write one, or quote it if it is text"
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
        raise PolicyError(f"is not YAML: {error.problem}", file=source, line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PolicyError("has a control character", file=source, line=line) from None
    if node is None or node.value == "":
        raise PolicyError(
            "is empty; `guardproxy policy list` names policies to start from", file=source
        )
    return YamlTree(builder.build(node, ()), builder.lines)


def dotted(path: Path) -> str:
    """`("input", 0, "action")` -> `input[0].action`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
