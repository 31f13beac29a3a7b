"""Bounds of the data path."""

from typing import Final

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest whole answer that is read from an upstream; more is UpstreamBroken."""

ERROR_BYTES_MAX: Final = 256 * 1024
"""Largest error body kept from an upstream."""

ERROR_MESSAGE_CHARACTERS_MAX: Final = 500
"""What of an upstream's message is kept on the call's row."""

CANDIDATES_MAX: Final = 4
"""Targets of an alias that one call tries at most."""

RESOLUTIONS_KEPT_MAX: Final = 10_000
"""Names that a process remembers the targets of."""

CONNECT_RETRIES_MAX: Final = 1
"""How often an upstream that was never reached is tried again before the next candidate."""

SETTLEMENT_WAIT_SECONDS_MAX: Final = 1.0
"""How long the last byte waits for its settlement; after that it is retried from memory."""

SETTLEMENT_RETRY_SECONDS: Final = 0.25
"""Pause between two tries of a settlement that the database did not take."""

REFUSALS_WAITING_MAX: Final = 1_000
"""Rows of refused calls that wait in memory for the database to come back."""

SETTLEMENT_CLOSE_SECONDS_MAX: Final = 5.0
"""How long a stop waits for settlements that the database does not take."""

EXPIRY_PAUSE_SECONDS: Final = 5.0
"""Pause between two passes of the reaper that found nothing."""

OBJECT_ID_CHARACTERS_MAX: Final = 300
"""Longest id of something that a provider keeps."""

MODELS_LISTED_MAX: Final = 5_000
"""Most models in one answer of GET /v1/models."""

PATH_CHARACTERS_MAX: Final = 512
"""Longest path under /v1/."""

OUTPUT_TOKENS_FLOOR: Final = 16
"""A clamp never leaves less than this for an answer."""
