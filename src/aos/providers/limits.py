"""Bounds of talking to upstreams."""

from typing import Final

CONNECTIONS_MAX: Final = 2_000
"""Open connections of a process to all upstreams; further calls wait for one."""

KEEP_ALIVE_SECONDS: Final = 30.0
"""How long an idle connection is kept. Shorter than the idle limits of the upstreams' load
balancers (60 s and more), so that we close before they do and rarely write to a closed one."""

DNS_CACHE_SECONDS: Final = 60

CONNECT_SECONDS_MAX: Final = 10.0
"""TCP and TLS together; then UpstreamUnreachable."""

STREAM_END_SECONDS_MAX: Final = 1.0
"""How long a connection may take to end after its stream's terminal event; then it is cut."""

READ_BUFFER_BYTES: Final = 64 * 1024

HEADER_BYTES_MAX: Final = 64 * 1024
"""All header lines of an answer, and any one of them."""

URLS_KEPT_MAX: Final = 1_024
"""Parsed URLs kept, since parsing one costs more than sending to it."""
