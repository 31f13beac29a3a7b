"""What can be wrong with a question about calls."""

from aos.kit.errors import AosError, NotFound


class CallNotFound(NotFound):
    """No such call, or not the caller's, or it has not ended yet."""

    code = "call_not_found"


class ContentsNotKept(AosError):
    """The database refused the texts of calls. The calls themselves are settled and recorded."""

    code = "contents_not_kept"
