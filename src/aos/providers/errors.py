"""How an upstream can fail, by what it may have cost."""

from aos.kit.errors import AosError, NotFound, Who


class ProviderNotConfigured(NotFound):
    """No configured provider has this id, or this model."""

    code = "provider_not_configured"


class UpstreamUnreachable(AosError):
    """It was never reached (DNS, connect, TLS): nothing can have been spent."""

    code = "upstream_unreachable"
    status = 502
    retryable = True
    who = Who.UPSTREAM


class UpstreamTimeout(AosError):
    """The request was sent, and the upstream fell silent: the bound may have been spent."""

    code = "upstream_timeout"
    status = 504
    retryable = True
    who = Who.UPSTREAM


class UpstreamBroken(AosError):
    """The request was sent, and the connection was cut: the bound may have been spent.

    Detail `answered` says whether any byte of an answer came.
    """

    code = "upstream_broken"
    status = 502
    retryable = True
    who = Who.UPSTREAM


class AnswerTooLarge(AosError):
    """The upstream's answer is longer than we are willing to hold in memory."""

    code = "upstream_answer_too_large"
    status = 502
    who = Who.UPSTREAM
