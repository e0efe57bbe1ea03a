"""Policy files: where they are, and how one becomes a `PolicyConfig`.

Every problem is one line with file, line and key. The shipped policies stand in `configs/`: at the
top of the repository, and in the package where it is installed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from guardproxy.errors import PolicyError
from guardproxy.policy.config import PolicyConfig
from guardproxy.policy.problems import MISSING, Problem, problems_in, warnings_about
from guardproxy.policy.yaml_tree import YamlTree, dotted, read_yaml

DEFAULT_POLICY = "general-assistant"
MAX_BYTES = 1_000_000
_VERSION_DIGITS = 12
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, and which bytes it was read from.

    `source` is the file's path as it was given. `sha256` is of the bytes, in hex. `warnings` are
    lines for the operator about what is allowed but seldom meant.
    """

    config: PolicyConfig
    source: str
    sha256: str
    warnings: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The first digits of `sha256`, for headers and `/healthz`."""
        return self.sha256[:_VERSION_DIGITS]


def resolve_policy(name_or_path: str | None = None) -> LoadedPolicy:
    """The policy of a shipped name (`strict`), of a path, or the default one.

    Raises:
        PolicyError: there is no such policy, or it cannot be used.
    """
    return load_policy(policy_path(name_or_path))


def policy_path(name_or_path: str | None = None) -> Path:
    """Where a policy stands. What has no directory and no `.yaml` is a shipped name.

    Raises:
        PolicyError: no policy of this name is shipped.
    """
    name = DEFAULT_POLICY if name_or_path is None else name_or_path
    if "\n" in name:
        raise PolicyError("a policy is named or given as a path, not as its text: put it in a file")
    path = Path(name)
    if path.suffix in _SUFFIXES or path.name != name:
        return path
    shipped = shipped_policies()
    if name in shipped:
        return shipped[name]
    with suppress(OSError):  # a name may be too long for a file's
        _refuse_what_is_there(path, name)
    raise PolicyError(
        f"no policy {name!r} is shipped; give one of {', '.join(shipped)}, or a path to a file"
    )


def _refuse_what_is_there(path: Path, name: str) -> None:
    if name and path.is_dir():
        raise PolicyError("is a directory, not a policy", file=name)
    if path.is_file():
        message = f"is no shipped policy; write ./{name} for the file of that name"
        raise PolicyError(message, file=name)


def shipped_policies() -> dict[str, Path]:
    """Name -> file of every shipped policy, sorted."""
    return {path.stem: path for path in sorted(configs_directory().glob("*.yaml"))}


def configs_directory() -> Path:
    """`configs/`: in the package where it is installed, beside it in a source checkout."""
    package = Path(__file__).parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def load_policy(path: Path | str) -> LoadedPolicy:
    """Read a policy file.

    Raises:
        PolicyError: it cannot be read or used; the first problem if there are several.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=str(path)) from None
    return _load(data, str(path))


def load_policy_text(text: str, source: str) -> LoadedPolicy:
    """Read a policy from text.

    Args:
        text: YAML.
        source: a name for it, for messages.

    Raises:
        PolicyError: it cannot be used; the first problem if there are several.
    """
    return _load(text.encode(errors="surrogatepass"), source)


def _load(data: bytes, source: str) -> LoadedPolicy:
    tree = _read(data, source)
    try:
        config = PolicyConfig.model_validate(tree.value)
    except ValidationError as error:
        raise _refusal(tree, source, list(problems_in(error))) from None
    warnings = tuple(str(_at(tree, source, warning)) for warning in warnings_about(config))
    return LoadedPolicy(config, source, hashlib.sha256(data).hexdigest(), warnings)


def _read(data: bytes, source: str) -> YamlTree:
    if len(data) > MAX_BYTES:
        raise PolicyError(f"is larger than {MAX_BYTES} bytes", file=source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError("is not UTF-8", file=source, line=line) from None
    return read_yaml(text, source)


def _refusal(tree: YamlTree, source: str, problems: Sequence[Problem]) -> PolicyError:
    # What is missing comes last: most often it is there, misspelt.
    first, *others = sorted(
        problems, key=lambda problem: (problem.message == MISSING, tree.line(problem.loc))
    )
    return _at(tree, source, first, [_at(tree, source, other) for other in others])


def _at(
    tree: YamlTree, source: str, problem: Problem, others: Sequence[PolicyError] = ()
) -> PolicyError:
    line = tree.line(problem.loc)
    key = dotted(problem.loc)
    return PolicyError(problem.message, file=source, line=line, key=key, others=others)
