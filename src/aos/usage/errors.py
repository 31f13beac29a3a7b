"""What can be wrong with a question about calls."""

from aos.kit.errors import NotFound


class CallNotFound(NotFound):
    """No such call, or not the caller's, or it has not ended yet."""

    code = "call_not_found"
