import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from aos.infra.telemetry import configure_logging, log_context, redact, redact_text


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_requests_id(stream: io.StringIO) -> None:
    log = structlog.get_logger("aos.somewhere")
    with log_context(request_id="req_1"):
        log.info("call_served", cost_usd="0.1")
    log.debug("not_at_this_level")
    log.info("no_request")
    first, second = lines(stream)
    assert first["event"] == "call_served"
    assert first["request_id"] == "req_1"
    assert first["level"] == "info"
    assert str(first["at"]).endswith("Z")
    assert "request_id" not in second


def test_other_libraries_lines_have_the_same_shape_and_are_redacted(stream: io.StringIO) -> None:
    logging.getLogger("somebody").warning("key %s refused", "sk-abcdefgh12345678")
    logging.getLogger("uvicorn.access").info("127.0.0.1 GET /")
    (line,) = lines(stream)
    assert line["event"] == "key [redacted] refused"
    assert line["logger"] == "somebody"


def test_an_exception_is_told_without_its_secrets(stream: io.StringIO) -> None:
    try:
        raise ValueError("cannot reach postgresql://aos:hunter2@db/aos")
    except ValueError:
        structlog.get_logger().exception("failed", api_key="sk-1234567890abcdef")
    (line,) = lines(stream)
    assert "hunter2" not in json.dumps(line)
    assert "sk-1234" not in json.dumps(line)
    assert "ValueError" in str(line["exception"])
    assert "postgresql://aos:[redacted]@db/aos" in str(line["exception"])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("x-api-key: whatever123", "x-api-key: [redacted]"),
        ("{'x-aos-key': 'whatever123'}", "{'x-aos-key': '[redacted]'}"),
        *(
            (f"my key is {start}{'a1B2' * 8}.", "my key is [redacted].")
            for start in ("gsk_", "xai-", "pplx-", "csk-", "nvapi-", "fw_", "hf_", "r8_", "tgp_v1_")
        ),
        ("hf_hub and xai-grok are words", "hf_hub and xai-grok are words"),
        ("sk-ant-api03-abcdefghij and sk-proj-abc_def-ghi", "[redacted] and [redacted]"),
        ("aos_sk_AbC123 of key_01ARZ3NDEKTSV4RRFFQ69G5FAV", None),
        ("postgres://u:p%40ss@h:5432/d", "postgres://u:[redacted]@h:5432/d"),
        ("ghp_0123456789abcdefghijABCD", "[redacted]"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[redacted]"),
        ("a risk-based task-list, aos_settlements_retrying, http://host:8000/x@y", None),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- after", "[redacted] after"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_nothing_else(text: str, clean: str | None) -> None:
    if clean is None:
        clean = text.replace("aos_sk_AbC123", "[redacted]")
    assert redact_text(text) == clean


def test_fields_named_secret_are_hidden_whole() -> None:
    event = {
        "headers": {"Authorization": "x", "accept": "y"},
        "password": 1234,
        "api_key": None,
        "input_tokens": 12,
        "nested": [{"client_secret": "s"}, ("sk-abcdefghijkl",)],
        "raw": b"Bearer abcdef",
    }
    assert redact(event) == {
        "headers": {"Authorization": "[redacted]", "accept": "y"},
        "password": "[redacted]",
        "api_key": None,
        "input_tokens": 12,
        "nested": [{"client_secret": "[redacted]"}, ["[redacted]"]],
        "raw": "Bearer [redacted]",
    }
    deep: dict[str, object] = {}
    for _ in range(20):
        deep = {"a": deep, "b": "sk-abcdefghijkl"}
    assert "sk-" not in json.dumps(redact(deep))
