"""Statuses to error types. The official SDKs choose their exception by the HTTP status alone."""

from typing import Any, Final

from aos.kit.errors import AosError

_OPENAI_TYPES: Final = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SERVER_ERROR: Final = 500


def openai_error(error: AosError, request_id: str) -> dict[str, Any]:
    """The value of `error` in an OpenAI error body; our details stand beside its own fields."""
    fallback = "server_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    return {
        **error.details,
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.status, fallback),
        "param": error.details.get("param"),
        "code": error.code,
        "request_id": request_id,
    }


def anthropic_error(error: AosError, request_id: str) -> dict[str, Any]:
    """A whole Anthropic error body; our code and details stand under its `error`."""
    fallback = "api_error" if error.status >= _SERVER_ERROR else "invalid_request_error"
    return {
        "type": "error",
        "error": {
            **error.details,
            "type": _ANTHROPIC_TYPES.get(error.status, fallback),
            "message": error.message,
            "code": error.code,
        },
        "request_id": request_id,
    }
