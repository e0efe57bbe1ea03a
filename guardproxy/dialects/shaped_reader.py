"""What readers of block-shaped requests (Messages, Responses) do beside what all readers do."""

from __future__ import annotations

from collections.abc import Collection

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects.leaves import embedded_media, everything_in, unfolded
from guardproxy.dialects.request_reader import RequestReader, size_of
from guardproxy.dialects.shape import Shape, contents
from guardproxy.errors import RequestError
from guardproxy.strict_json import JsonValue, string_leaves


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
        self.say(role, found.text, path)
        for embedded, size in found.media:
            # What is not the medium it stands for is judged by the strictest rule, a file's.
            same = kind if embedded in (None, kind) else MediaKind.FILE
            self.media.append(MediaPart(role, same, path, size))

    def medium(
        self, value: JsonValue, role: Role, path: str, shape: Shape, kind: MediaKind
    ) -> None:
        """One medium and what is said beside it; another one inside makes it a file."""
        found = contents(value, shape)
        self.say(role, found.text, path)
        if any(embedded not in (None, kind) for embedded, _ in found.media):
            kind = MediaKind.FILE
        self.media.append(MediaPart(role, kind, path, size_of(value)))

    def all_of(self, value: JsonValue, role: Role, path: str) -> None:
        """Everything in a value, keys too, and what is JSON in its strings: a tool's arguments."""
        self.say(role, everything_in(value), path)
        inside = (unfolded(text) for _, text in string_leaves(value, keys=False))
        self.say(role, "\n".join(filter(None, inside)), path)

    def unread(self, value: JsonValue, role: Role, path: str) -> None:
        """Something whose content is elsewhere or coded: for the policy to decide, as a file."""
        self.media.append(MediaPart(role, MediaKind.FILE, path, size_of(value)))

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

    def tools(self, tools: JsonValue, elsewhere: Collection[str], path: str = "tools") -> None:
        """Tool definitions; `elsewhere` are keys that name content which is not in the body."""
        if tools is None:
            return
        for index, tool in enumerate(self.listed(tools, path, self.limits.tools)):
            self.all_of(tool, Role.DEFINITION, f"{path}[{index}]")
            if _names_any(tool, elsewhere):
                self.unread(tool, Role.DEFINITION, f"{path}[{index}]")
            for kind, size in embedded_media(tool):
                self.media.append(MediaPart(Role.DEFINITION, kind, f"{path}[{index}]", size))


def kind_of_part(part: JsonValue, path: str) -> tuple[dict[str, JsonValue], str]:
    """A content part or item, and its `type`.

    Raises:
        RequestError: it is no object with a `type`.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise RequestError("must be an object with a `type`", code="invalid_content", param=path)
    return part, kind


def _names_any(value: JsonValue, keys: Collection[str]) -> bool:
    """Whether an object below a value has strings under one of the keys.

    Objects there do not count: in a tool's schema they describe a property of that name.
    """
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if any(isinstance(named := node.get(key), str | list) and named for key in keys):
                return True
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return False
