import gzip
import zlib

import pytest
import zstandard

from aos.gateway.errors import (
    BodyTooLarge,
    UndecodableBody,
    UnsupportedEncoding,
    UnsupportedEndpoint,
)
from aos.gateway.model import Kind
from aos.gateway.rules import decode_body, operation_for

BODY = b'{"model": "gpt-4o-mini"}' * 100


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/chat/completions", Kind.GENERATE),
        ("POST", "/v1/responses", Kind.GENERATE),
        ("POST", "/v1/responses/compact", Kind.GENERATE),
        ("POST", "/v1/embeddings", Kind.GENERATE),
        ("POST", "/v1/messages", Kind.GENERATE),
        ("POST", "/v1/messages/count_tokens", Kind.COUNT),
        ("GET", "/v1/models", Kind.MODELS),
        ("GET", "/v1/models/gpt-4o", Kind.MODELS),
        ("GET", "/v1/responses/resp_1", Kind.RETRIEVE),
        ("DELETE", "/v1/responses/resp_1", Kind.RETRIEVE),
        ("POST", "/v1/responses/resp_1/cancel", Kind.RETRIEVE),
        ("GET", "/v1/responses/resp_1/input_items", Kind.RETRIEVE),
    ],
)
def test_served_paths(method: str, path: str, kind: Kind) -> None:
    assert operation_for(method, path).kind is kind


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/responses/../chat/completions"),
        ("POST", "/v1/responses/resp_1/%2e%2e/x"),
        ("GET", "/v1/responses/resp_1\n"),
        ("POST", "/v1/" + "a" * 5000),
        ("PUT", "/v1/responses/resp_1"),
    ],
)
def test_no_path_passes_unmetered(method: str, path: str) -> None:
    with pytest.raises(UnsupportedEndpoint):
        operation_for(method, path)


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("zstd", zstandard.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_encodings_are_undone(encoding: str, encoded: bytes) -> None:
    assert decode_body(encoded, encoding, 1 << 20) == BODY


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(10_000_000))),
        ("deflate", zlib.compress(bytes(10_000_000))),
        ("zstd", zstandard.compress(bytes(10_000_000))),
    ],
)
def test_a_bomb_is_defused_at_the_limit(encoding: str, bomb: bytes) -> None:
    assert len(bomb) < 20_000
    with pytest.raises(BodyTooLarge):
        decode_body(bomb, encoding, 100_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_what_does_not_decode_is_named(encoding: str) -> None:
    with pytest.raises(UndecodableBody):
        decode_body(b"not compressed at all", encoding, 1000)
    cut = {"gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}.get(encoding)
    if cut is not None:
        with pytest.raises(UndecodableBody):
            decode_body(cut[:-8], encoding, 100_000)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(UnsupportedEncoding):
        decode_body(BODY, "br", 1000)
