"""What somebody said, and where it stood in the body."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """Who said it. Values are the wire's; `unknown` is text in a field no dialect knows."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    FUNCTION = "function"
    DEFINITION = "definition"
    """Tool definitions, response schemas and other text an app writes for the model."""
    UNKNOWN = "unknown"


class MediaKind(StrEnum):
    """What a text classifier cannot read."""

    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"


class TextPart(NamedTuple):
    """A text to be judged. A tuple: many come with every body, and a dataclass takes longer.

    `path` is the JSON path in the body (`messages[0].content[1].text`); it says where, never what.
    """

    role: Role
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class MediaPart:
    """A part that a text classifier cannot read; `size` counts its bytes on the wire."""

    role: Role
    kind: MediaKind
    path: str
    size: int


class Passage(NamedTuple):
    """One text as the classifier gets it, with the conversation before it.

    `context` holds the turns before the text, oldest first, one line each (`user: …`);
    empty when there is none. A model that was not trained on context leaves it aside.
    """

    text: str
    context: str = ""
