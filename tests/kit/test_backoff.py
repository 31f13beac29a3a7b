from random import Random

from aos.kit.backoff import full_jitter_seconds


def test_pauses_grow_to_their_bound_and_stay_there_for_ever() -> None:
    random = Random(7)
    for attempt in range(10):
        bound = min(8.0, 0.25 * 2**attempt)
        pauses = [full_jitter_seconds(attempt, random) for _ in range(200)]
        assert 0 <= min(pauses) < max(pauses) <= bound
    assert full_jitter_seconds(1_000_000, random) <= 8.0
