"""How long to wait before the next try."""

from random import Random


def full_jitter_seconds(
    attempt: int, random: Random, *, base_seconds: float = 0.25, seconds_max: float = 8.0
) -> float:
    """Exponential with full jitter; `attempt` counts from 0."""
    # Past 2**60 every bound is the longest one; a power without end would leave the floats.
    return random.uniform(0, min(seconds_max, base_seconds * 2.0 ** min(attempt, 60)))
