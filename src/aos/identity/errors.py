"""Why somebody may not."""

from aos.kit.errors import AosError, Conflict, Forbidden, InvalidInput, NotFound, Who


class Unauthenticated(AosError):
    """Nobody we know."""

    code = "unauthenticated"
    status = 401
    who = Who.CALLER


class KeyMissing(Unauthenticated):
    """The request carries no key."""

    code = "key_missing"


class InvalidKey(Unauthenticated):
    """No key has this secret."""

    code = "invalid_key"


class KeyExpired(Unauthenticated):
    """The key's time is over."""

    code = "key_expired"


class KeyRevoked(Unauthenticated):
    """The key was revoked, or this secret of it was rotated away."""

    code = "key_revoked"


class ScopeMissing(Forbidden):
    """The key lacks the scope that this needs."""

    code = "scope_missing"


class TenantMismatch(Forbidden):
    """X-Tenant-Id names another tenant than the key's."""

    code = "tenant_mismatch"


class TenantRequired(InvalidInput):
    """ENFORCE_TENANCY asks for X-Tenant-Id, and it is not there."""

    code = "tenant_required"
    status = 400


class AgentMismatch(Forbidden):
    """The key is bound to another agent than X-AOS-Agent names."""

    code = "agent_mismatch"


class AgentArchived(Forbidden):
    """An archived agent can neither be charged nor changed."""

    code = "agent_archived"


class AgentNotFound(NotFound):
    """No such agent in this tenant."""

    code = "agent_not_found"


class KeyNotFound(NotFound):
    """No such key in this tenant."""

    code = "key_not_found"


class InvalidLabel(InvalidInput):
    """A label header is too long, or holds what a label cannot."""

    code = "invalid_label"


class InvalidExpiry(InvalidInput):
    """A key cannot be made to expire in the past."""

    code = "invalid_expiry"


class NameTaken(Conflict):
    """A live one of this name is there already."""

    code = "name_taken"


class KeyEnded(Conflict):
    """A revoked key can no longer be changed."""

    code = "key_ended"


class KeyManagedElsewhere(Conflict):
    """AOS_API_KEY decides what the secret of this key is."""

    code = "key_managed_elsewhere"


class AdminKeyRefused(AosError):
    """AOS_API_KEY cannot be the admin key; the message says why."""

    code = "admin_key_refused"
    status = 503
