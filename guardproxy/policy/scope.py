"""What of a body is judged: which texts, which of them also joined, and what of its media. Pure.

A text can be cut so that no piece says anything: over the parts of a message, or over short
messages. So besides each text alone, what stands around a cut between parts is judged whole, and
the short texts of a request are judged in blocks, joined without separator (`kil` + `ling`) and
with a space (`build a` + `bomb`). Pieces of one encoded text are joined whatever their length.
All of it as upstreams may read it: with what stands beside a text and without, thoughts apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, islice
from typing import NamedTuple

from guardproxy.content import MediaKind, MediaPart, Role, TextPart
from guardproxy.normalize.encodings import decode_runs
from guardproxy.policy.config import PolicyConfig, Unscannable
from guardproxy.verdict import Direction

# Around a cut, so many characters to either side are read together; more would only repeat what
# the parts alone show.
SEAM_CHARACTERS = 240

# Shorter than a sentence that does harm by itself, in most languages.
FRAGMENT_CHARACTERS = 80

# A block of joined fragments is about one window of the classifier. Blocks start at fixed places,
# so that of a growing conversation only the last one is new to a cache.
BLOCK_CHARACTERS = 600
OVERLAP_CHARACTERS = 160

# Where somebody says something: each is one text to the model, however many parts it has.
_CONTENT = re.compile(
    r"(?P<message>system|instructions|(?:inputs?|prompt)\Z|(?:completion_args\.)?prediction\.content"
    r"|\w+\[\d+\](?:\.message)?\.(?:content|outputs?|results?|error|thinking|refusal"
    r"|reasoning(?:_content)?))(?P<place>\[\d+\].*)?(?<!\.\.)",
    re.DOTALL,
)
_THOUGHTS = (".thinking", ".reasoning", ".reasoning_content", ".refusal")
JOINED = ".."
"""Stands in the path of what was joined, between the first and the last path; or ends the path of
what stands there a second time, read in another way."""
FAR = "..."
"""Stands there where several messages were joined, mostly for nothing: see `decide.doubted`."""
BESIDE = ".*"
"""Ends the path of a text that stands beside what a part says, or in a part that nobody knows."""
# A piece of something encoded: no word is as long.
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}+={0,6}")
_CODE = b"x" * 24
_CODE_SIGNS = bytes(
    ord("x" if re.match("[A-Za-z0-9+/_=-]", chr(byte)) else " ") for byte in range(256)
)
"""Each byte as `x` if it can stand in something encoded."""
TOOLS = frozenset({Role.TOOL, Role.FUNCTION})
"""Who a policy's `tool_results` is about."""
_UNTRUSTED = frozenset({Role.USER, Role.TOOL, Role.FUNCTION, Role.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Selection:
    """What is judged, and what is not, because the policy exempts its role or its hash.

    A joined text's path names the first and the last of what was joined
    (`messages[1].content...messages[5].content`).
    """

    judged: tuple[TextPart, ...]
    exempt: tuple[TextPart, ...] = ()

    @property
    def exempt_characters(self) -> int:
        return sum(len(part.text) for part in self.exempt)


@dataclass(frozen=True, slots=True)
class MediaSplit:
    """Content that cannot be read, by what the policy says about its kind."""

    blocked: tuple[MediaPart, ...] = ()
    flagged: tuple[MediaPart, ...] = ()
    allowed: tuple[MediaPart, ...] = ()


_NO_MEDIA = MediaSplit()


def select(
    texts: Sequence[TextPart],
    config: PolicyConfig,
    direction: Direction,
    *,
    inline: bool = False,
) -> Selection:
    """The texts to judge: each alone, and after them those that only show when joined, each once.

    On input without the exempt ones. The work is linear in the characters of `texts`.

    Args:
        texts: in the order they were said.
        config: the policy.
        direction: of the body they stand in.
        inline: the caller's own entries judge as well: all that is not exempt.
    """
    exempt: list[TextPart] = []
    judged = list(texts)
    roles = {*config.exempt_roles} | (TOOLS if config.tool_results == [] and not inline else set())
    if direction is Direction.INPUT and (roles or config.exempt_sha256):
        judged = []
        for part in texts:
            skip = part.role in roles or _has_hash(part, config.exempt_sha256)
            (exempt if skip else judged).append(part)
    contents = _contents(judged)
    candidates = [*_joined_parts(contents)] if len(contents) > 1 else []
    if direction is Direction.INPUT and len(contents) > 1:
        for together in _scopes(contents, apart=config.tool_results is not None):
            candidates += _joined_fragments(together)
            candidates += _joined_codes(together)
    joined = _new(candidates, judged) if candidates else ()
    return Selection((*judged, *joined), tuple(exempt))


def around_cuts(texts: Sequence[TextPart]) -> tuple[TextPart, ...]:
    """What only shows when the parts of a message are joined, and pieces of code decoded.

    As `select` joins them, for who reads all parts as one text already.

    Args:
        texts: of one message, with the paths of its parts (`messages[0].content[1]`).
    """
    contents = _contents(texts)
    if len(contents) < 2:
        return ()
    return tuple(_new([*_joined_parts(contents), *_joined_codes(contents)], texts))


def _scopes(contents: list[_Content], *, apart: bool) -> Iterator[list[_Content]]:
    """What is judged by the same entries, and so can be judged as one text."""
    if not apart:
        yield contents
        return
    for of_tools in (False, True):
        yield [each for each in contents if (each.part.role in TOOLS) is of_tools]


def digest(text: str) -> str:
    """What `exempt_sha256` names a text by: the SHA-256 of its UTF-8, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _has_hash(part: TextPart, digests: Sequence[str]) -> bool:
    return bool(digests) and digest(part.text) in digests


def split_media(media: Iterable[MediaPart], config: PolicyConfig) -> MediaSplit:
    """What the policy says about each medium; with exempt roles, media are still judged."""
    says = {
        MediaKind.IMAGE: config.unscannable.image,
        MediaKind.AUDIO: config.unscannable.audio,
        MediaKind.FILE: config.unscannable.file,
    }
    parts = tuple(media)
    if not parts:
        return _NO_MEDIA

    def those(wanted: Unscannable) -> tuple[MediaPart, ...]:
        return tuple(part for part in parts if says[part.kind] is wanted)

    return MediaSplit(those(Unscannable.BLOCK), those(Unscannable.FLAG), those(Unscannable.ALLOW))


class _Content(NamedTuple):
    """A text that somebody says.

    `place` is its place among several parts, if there are. What stands `beside` what is said an
    upstream may read or leave out; a `thought`, or a refusal, it may read apart as well.
    """

    message: str
    place: str | None
    part: TextPart
    beside: bool
    thought: bool


def _contents(texts: Iterable[TextPart]) -> list[_Content]:
    return [
        _Content(match["message"], match["place"], part, BESIDE in path, path.endswith(_THOUGHTS))
        for part in texts
        if (match := _CONTENT.fullmatch(path := part.path))
    ]


def _readings(contents: list[_Content]) -> Iterator[list[_Content]]:
    """What upstreams may read as one: all, only what they know, what is said, what is thought."""
    known = [each for each in contents if not each.beside]
    thoughts = [each for each in known if each.thought]
    yield contents
    if len(known) < len(contents):
        yield known
    if 0 < len(thoughts) < len(known):
        yield [each for each in known if not each.thought]
        yield thoughts


def _joined_parts(contents: Iterable[_Content]) -> Iterator[TextPart]:
    for _, members in groupby(contents, key=lambda content: content.message):
        parts = [content for content in members if content.place]
        if len(parts) > 1:
            for reading in _readings(parts):
                yield from _around_seams([content.part for content in reading])


def _joined_fragments(contents: Iterable[_Content]) -> Iterator[TextPart]:
    short = [each for each in contents if 0 < len(each.part.text) < FRAGMENT_CHARACTERS]
    untrusted = [each for each in short if each.part.role in _UNTRUSTED]
    # Twice: a word of the assistant's may stand between two of a user's, or be one of the pieces.
    for run in (short, untrusted) if len(untrusted) < len(short) else (short,):
        for reading in _readings(run):
            for block in _blocks([each.part for each in reading]):
                for separator in ("", " "):
                    yield _join(block, separator.join(part.text for part in block), FAR)


def _joined_codes(contents: Iterable[_Content]) -> Iterator[TextPart]:
    """What is encoded in pieces, of which each is noise and all are a text."""
    for reading in _readings([each for each in contents if holds_code(each.part.text)]):
        found = [(each.part, _ENCODED.findall(each.part.text)) for each in reading]
        holders = [part for part, pieces in found if pieces]
        if len(holders) > 1:
            code = "".join(piece for _, pieces in found for piece in pieces)
            decoded = decode_runs(code)
            if decoded != code:
                yield _join(holders, decoded.strip())


def holds_code(text: str) -> bool:
    """Whether something as long as a piece of code stands in a text; most texts have none."""
    return _CODE in text.encode("ascii", "replace").translate(_CODE_SIGNS)


def _new(candidates: Iterable[TextPart], judged: Iterable[TextPart]) -> Iterator[TextPart]:
    seen = {part.text for part in judged}
    for part in candidates:
        if part.text not in seen:
            seen.add(part.text)
            yield part


def _around_seams(parts: Sequence[TextPart]) -> Iterator[TextPart]:
    """The text around every cut between parts; cuts that are near share one text."""
    whole = "".join(part.text for part in parts)
    seams = list(accumulate(len(part.text) for part in parts))[:-1]
    first = 0
    for index, seam in enumerate(seams):
        last = index == len(seams) - 1
        if last or seams[index + 1] - seam > 2 * SEAM_CHARACTERS:
            start = max(0, seams[first] - SEAM_CHARACTERS)
            text = whole[start : seam + SEAM_CHARACTERS]
            yield _join(parts[first : index + 2], text)
            first = index + 1


def _blocks(run: Sequence[TextPart]) -> Iterator[Sequence[TextPart]]:
    """Two or more neighbours each, overlapping; a longer run only changes the last block."""
    start = 0
    while len(run) - start > 1:
        end = start + _length(islice(run, start, None), BLOCK_CHARACTERS)
        yield run[start:end]
        if end == len(run):
            return
        # Never back to the start: fragments are shorter than a block by more than the overlap.
        start = end - _length(reversed(run[start:end]), OVERLAP_CHARACTERS)


def _length(run: Iterable[TextPart], characters: int) -> int:
    """How many of the first fragments make up so many characters; all, if they do not."""
    total = count = 0
    for part in run:
        count += 1
        total += len(part.text)
        if total >= characters:
            break
    return count


def _join(parts: Sequence[TextPart], text: str, between: str = JOINED) -> TextPart:
    roles = {part.role for part in parts}
    role = parts[0].role if len(roles) == 1 else Role.UNKNOWN
    return TextPart(role, text, f"{parts[0].path}{between}{parts[-1].path}")
