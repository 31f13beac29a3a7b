"""Bounds of what the rooms stand on."""

from typing import Final

DATABASE_CONNECTIONS_MAX: Final = 20
"""Connections of one process to the database."""

DATABASE_ACQUIRE_SECONDS_MAX: Final = 2.0
"""Longest wait for a connection; then DatabaseUnavailable. Budgets fail closed on it."""

DATABASE_CONNECT_SECONDS_MAX: Final = 5
"""For one connection: a serverless database takes seconds to wake."""

DATABASE_OPEN_SECONDS_MAX: Final = 15.0
"""For the first connections of a process."""

DATABASE_RECONNECT_SECONDS: Final = 0.25
"""Between two tries to connect while the database is away."""

DATABASE_STATEMENT_SECONDS_MAX: Final = 5
"""For one statement of ordinary access; a report may ask for more."""

DATABASE_LOCK_SECONDS_MAX: Final = 2
"""For a lock that somebody else holds."""

DATABASE_IDLE_IN_TRANSACTION_SECONDS_MAX: Final = 5
"""A transaction that waits on us this long is ended by the server, with its locks."""

DATABASE_ANSWER_MARGIN_SECONDS: Final = 1.0
"""How much longer than the server's limit we wait before we take it for dead."""

MIGRATION_LOCK_SECONDS_MAX: Final = 120
"""For another process that migrates, or for a table that somebody reads."""

BATCH_ITEMS_MAX: Final = 64
"""Most elements of one micro-batch."""

SERVER_START_SECONDS_MAX: Final = 120
"""Longest wait for the private server: a recovery after a power cut reads its whole log again."""

SERVER_STOP_SECONDS_MAX: Final = 30

SERVER_ORPHANS_SECONDS_MAX: Final = 15
"""How long the backends of a killed server may hold its memory before a start gives up."""

SERVER_CHECK_SECONDS: Final = 0.5
"""How often a user of the private server looks whether it lives."""

SERVER_LOG_BYTES_MAX: Final = 16 * 1024 * 1024

SERVER_DISK_FREE_BYTES_MIN: Final = 256 * 1024 * 1024
"""A fresh cluster takes 40 MB and writes its log in pieces of 16 MB."""

CHANGES_POLL_SECONDS: Final = 0.4
"""How often news is checked: the age of what is in force stays below one second with it."""

CHANGES_ANSWER_SECONDS_MAX: Final = 2.0
"""Longest wait for an answer of the listening connection before it counts as dead."""

CHANGES_ASKED_SECONDS: Final = 10.0
"""How long after the last question about staleness the listening connection is kept proven."""

CHANGES_RECONNECT_SECONDS_MAX: Final = 1.0

CHANGES_TRIES_A_LINE: Final = 60
"""Tries to reconnect that share one line of the log: about one in half a minute."""

CHANGES_START_SECONDS_MAX: Final = 15.0

METRIC_MODELS_MAX: Final = 200
"""Models with series of their own on `/metrics`; later ones are counted as `other`."""

METRIC_TENANTS_MAX: Final = 100

METRIC_AGENTS_MAX: Final = 50

DOOR_CONNECTIONS_MAX: Final = 4096
"""Connections of callers; fewer where the system allows fewer open files."""

DOOR_HEAD_BYTES_MAX: Final = 32 * 1024
"""Request line and headers."""

DOOR_HEAD_SECONDS_MAX: Final = 10
"""From a connection, or a request's first byte, to the end of its head."""

DOOR_BODY_WINDOW_SECONDS: Final = 10
DOOR_BODY_BYTES_MIN: Final = 1024
"""What must arrive of an unfinished body in each window in which we were reading."""

DOOR_BODY_SECONDS_MAX: Final = 600

DOOR_PIPELINE_MAX: Final = 16
"""Requests that a connection may send ahead of their answers."""

DOOR_LINGER_SECONDS_MAX: Final = 1.0
"""How long a refused connection is drained, so that the refusal can be read."""

DOOR_KEEP_ALIVE_SECONDS: Final = 75
"""Longer than the balancers before us keep theirs (60 s), so that they close first."""

DOOR_BACKLOG: Final = 2048

DOOR_GRACE_SECONDS_MAX: Final = 30
"""How long a stop waits for calls under way."""

DOOR_END_SECONDS_MAX: Final = 5
"""How long a stop waits for calls that it has cancelled to end."""

FILES_RESERVED: Final = 128
"""Open files that are neither callers nor upstreams."""

HEALTH_SECONDS_MAX: Final = 2.0
"""Longest wait for one component's answer."""

HEALTH_KEPT_SECONDS: Final = 1.0

PARTITION_MONTHS_AHEAD: Final = 3
"""Months with partitions of their own before they begin."""

HOUSEKEEPING_SECONDS: Final = 6 * 3600
HOUSEKEEPING_RETRY_SECONDS: Final = 60
