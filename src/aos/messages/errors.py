"""How a body or a stream can be wrong."""

from aos.kit.errors import AosError, Who


class InvalidRequest(AosError):
    """The request's body does not mean anything; the message names the field (detail `param`)."""

    code = "invalid_request"
    status = 400
    who = Who.CALLER


class StreamInvalid(AosError):
    """The upstream's stream cannot be read any further: what came before was relayed."""

    code = "upstream_stream_invalid"
    status = 502
    who = Who.UPSTREAM
