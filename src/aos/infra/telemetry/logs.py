"""Structured logs on one stream, a line an event, redacted, with the request's id on each."""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import orjson
import structlog

from aos.infra.telemetry.redaction import redact

LogFormat = Literal["auto", "json", "console"]

_QUIET = {
    "psycopg.pool": logging.CRITICAL,  # It says on every try what DatabaseUnavailable says once.
    "uvicorn.access": logging.CRITICAL,  # The call log is the access log.
    "asyncio": logging.WARNING,
    "aiohttp.access": logging.CRITICAL,
    "alembic": logging.WARNING,
}


def configure_logging(
    level: str = "info", log_format: LogFormat = "auto", stream: TextIO | None = None
) -> None:
    """Once, at the start of a process. `auto`: for people on a terminal, else JSON.

    Libraries that log by the standard library end up in the same stream and shape.
    """
    stream = stream or sys.stdout
    people = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redacted,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty()) if people else _json
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:-1], structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redacted,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, number))


@contextmanager
def log_context(**values: str) -> Iterator[None]:
    """Every line logged inside, by this task and those it starts, carries these values."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def _redacted(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    redacted: dict[str, Any] = redact(event)
    return redacted


def _json(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
