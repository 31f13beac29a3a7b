"""Failures of the data path, in the caller's terms."""

from aos.kit.errors import AosError, NotFound, Who


class UnsupportedEndpoint(NotFound):
    """A path that AOS does not meter, and so does not pass on."""

    code = "unsupported_endpoint"


class BodyTooLarge(AosError):
    """The body, as sent or once decoded, is larger than AOS_BODY_BYTES_MAX."""

    code = "request_too_large"
    status = 413
    who = Who.CALLER


class UndecodableBody(AosError):
    """The body is not what its Content-Encoding says."""

    code = "undecodable_body"
    status = 400
    who = Who.CALLER


class UnsupportedEncoding(AosError):
    """A Content-Encoding other than gzip, deflate or zstd."""

    code = "unsupported_content_encoding"
    status = 415
    who = Who.CALLER


class DialectMismatch(NotFound):
    """The model is known, and its provider does not speak the dialect of this path."""

    code = "dialect_not_supported"


class UnknownObject(NotFound):
    """A provider-side id that this tenant did not make."""

    code = "unknown_object"


class CallerGone(AosError):
    """The caller closed the connection; nobody reads this."""

    code = "client_closed_request"
    status = 499
    who = Who.CALLER


class UpstreamRefusedCredentials(AosError):
    """The provider does not take the key that AOS has for it; the caller's own key is fine.

    On the rows only: the caller gets the provider's own message, with status 502.
    """

    code = "upstream_credentials_refused"
    status = 502
    who = Who.US
