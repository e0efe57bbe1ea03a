"""A policy's v1 entries rewritten to v2, in place: comments and layout stay as they are. Pure.

What v2 has and v1 has not is switched off, so that a migrated policy blocks what it blocked; where
that cannot be had exactly, a note says so. The text is edited at the places that the YAML parser
names, never written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from guardproxy.policy.config import SCOPES, ModerationV1Config, ModerationV2Config
from guardproxy.policy.load import load_policy_text

_V1, _V2 = "moderation_llm_v1", "moderation_llm_v2"
_THRESHOLDS = "custom_category_thresholds"
_MERGED = "dangerous_and_criminal_content"
_V1_MODEL: str = ModerationV1Config.model_fields["model_name"].default
_V2_MODEL: str = ModerationV2Config.model_fields["model_name"].default
_NEW_CATEGORY_OFF = "jailbreaking: 1"

_Members: TypeAlias = Mapping[str, tuple[yaml.Node, yaml.Node]]


@dataclass(frozen=True, slots=True)
class Migration:
    """The new text, and what its reader must know: one line each, with file and line.

    `left` counts entries that stay v1, because they cannot be rewritten.
    """

    text: str
    notes: tuple[str, ...] = ()
    left: int = 0


def migrate(text: str, source: str, *, with_jailbreaking: bool = False) -> Migration:
    """Rewrite every v1 entry of a policy to v2.

    Args:
        text: the policy, YAML.
        source: the file's name, for notes and errors.
        with_jailbreaking: let entries that evaluate all categories evaluate v2's new one as well.

    Raises:
        PolicyError: the policy cannot be used as it is.
    """
    load_policy_text(text, source)
    editor = _Editor(text, source, with_jailbreaking=with_jailbreaking)
    policy = _members(yaml.compose(text, Loader=yaml.SafeLoader))
    for scope in SCOPES:
        entries = policy.get(scope, (None, None))[1]
        for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
            editor.migrate_entry(_members(entry))
    if editor.edits:
        editor.check_streaming(_members(policy.get("streaming", (None, None))[1]))
    migrated = editor.edited()
    load_policy_text(migrated, source)
    return Migration(migrated, tuple(editor.notes), editor.left)


@dataclass(slots=True)
class _Editor:
    text: str
    source: str
    with_jailbreaking: bool
    notes: list[str] = field(default_factory=list)
    left: int = 0
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    """Start, end, and what stands there instead."""

    def migrate_entry(self, entry: _Members) -> None:
        key, config = entry.get(_V1, (None, None))
        if key is None or not isinstance(config, yaml.MappingNode):
            return
        if isinstance(entry.get(_V2, (None, None))[1], yaml.MappingNode):
            self.left += 1
            self.note(key, f"has {_V1} and {_V2} in one entry: left as it is, merge them by hand")
            return
        self.rename(key, _V1, _V2)
        self.note(key, f"is now {_V2}, and answers name it so")
        self.migrate_config(config)

    def migrate_config(self, config: yaml.MappingNode) -> None:
        members = _members(config)
        if "model_name" in members:
            self.rename(members["model_name"][1], _V1_MODEL, _V2_MODEL)
        thresholds = members.get(_THRESHOLDS, (None, None))[1]
        given = _members(thresholds)
        if _MERGED in given:
            self.split(thresholds, *given[_MERGED])
        if _value(members, "ignore_other_categories") == "true":
            return
        if _value(given, _MERGED) in {"", "null", "~"}:
            self.note(
                config,
                f"{_MERGED} has the classifier's default; dangerous and criminal have their own, "
                "so a little more or less may be blocked; give them thresholds to decide it",
            )
        self.add_new_category(config, thresholds)

    def add_new_category(self, config: yaml.MappingNode, thresholds: yaml.Node | None) -> None:
        if self.with_jailbreaking:
            self.note(config, "jailbreaking is new in v2 and now evaluated")
            return
        self.note(config, f"jailbreaking is new in v2: switched off with `{_NEW_CATEGORY_OFF}`")
        if isinstance(thresholds, yaml.MappingNode):
            self.add(thresholds, _NEW_CATEGORY_OFF)
        elif thresholds is None:
            self.add(config, f"{_THRESHOLDS}: {{{_NEW_CATEGORY_OFF}}}")
        else:
            space = "" if self.written(thresholds) else " "
            self.replace(thresholds, f"{space}{{{_NEW_CATEGORY_OFF}}}")

    def split(self, thresholds: yaml.Node | None, key: yaml.Node, value: yaml.Node) -> None:
        """`dangerous_and_criminal_content: x` -> `dangerous: x`, `criminal: x`."""
        self.rename(key, _MERGED, "dangerous")
        criminal = f"criminal: {self.written(value)}".rstrip()
        if isinstance(thresholds, yaml.MappingNode) and thresholds.flow_style:
            self.insert(value.end_mark.index, f", {criminal}")
        else:
            self.insert_line(value, key.start_mark.column, criminal)

    def add(self, mapping: yaml.MappingNode, pair: str) -> None:
        """One more pair, after the others; their values are scalars."""
        if not mapping.flow_style:
            key, value = mapping.value[-1]
            self.insert_line(value, key.start_mark.column, pair)
        elif mapping.value:
            self.insert(mapping.value[-1][1].end_mark.index, f", {pair}")
        else:
            self.insert(mapping.start_mark.index + 1, pair)

    def check_streaming(self, streaming: _Members) -> None:
        partial = streaming.get("partial_thresholds", (None, None))[1]
        if partial is not None and {"dangerous", "criminal"} & _members(partial).keys():
            self.note(
                partial,
                f"{_MERGED} took the higher of dangerous and criminal here; now each has its own",
            )

    def insert_line(self, after: yaml.Node, column: int, line: str) -> None:
        end = self.text.find("\n", after.end_mark.index)
        end = len(self.text) if end < 0 else end
        newline = "\n"
        if self.text.endswith("\r", 0, end):
            end, newline = end - 1, "\r\n"
        self.insert(end, f"{newline}{' ' * column}{line}")

    def insert(self, place: int, new: str) -> None:
        self.edits.append((place, place, new))

    def replace(self, node: yaml.Node, new: str) -> None:
        self.edits.append((node.start_mark.index, node.end_mark.index, new))

    def rename(self, node: yaml.Node, old: str, new: str) -> None:
        self.replace(node, self.written(node).replace(old, new))  # with its quotes, if it has any

    def written(self, node: yaml.Node) -> str:
        return self.text[node.start_mark.index : node.end_mark.index]

    def note(self, node: yaml.Node, message: str) -> None:
        self.notes.append(f"{self.source}:{node.start_mark.line + 1}: {message}")

    def edited(self) -> str:
        pieces, done = [], 0
        # Stable: of two insertions at one place the first stays first.
        for start, end, new in sorted(self.edits, key=lambda edit: edit[0]):
            pieces += [self.text[done:start], new]
            done = end
        return "".join([*pieces, self.text[done:]])


def _members(node: yaml.Node | None) -> _Members:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: (key, value) for key, value in node.value}


def _value(members: _Members, key: str) -> str:
    return str(members[key][1].value).lower() if key in members else ""
