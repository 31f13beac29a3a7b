"""Logs and metrics: what the process says of itself.

Nothing secret passes: every log line is redacted. Labels of metrics stay bounded.
"""

from aos.infra.telemetry.logs import configure_logging, log_context
from aos.infra.telemetry.metrics import METRICS, Metrics, TokenCounts
from aos.infra.telemetry.prometheus import PROMETHEUS_AVAILABLE
from aos.infra.telemetry.redaction import redact, redact_text
from aos.infra.telemetry.tracking import track_llm_response, track_llm_usage

__all__ = [
    "METRICS",
    "PROMETHEUS_AVAILABLE",
    "Metrics",
    "TokenCounts",
    "configure_logging",
    "log_context",
    "redact",
    "redact_text",
    "track_llm_response",
    "track_llm_usage",
]
