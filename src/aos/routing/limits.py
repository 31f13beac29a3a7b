"""Bounds of what a tenant may declare. Reaching one is an error that names it."""

from typing import Final

NAME_LENGTH_MAX: Final = 200
"""Characters of a model's name or of an alias."""

ALIAS_TARGETS_MAX: Final = 10
"""Models behind one alias."""

UPSTREAMS_MAX: Final = 100
"""Declared providers of one tenant."""

ALIASES_MAX: Final = 1_000
"""Aliases of one tenant."""

DECLARED_MODELS_MAX: Final = 500
"""Models of one declared provider."""

NEAR_MATCHES_MAX: Final = 3
"""Names offered when a model is not known."""

PATTERN_SETS_CACHED_MAX: Final = 4_096
"""Compiled sets of allowed models that a process keeps."""
