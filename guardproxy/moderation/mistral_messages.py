"""Mistral's messages and content chunks, as its schema has them, and the text in them.

An unknown role, chunk type or key is refused: it might hold text that nobody reads.
Sources: api-contracts 1.6; `models/*message.py` and `*chunk.py` of the Python package `mistralai`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Strict(BaseModel):
    """Foreign data with nothing more and nothing else than its schema says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Chunk(Strict):
    """A piece of content: the texts in it, and how much in it a text classifier cannot read."""

    def texts(self) -> Iterator[str]:
        yield from ()

    @property
    def unreadable(self) -> int:
        return 0


class TextChunk(Chunk):
    type: Literal["text"]
    text: str

    def texts(self) -> Iterator[str]:
        yield self.text


class ReferenceChunk(Chunk):
    """Numbers of sources, or their ids."""

    type: Literal["reference"]
    reference_ids: list[int | str]

    def texts(self) -> Iterator[str]:
        yield from (item for item in self.reference_ids if isinstance(item, str))


class ToolReferenceChunk(Chunk):
    type: Literal["tool_reference"]
    tool: str
    title: str
    url: str | None = None
    favicon: str | None = None
    description: str | None = None

    def texts(self) -> Iterator[str]:
        yield from filter(None, (self.title, self.description, self.url))


_Thought: TypeAlias = Annotated[
    TextChunk | ReferenceChunk | ToolReferenceChunk, Field(discriminator="type")
]


class ThinkChunk(Chunk):
    type: Literal["thinking"]
    thinking: list[_Thought]
    signature: str | None = None
    closed: bool = True

    def texts(self) -> Iterator[str]:
        for thought in self.thinking:
            yield from thought.texts()


class MediaChunk(Chunk):
    """What a text classifier cannot read. Only its type is looked at; nothing is ever fetched."""

    model_config = ConfigDict(extra="allow")

    type: Literal["image_url", "document_url", "input_audio", "audio", "file", "resource_link"]

    @property
    def unreadable(self) -> int:
        return 1


class ResourceChunk(Chunk):
    """An embedded resource: text, or an image."""

    type: Literal["resource"]
    uri: str
    content: Annotated[TextChunk | MediaChunk, Field(discriminator="type")]

    def texts(self) -> Iterator[str]:
        yield from self.content.texts()

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
        return "\n".join(piece for piece in self._texts() if piece)

    @property
    def unreadable(self) -> int:
        """Chunks in it that a text classifier cannot read."""
        return sum(chunk.unreadable for chunk in self._chunks())

    def _texts(self) -> Iterator[str]:
        if isinstance(self.content, str):
            yield self.content
        for chunk in self._chunks():
            yield from chunk.texts()
        for call in self.tool_calls or ():
            yield from call.function.texts()

    def _chunks(self) -> Sequence[Chunk]:
        return self.content if isinstance(self.content, list) else ()
