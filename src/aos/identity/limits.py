"""Bounds of identity. Authentication fails closed: what cannot be checked is not let in."""

from typing import Final

KEY_BYTES_MAX: Final = 512
"""Longest text that is looked up as a key; a longer one is unknown."""

SECRET_LETTERS: Final = 43
"""Letters and digits of a secret after its `aos_sk_`: 256 bits."""

CONFIGURED_KEY_LENGTH_MIN: Final = 8
"""Shortest AOS_API_KEY."""

FRESH_SECONDS_MAX: Final = 0.9
"""Age at which what is known of a key must be checked again unless news of changes is being heard.
With the time that news takes to arrive, a revocation is in force within one second."""

KEYS_CACHED_MAX: Final = 10_000
"""Keys that one process remembers; beyond it the longest unused is forgotten."""

REFUSALS_CACHED_MAX: Final = 10_000
"""Bad keys that one process remembers."""

REFUSAL_SECONDS: Final = 1.0
"""How long a bad key is refused without asking the database again."""

AGENTS_CACHED_MAX: Final = 10_000
"""Agents that one process remembers."""

LOOKUPS_AT_ONCE_MAX: Final = 4
"""Look-ups of one process under way, so that guessers cannot take every connection."""

LOOKUP_SECONDS_MAX: Final = 2.0
"""Longest that a caller waits for a look-up; then 503, never 401."""

NAME_LENGTH_MAX: Final = 200
LABEL_LENGTH_MAX: Final = 200
"""Agent, run, workflow, team, user and session labels, in characters."""

TAGS_MAX: Final = 32
TAG_NAME_LENGTH_MAX: Final = 64
TAG_VALUE_LENGTH_MAX: Final = 256
TAGS_HEADER_BYTES_MAX: Final = 4096

MODELS_MAX: Final = 100
"""Model patterns of one key."""

RATE_MAX: Final = 2_000_000_000
"""Largest rpm, tpm or max_parallel."""

GRACE_SECONDS_MAX: Final = 30 * 24 * 3600
"""Longest that a rotated secret goes on working."""

BUDGET_CENTS_MAX: Final = 100_000_000_000
"""Largest lifetime budget of an agent: a billion dollars."""

OPERATOR_TENANT: Final = "default"
"""Whose administrators run this installation: they alone may do what concerns every tenant."""
