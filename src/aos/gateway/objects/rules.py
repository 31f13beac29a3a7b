"""Pure: what can be an id at all."""

from aos.gateway.limits import OBJECT_ID_CHARACTERS_MAX


def may_be_object_id(name: str) -> bool:
    """Whether a provider may have made this name: short, and without control characters."""
    return 0 < len(name) <= OBJECT_ID_CHARACTERS_MAX and name.isprintable()
