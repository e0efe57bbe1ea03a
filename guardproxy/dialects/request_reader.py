"""What every reader of a request does: collects texts and media, reads contents and calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from guardproxy.content import MediaKind, MediaPart, Role, TextPart
from guardproxy.dialects import chat_fields as fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chunks import whole_and_lines
from guardproxy.dialects.elsewhere import named_in, reads_elsewhere
from guardproxy.dialects.leaves import (
    SCHEMA_VALUES,
    embedded_media,
    everything_in,
    is_payload,
    left_over,
    numbers_in,
    refers_to_media,
    says_nothing,
    text_leaves,
    unfolded,
)
from guardproxy.dialects.media_clues import clued_media
from guardproxy.dialects.request_values import check_case
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import BESIDE, JOINED, SEAM_CHARACTERS, TOOLS
from guardproxy.strict_json import JsonValue, string_leaves

# Drawings made of text, which a policy for images does not speak about.
_VECTORS = ("image/svg+xml", "image/svg")


class RequestReader:
    """Collects what a request says, in the order of the conversation.

    `path` is where something stands, as in `TextPart`.
    """

    def __init__(self, limits: Limits) -> None:
        self.texts: list[TextPart] = []
        self.media: list[MediaPart] = []
        self.limits = limits
        self._parts = 0

    def asked(self, value: Mapping[str, JsonValue], body: bytes, *, stream: bool) -> Asked:
        """All that was collected of a body, and what it names that is not in it."""
        for field, named in named_in(value):
            self.unread(named, Role.DEFINITION, field)
        return Asked(
            texts=tuple(self.texts),
            media=tuple(self.media),
            stream=stream,
            guardrails=value.get("guardrails"),
            guardrails_present="guardrails" in value,
            body=body,
        )

    def say(self, role: Role, text: str, path: str) -> None:
        """A text to be judged."""
        if text and not text.isspace():
            self.texts.append(TextPart(role, text, path))

    def rest(
        self,
        rest: JsonValue,
        role: Role,
        path: str,
        *,
        structure: re.Pattern[str] | None = None,
    ) -> None:
        """What stands in fields that nobody knows: every string is text, but for media in it.

        `structure`: see `leaves.text_leaves`.
        """
        if not rest or (structure is not None and says_nothing(rest, structure)):
            return
        self.chunks(text_leaves(rest, structure=structure, without_media=True), role, path)
        for kind, size in embedded_media(rest):
            self.media.append(MediaPart(role, kind, path, size))
        for clued in clued_media(rest, addresses=True):
            self.media.append(MediaPart(role, clued.kind, path, len(clued.text)))

    def chunks(self, leaves: Iterable[tuple[str, str]], role: Role, path: str) -> None:
        """The strings of a value, those of a list as one text; in lines as well if they are short.

        `leaves`: what `text_leaves` found.
        """
        whole, lines = whole_and_lines(leaves)
        self.say(role, whole, path)
        self.say(role, lines, path + JOINED)

    def gap(self, before: JsonValue, after: JsonValue, path: str) -> None:
        """Two texts between which the model writes: what stands around the gap, as one text."""
        if isinstance(before, str) and isinstance(after, str) and before and after:
            joined = before[-SEAM_CHARACTERS:] + after[:SEAM_CHARACTERS]
            self.say(Role.USER, joined, path)

    def all_of(self, value: JsonValue, role: Role, path: str) -> None:
        """Everything in a value, keys too, and what is JSON in its strings: a tool's arguments."""
        self.say(role, everything_in(value), path)
        inside = (unfolded(text) for _, text in string_leaves(value, keys=False))
        self.say(role, "\n".join(filter(None, inside)), path)
        below = SCHEMA_VALUES if role is Role.DEFINITION else ()
        self.say(role, numbers_in(value, below), path)

    def unread(self, value: JsonValue, role: Role, path: str) -> None:
        """Something whose content is elsewhere or coded: for the policy to decide, as a file."""
        self.media.append(MediaPart(role, MediaKind.FILE, path, size_of(value)))

    def definitions(self, tools: JsonValue, path: str = "tools") -> None:
        """A list of tools that the model may call; null is none."""
        if tools is None:
            return
        for index, tool in enumerate(self.listed(tools, path, self.limits.tools)):
            self.defined(tool, Role.DEFINITION, f"{path}[{index}]")

    def defined(self, tools: JsonValue, role: Role, path: str) -> None:
        """One tool, or some that a message brings along."""
        self.all_of(tools, role, path)
        if reads_elsewhere(tools):
            self.unread(tools, role, path)
        for kind, size in embedded_media(tools):
            self.media.append(MediaPart(role, kind, path, size))

    def answer_format(self, schema: JsonValue, path: str) -> None:
        """What an answer must look like: a plain `type`, or a schema that the model reads."""
        if schema is None:
            return
        if isinstance(schema, dict) and schema.keys() <= {"type"}:
            structure = fields.FORMAT_STRUCTURE
            self.rest(schema, Role.DEFINITION, path, structure=structure)
        else:
            self.say(Role.DEFINITION, everything_in(schema), path)
            self.say(Role.DEFINITION, numbers_in(schema, SCHEMA_VALUES), path)

    def prediction(self, prediction: JsonValue, path: str) -> None:
        """What the caller expects the answer to say."""
        if not isinstance(prediction, dict):
            self.rest(prediction, Role.ASSISTANT, path)
            return
        check_case(prediction, fields.PREDICTION_KNOWN, path)
        self.content(prediction.get("content"), Role.ASSISTANT, f"{path}.content")
        beside = left_over(prediction, {"content"})
        self.rest(beside, Role.ASSISTANT, path, structure=fields.PREDICTION_STRUCTURE)

    def content(self, content: JsonValue, role: Role, path: str) -> None:
        """A message's content: a string, or a list of parts.

        Raises:
            RequestError: it is neither, or has too many parts.
        """
        if content is None:
            return
        if isinstance(content, str):
            self.say(role, content, path)
            return
        if not isinstance(content, list):
            raise RequestError(
                "must be a string or a list of parts", code="invalid_content", param=path
            )
        for index, part in enumerate(content):
            self.count_part()
            self._part(part, role, f"{path}[{index}]")

    def count_part(self) -> None:
        """One more content part.

        Raises:
            RequestError: there are too many.
        """
        self._parts += 1
        if self._parts > self.limits.parts:
            raise RequestError(
                f"more than {self.limits.parts} content parts", code="too_many_parts"
            )

    def _part(self, part: JsonValue, role: Role, path: str) -> None:
        if isinstance(part, str):
            self.say(role, part, path)
            return
        if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
            raise RequestError(
                "must be an object with a `type`", code="invalid_content", param=path
            )
        check_case(part, fields.PART_KNOWN, path)
        key = fields.PART_TEXT.get(kind)
        if key is not None:
            said = {key: part.get(key)}
            place = path if key == "text" else f"{path}.{key}"
            self.chunks(text_leaves(said, structure=fields.PART_STRUCTURE), role, place)
            beside = left_over(part, said)
            self.rest(beside, role, path + BESIDE, structure=fields.PART_STRUCTURE)
            return
        medium = fields.PART_MEDIA.get(kind)
        if medium is not None:
            self._medium(part, medium, role, path)
            return
        # Unknown: judged as text, and whatever looks like a medium is for the policy to decide.
        structure = fields.PART_STRUCTURE
        self.chunks(text_leaves(part, structure=structure, without_media=True), role, path + BESIDE)
        if role in TOOLS:
            self.say(role, numbers_in(part), path + BESIDE)
        if points_elsewhere(part) or any(clued_media(part)):
            self.media.append(MediaPart(role, MediaKind.FILE, path, size_of(part)))

    def _medium(self, part: dict[str, JsonValue], kind: MediaKind, role: Role, path: str) -> None:
        kinds = {kind, *(kind for kind, _ in embedded_media(part))}
        if any(text in _VECTORS for _, text in string_leaves(part, keys=False)):
            kinds.add(MediaKind.FILE)
        if kinds != {kind}:
            # What it says it is and what it holds differ: the strictest rule is a file's.
            kind = MediaKind.FILE
        self.media.append(MediaPart(role, kind, path, size_of(part)))
        structure = fields.PART_STRUCTURE
        said = text_leaves(without_payload(part), structure=structure, without_media=True)
        self.chunks(said, role, path + BESIDE)

    @staticmethod
    def listed(value: JsonValue, path: str, limit: int | None) -> list[JsonValue]:
        """A value that must be a list of at most `limit` entries.

        Raises:
            RequestError: it is none, or longer.
        """
        if not isinstance(value, list):
            raise RequestError("must be a list", code="invalid_type", param=path)
        if limit is not None and len(value) > limit:
            raise RequestError(f"more than {limit} entries", code=f"too_many_{path}", param=path)
        return value

    def called(self, called: JsonValue, role: Role, path: str) -> None:
        """Name and arguments, as they stand and as whoever decodes them reads them."""
        if called is None:
            return
        if isinstance(called, dict):
            check_case(called, fields.FUNCTION_KNOWN, path)
        members = called.values() if isinstance(called, dict) else (called,)
        inside = [unfolded(member) for member in members if isinstance(member, str)]
        self.say(role, everything_in(called), path)
        self.say(role, "\n".join(filter(None, inside)), path)
        for member in members:
            self.say(role, numbers_in(member), path)

    def encoded(self, value: JsonValue, role: Role, path: str) -> None:
        """What a tool returned, JSON perhaps: as it stands, and as whoever decodes it reads it."""
        self.rest(value, role, path)
        self.say(role, numbers_in(value), path)
        if isinstance(value, str):
            self.say(role, unfolded(value), path)


def points_elsewhere(part: dict[str, JsonValue]) -> bool:
    """Whether a part that nobody knows holds or names what a text classifier cannot read.

    Not what an answer cited, and not a resource whose text is here: its address is read by nobody.
    """
    kind, resource = part.get("type"), part.get("resource")
    if kind == fields.PART_CITATION:
        return False
    if kind == fields.PART_RESOURCE and isinstance(resource, dict):
        text = resource.get("text")
        if text and isinstance(text, str) and not embedded_media(text):
            part = {**part, "resource": left_over(resource, {"uri", "text"})}
    return refers_to_media(part)


def without_payload(value: JsonValue) -> JsonValue:
    """The part without the strings that are the medium itself or its address."""
    if not isinstance(value, dict):
        return value
    return {
        key: without_payload(member)
        for key, member in value.items()
        if not (key in fields.MEDIA_PAYLOAD and isinstance(member, str) and is_payload(member))
    }


def size_of(value: JsonValue) -> int:
    """Characters of all strings in a part: its bytes on the wire, as media is ASCII."""
    return len(everything_in(value))
