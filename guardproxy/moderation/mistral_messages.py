"""Mistral's messages and content chunks, as its schema has them, and the text in them.

An unknown role, chunk type or key is refused: it might hold text that nobody reads.
Sources: api-contracts 1.6; `models/*message.py` and `*chunk.py` of the Python package `mistralai`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from guardproxy.content import Role, TextPart
from guardproxy.dialects.chat_fields import PART_STRUCTURE
from guardproxy.dialects.coded import is_sealed
from guardproxy.dialects.leaves import embedded_media, is_address, is_token, text_leaves
from guardproxy.dialects.request_reader import without_payload
from guardproxy.policy.scope import BESIDE

_SAID, _THOUGHT = "", ".thinking"
"""What a path ends in, by how a text in a chunk is read; or `BESIDE`."""


class Strict(BaseModel):
    """Foreign data with nothing more and nothing else than its schema says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Chunk(Strict):
    """A piece of content, and how much in it a text classifier cannot read.

    `texts` are those in it, each with how it is read.
    """

    def texts(self) -> Iterator[tuple[str, str]]:
        yield from ()

    @property
    def unreadable(self) -> int:
        return 0


class TextChunk(Chunk):
    type: Literal["text"]
    text: str

    def texts(self) -> Iterator[tuple[str, str]]:
        yield _SAID, self.text


class ReferenceChunk(Chunk):
    """Numbers of sources, or their ids."""

    type: Literal["reference"]
    reference_ids: list[int | str]

    def texts(self) -> Iterator[tuple[str, str]]:
        yield from ((BESIDE, item) for item in self.reference_ids if isinstance(item, str))


class ToolReferenceChunk(Chunk):
    type: Literal["tool_reference"]
    tool: str
    title: str
    url: str | None = None
    favicon: str | None = None
    description: str | None = None

    def texts(self) -> Iterator[tuple[str, str]]:
        for text in (self.title, self.description, self.url):
            yield BESIDE, text or ""
        if not is_token(self.tool):
            yield BESIDE, self.tool
        favicon = self.favicon or ""
        if not (is_address(favicon) or embedded_media(favicon)):
            yield BESIDE, favicon


_Thought: TypeAlias = Annotated[
    TextChunk | ReferenceChunk | ToolReferenceChunk, Field(discriminator="type")
]


class ThinkChunk(Chunk):
    type: Literal["thinking"]
    thinking: list[_Thought]
    signature: str | None = None
    closed: bool = True

    def texts(self) -> Iterator[tuple[str, str]]:
        for thought in self.thinking:
            for read, text in thought.texts():
                yield read or _THOUGHT, text
        signature = self.signature or ""
        if not (is_token(signature) or is_sealed("signature", signature)):
            yield BESIDE, signature


class MediaChunk(Chunk):
    """What a text classifier cannot read, and what is said beside it. Nothing is ever fetched."""

    model_config = ConfigDict(extra="allow")

    type: Literal["image_url", "document_url", "input_audio", "audio", "file", "resource_link"]

    def texts(self) -> Iterator[tuple[str, str]]:
        beside = without_payload(self.model_extra or {})
        for _, text in text_leaves(beside, structure=PART_STRUCTURE, without_media=True):
            if not is_address(text):
                yield BESIDE, text

    @property
    def unreadable(self) -> int:
        return 1


class ResourceChunk(Chunk):
    """An embedded resource: text, or an image."""

    type: Literal["resource"]
    uri: str
    content: Annotated[TextChunk | MediaChunk, Field(discriminator="type")]

    def texts(self) -> Iterator[tuple[str, str]]:
        yield from self.content.texts()
        if not is_address(self.uri):
            yield BESIDE, self.uri

    @property
    def unreadable(self) -> int:
        return self.content.unreadable


_AnyChunk: TypeAlias = Annotated[
    TextChunk | ThinkChunk | ReferenceChunk | ResourceChunk | MediaChunk,
    Field(discriminator="type"),
]


def _form(content: object) -> str:
    return "string" if isinstance(content, str) else "chunks"


_Content: TypeAlias = Annotated[
    Annotated[str, Tag("string")] | Annotated[list[_AnyChunk], Tag("chunks")], Discriminator(_form)
]


class FunctionCall(Strict):
    name: str
    arguments: dict[str, object] | str

    def texts(self) -> Iterator[str]:
        yield self.name
        if isinstance(self.arguments, str):
            yield self.arguments
        else:
            yield json.dumps(self.arguments, ensure_ascii=False)


class ToolCall(Strict):
    function: FunctionCall
    id: str | None = None
    type: str | None = None
    index: int | None = None


class Message(Strict):
    """One turn. The roles' own keys are not told apart: each is read, whoever sends it."""

    role: Literal["system", "user", "assistant", "tool"]
    content: _Content | None = None
    tool_calls: list[ToolCall] | None = None
    prefix: bool = False
    name: str | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """Everything in it that can be read, one piece a line."""
        return "\n".join(self.pieces)

    @property
    def pieces(self) -> list[str]:
        return [piece for piece in self._texts() if piece]

    @property
    def parts(self) -> list[TextPart]:
        """The texts of its chunks, with paths that say how each is read."""
        return [
            TextPart(Role.USER, text, f"messages[0].content[{index}]{read}")
            for index, chunk in enumerate(self._chunks())
            for read, text in chunk.texts()
        ]

    @property
    def is_spoken(self) -> bool:
        """Says something, beside what stands beside its media."""
        said = (part for part in self.parts if BESIDE not in part.path)
        return bool(self.tool_calls) or any(part.text.strip() for part in said)

    @property
    def unreadable(self) -> int:
        """Chunks in it that a text classifier cannot read."""
        return sum(chunk.unreadable for chunk in self._chunks())

    def _texts(self) -> Iterator[str]:
        if isinstance(self.content, str):
            yield self.content
        yield from (part.text for part in self.parts)
        yield self.name or ""
        for call in self.tool_calls or ():
            yield from call.function.texts()
        yield from (text for text in self._ids() if not is_token(text))

    def _ids(self) -> Iterator[str]:
        yield self.tool_call_id or ""
        for call in self.tool_calls or ():
            yield from (call.id or "", call.type or "")

    def _chunks(self) -> Sequence[Chunk]:
        return self.content if isinstance(self.content, list) else ()
