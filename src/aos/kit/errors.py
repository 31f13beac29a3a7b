"""Failures have names. A subclass of AosError per case; a 500 means a bug."""

from enum import StrEnum
from typing import Any, ClassVar


class Who(StrEnum):
    """Who can mend it."""

    CALLER = "caller"
    UPSTREAM = "upstream"
    US = "us"


class AosError(Exception):
    """A failure with a name.

    `code` is stable and documented, `status` is the HTTP status at the doors, `retryable` says
    whether the same call may succeed later, `details` are safe to show to the caller.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    who: ClassVar[Who] = Who.US

    def __init__(
        self, message: str, *, retry_after_seconds: float | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.details: dict[str, Any] = details


class InvalidInput(AosError):
    """The caller sent something that does not mean anything here."""

    code = "invalid_input"
    status = 422
    who = Who.CALLER


class NotFound(AosError):
    """No such thing, or not the caller's."""

    code = "not_found"
    status = 404
    who = Who.CALLER


class Forbidden(AosError):
    """The key is known, and may not do this."""

    code = "forbidden"
    status = 403
    who = Who.CALLER


class Conflict(AosError):
    """It clashes with what is already there."""

    code = "conflict"
    status = 409
    who = Who.CALLER


class Unavailable(AosError):
    """Something of ours is away for the moment."""

    code = "unavailable"
    status = 503
    retryable = True
