"""Which sources a model has seen: from what its training run wrote beside the weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from guardproxy.errors import DataError

_KEY: Final = "sources"


def trained_sources(file: Path) -> frozenset[str]:
    """Names of the sources a run trained on.

    Args:
        file: JSON that holds, at any depth, `sources`: a list of names, or an object whose keys
            are names; or that is such a list itself. The outermost one counts.

    Raises:
        DataError: it cannot be read, is no JSON, or names no sources.
    """
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(str(error.strerror), file=str(file)) from None
    except UnicodeDecodeError:
        raise DataError("is not UTF-8", file=str(file)) from None
    except json.JSONDecodeError as error:
        raise DataError(f"is no JSON: {error.msg}", file=str(file), line=error.lineno) from None
    except RecursionError:
        raise DataError("is nested too deep", file=str(file)) from None
    for value in [content] if isinstance(content, list) else _found(content):
        names = list(value) if isinstance(value, list | dict) else []
        if names and all(isinstance(name, str) for name in names):
            return frozenset(names)
    message = f"names no sources: a key `{_KEY}` with a list of names, or an object by name"
    raise DataError(message, file=str(file))


def _found(content: object) -> Iterator[object]:
    """Values of the key, outermost first."""
    level: list[object] = [content]
    while level:
        mappings = [value for value in level if isinstance(value, Mapping)]
        yield from (mapping[_KEY] for mapping in mappings if _KEY in mapping)
        level = [value for mapping in mappings for value in mapping.values()]
