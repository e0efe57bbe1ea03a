"""Every error we raise on purpose.

    GuardproxyError
    ├── ConfigurationError      the operator's: refused at start or at reload
    │   ├── PolicyError         a policy file; says file, line and key
    │   ├── ModelError          a model folder; missing, changed or unreadable
    │   └── DataError           labelled texts to measure with; says file and line
    ├── RequestError            the caller's: becomes a 4xx, nothing was sent upstream
    ├── ClassifierError         ours: becomes a verdict in `guard`, never a response by itself
    │   ├── ClassifierDeadline
    │   ├── ClassifierOverloaded
    │   └── ClassifierMissing
    ├── UpstreamError           theirs: becomes a 502 or 504
    │   └── StreamError         an event stream that nobody can read as one thing
    └── OverloadedError         ours: a bound of this process is reached, becomes a 503

The branch says whose fault it is. Messages never hold user text, keys or tokens.
"""

from __future__ import annotations

from collections.abc import Sequence


class GuardproxyError(Exception):
    """Base of all errors raised on purpose."""


class ConfigurationError(GuardproxyError):
    """Something the operator wrote cannot be used."""


class PolicyError(ConfigurationError):
    """A policy cannot be used.

    Args:
        message: what is wrong and what to do, one line.
        file: the file it stands in, if it came from one.
        line: line number in that file, counted from 1.
        key: dotted path of the key, e.g. `input[0].moderation_llm_v2.action`.
        others: what else is wrong with the same file.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        key: str = "",
        others: Sequence[PolicyError] = (),
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.key = key
        self.others = tuple(others)
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return ": ".join(part for part in (place, self.key, self.message) if part)


class ModelError(ConfigurationError):
    """A model folder is missing, incomplete, changed or unreadable."""


class DataError(ConfigurationError):
    """Labelled texts cannot be used.

    Args:
        message: what is wrong, one line; never repeats the text.
        file: the file it stands in.
        line: line number in that file, counted from 1.
    """

    def __init__(self, message: str, *, file: str, line: int | None = None) -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}")


class RequestError(GuardproxyError):
    """The caller sent something we do not let through unread.

    Args:
        message: one line for the caller; names the place, never repeats its text.
        status: HTTP status, 4xx.
        code: short machine-readable reason, e.g. `duplicate_key`.
        param: JSON path or header the message is about.
        allow: the method that would do, for a 405.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "invalid_request",
        param: str | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.allow = allow


class ClassifierError(GuardproxyError):
    """The classifier did not answer; the policy says what follows."""

    reason = "error"


class ClassifierDeadline(ClassifierError):  # noqa: N818 - names a reason, like its kin
    """The judgement took longer than it may."""

    reason = "deadline"


class ClassifierOverloaded(ClassifierError):  # noqa: N818 - as above
    """The queue in front of the classifier is full."""

    reason = "overload"


class ClassifierMissing(ClassifierError):  # noqa: N818 - as above
    """There is no classifier, or it cannot judge what the policy asks for."""

    reason = "missing"


class UpstreamError(GuardproxyError):
    """The upstream did not answer, or answered something nobody can read.

    Args:
        message: one line for the caller; holds no host, no key, no body.
        status: HTTP status, 502 or 504.
    """

    def __init__(self, message: str, *, status: int = 502) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class StreamError(UpstreamError):
    """The upstream's event stream is not UTF-8, or one event is over its bound."""


class OverloadedError(GuardproxyError):
    """A bound of this process is reached; the caller may try again later."""
