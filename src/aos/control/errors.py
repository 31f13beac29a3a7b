"""What can be wrong with a control-plane request, whatever it asks for."""

from aos.kit.errors import AosError, Conflict, Forbidden, InvalidInput, NotFound, Who


class InvalidRequest(InvalidInput):
    """Fields are missing, unknown or out of bounds; `errors` lists them."""

    code = "invalid_request"


class InvalidJson(InvalidInput):
    """The body is not JSON."""

    code = "invalid_json"
    status = 400


class BodyTooLarge(AosError):
    """The body exceeds what the control plane takes."""

    code = "body_too_large"
    status = 413
    who = Who.CALLER


class InvalidCursor(InvalidInput):
    """The cursor did not come from this list."""

    code = "invalid_cursor"


class InvalidIdempotencyKey(InvalidInput):
    """The Idempotency-Key is empty, too long or unprintable."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(Conflict):
    """The Idempotency-Key came with another request before."""

    code = "idempotency_key_reused"


class RequestInProgress(Conflict):
    """The first request with this Idempotency-Key is still under way."""

    code = "request_in_progress"
    retryable = True


class OperatorOnly(Forbidden):
    """It concerns every tenant of this installation; only the operator's administrators may."""

    code = "operator_only"


class RouteNotFound(NotFound):
    """There is nothing at this path."""

    code = "route_not_found"


class MethodNotAllowed(AosError):
    """The path is right, the method is not."""

    code = "method_not_allowed"
    status = 405
    who = Who.CALLER
