"""Turns every failure into `application/problem+json`. Nothing of our insides is ever told."""

import math
from collections.abc import Sequence
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aos.control.errors import InvalidJson, InvalidRequest, MethodNotAllowed, RouteNotFound
from aos.kit.errors import AosError

MEDIA_TYPE: Final = "application/problem+json"
_UNAUTHENTICATED: Final = 401


class Internal(AosError):
    """A bug of ours. The request id finds it in the log."""


def answer(error: AosError, request_id: str) -> Response:
    """The problem that a failure is shown as."""
    problem: dict[str, Any] = {
        "type": f"urn:aos:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "retryable": error.retryable,
        "request_id": request_id,
    }
    details = dict(error.details)
    if "errors" in details:
        problem["errors"] = details.pop("errors")
    if details:
        problem["details"] = details
    headers = {}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_seconds))
    if error.status == _UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    content = orjson.dumps(problem, default=str)
    return Response(content, error.status, headers, MEDIA_TYPE)


def internal(request_id: str) -> Response:
    """A bug, to the outside: only the id that finds it in the log."""
    message = f"this is a bug of ours; the log tells more under request id {request_id}"
    return answer(Internal(message), request_id)


async def on_failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, AosError)
    return answer(error, request.state.request_id)


async def on_invalid(request: Request, error: Exception) -> Response:
    """What pydantic found. The values themselves are not repeated: one may be a secret."""
    assert isinstance(error, RequestValidationError)
    return answer(_invalid(error.errors(), request), request.state.request_id)


async def on_http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no such path, wrong method, unreadable body."""
    assert isinstance(error, HTTPException)
    failure: AosError
    if error.status_code == RouteNotFound.status:
        failure = RouteNotFound(f"there is nothing at {request.url.path}")
    elif error.status_code == MethodNotAllowed.status:
        failure = MethodNotAllowed(f"{request.method} is not possible at {request.url.path}")
    else:
        failure = InvalidJson("the body cannot be read as JSON in UTF-8")
    response = answer(failure, request.state.request_id)
    if error.headers and "allow" in {name.lower() for name in error.headers}:
        response.headers["allow"] = error.headers["Allow"]
    return response


def _invalid(errors: Sequence[Any], request: Request) -> AosError:
    if any(error["type"] == "json_invalid" for error in errors):
        return InvalidJson("the body is not JSON")
    fields = [
        {"field": ".".join(str(part) for part in error["loc"]), "message": error["msg"]}
        for error in errors
    ]
    first = f"{fields[0]['field']}: {fields[0]['message']}"
    if fields[0]["field"] == "body" and "json" not in request.headers.get("content-type", ""):
        first = "send the body as JSON, with Content-Type: application/json"
    return InvalidRequest(first, errors=fields)
