"""Pure decisions of the data path: which operation a path is, what a body decodes to."""

import re
import zlib
from dataclasses import replace
from typing import Final

import zstandard

from aos.gateway.errors import (
    BodyTooLarge,
    UndecodableBody,
    UnsupportedEncoding,
    UnsupportedEndpoint,
)
from aos.gateway.limits import PATH_CHARACTERS_MAX
from aos.gateway.model import Headers, Incoming, Kind, Operation
from aos.messages import Dialect, ModelCall, reader

_FIXED: Final = {
    ("POST", "/v1/chat/completions"): Operation(
        Kind.GENERATE, Dialect.OPENAI_CHAT, "/chat/completions"
    ),
    ("POST", "/v1/responses"): Operation(Kind.GENERATE, Dialect.OPENAI_RESPONSES, "/responses"),
    ("POST", "/v1/responses/compact"): Operation(
        Kind.GENERATE, Dialect.OPENAI_RESPONSES, "/responses/compact", fixed_output=True
    ),
    ("POST", "/v1/responses/input_tokens"): Operation(
        Kind.COUNT, Dialect.OPENAI_RESPONSES, "/responses/input_tokens"
    ),
    ("POST", "/v1/embeddings"): Operation(Kind.GENERATE, Dialect.OPENAI_EMBEDDINGS, "/embeddings"),
    ("POST", "/v1/messages"): Operation(Kind.GENERATE, Dialect.ANTHROPIC_MESSAGES, "/messages"),
    ("POST", "/v1/messages/count_tokens"): Operation(
        Kind.COUNT, Dialect.ANTHROPIC_MESSAGES, "/messages/count_tokens"
    ),
    ("GET", "/v1/models"): Operation(Kind.MODELS, Dialect.OPENAI_CHAT, "/models"),
}

_RESPONSE: Final = re.compile(
    r"/v1/responses/(?P<id>[A-Za-z0-9_.:-]{1,200})(?P<rest>/cancel|/input_items)?\Z"
)
_MODEL: Final = re.compile(r"/v1/models/(?P<id>[A-Za-z0-9_.:/@-]{1,200})\Z")
_RESPONSE_METHODS: Final = {None: ("GET", "DELETE"), "/cancel": ("POST",), "/input_items": ("GET",)}


def operation_for(method: str, path: str) -> Operation:
    """Which operation this is. Raises UnsupportedEndpoint: nothing passes unmetered."""
    fixed = _FIXED.get((method, path.removesuffix("/")))
    if fixed is not None:
        return fixed
    if len(path) <= PATH_CHARACTERS_MAX:
        found = _RESPONSE.match(path)
        if found and method in _RESPONSE_METHODS[found["rest"]]:
            return Operation(
                Kind.RETRIEVE, Dialect.OPENAI_RESPONSES, path.removeprefix("/v1"), found["id"]
            )
        found = _MODEL.match(path)
        if found and method == "GET":
            return Operation(Kind.MODELS, Dialect.OPENAI_CHAT, "/models", found["id"])
    raise UnsupportedEndpoint(
        f"{method} {path[:PATH_CHARACTERS_MAX]} is not served: AOS passes on only what it meters "
        "(/v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages, /v1/models)"
    )


def call_of(incoming: Incoming) -> ModelCall:
    """What is asked for, as body and headers say it. Raises InvalidRequest, naming the field."""
    dialect = incoming.operation.dialect
    call = reader(dialect).read_call(incoming.body)
    if dialect is Dialect.ANTHROPIC_MESSAGES and opens_long_context(incoming.headers):
        return replace(call, long_context=True)
    return call


def opens_long_context(headers: Headers) -> bool:
    """Anthropic opens a million tokens of its 4.0 and 4.5 models to those who ask like this."""
    return any(name == b"anthropic-beta" and b"context-1m" in value for name, value in headers)


def dialect_of_path(path: str) -> Dialect:
    """Whose error shape an unserved path gets."""
    if path.startswith("/v1/messages"):
        return Dialect.ANTHROPIC_MESSAGES
    return Dialect.OPENAI_CHAT


def decode_body(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Undo one Content-Encoding, never past `bytes_max`.

    Raises UnsupportedEncoding, UndecodableBody, BodyTooLarge.
    """
    match encoding:
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, 31, bytes_max)
        case "deflate":
            return _inflate(body, 15, bytes_max)
        case "zstd":
            return _unzstd(body, bytes_max)
    raise UnsupportedEncoding(f"Content-Encoding {encoding!r}: send gzip, deflate, zstd or none")


def too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is larger than {bytes_max} bytes (AOS_BODY_BYTES_MAX)", limit_bytes=bytes_max
    )


def _inflate(body: bytes, window_bits: int, bytes_max: int) -> bytes:
    decoder = zlib.decompressobj(window_bits)
    try:
        decoded = decoder.decompress(body, bytes_max + 1)
    except zlib.error as error:
        raise UndecodableBody(f"the body does not inflate: {error}") from None
    if len(decoded) > bytes_max:
        raise too_large(bytes_max)
    if not decoder.eof:
        raise UndecodableBody("the compressed body is cut short")
    return decoded


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body) as reader:
            decoded = reader.read(bytes_max + 1)
    except zstandard.ZstdError as error:
        raise UndecodableBody(f"the body does not decompress: {error}") from None
    if len(decoded) > bytes_max:
        raise too_large(bytes_max)
    return decoded
