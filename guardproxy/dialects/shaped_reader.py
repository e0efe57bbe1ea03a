"""What readers of block-shaped requests (Messages, Responses) do beside what all readers do."""

from __future__ import annotations

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects.leaves import numbers_in
from guardproxy.dialects.request_reader import RequestReader, size_of
from guardproxy.dialects.shape import Shape, contents
from guardproxy.errors import RequestError
from guardproxy.policy.scope import TOOLS
from guardproxy.strict_json import JsonValue


class ShapedReader(RequestReader):
    """Collects what a request says, in the order of the conversation."""

    def shaped(
        self,
        value: JsonValue,
        role: Role,
        path: str,
        shape: Shape,
        kind: MediaKind = MediaKind.FILE,
    ) -> None:
        """All of a value but what its shape lets pass; `kind` is that of its media."""
        found = contents(value, shape, addresses=True)
        self.chunks(found.texts, role, path)
        if role in TOOLS:
            self.say(role, numbers_in(value), path)
        for embedded, size in found.media:
            # What is not the medium it stands for is judged by the strictest rule, a file's.
            same = kind if embedded in (None, kind) else MediaKind.FILE
            self.media.append(MediaPart(role, same, path, size))

    def medium(
        self, value: JsonValue, role: Role, path: str, shape: Shape, kind: MediaKind
    ) -> None:
        """One medium and what is said beside it; another one inside makes it a file."""
        found = contents(value, shape)
        self.chunks(found.texts, role, path)
        if any(embedded not in (None, kind) for embedded, _ in found.media):
            kind = MediaKind.FILE
        self.media.append(MediaPart(role, kind, path, size_of(value)))


def kind_of_part(part: JsonValue, path: str) -> tuple[dict[str, JsonValue], str]:
    """A content part or item, and its `type`.

    Raises:
        RequestError: it is no object with a `type`.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise RequestError("must be an object with a `type`", code="invalid_content", param=path)
    return part, kind
